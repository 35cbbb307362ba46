/// `envctl image build|lock`: recipes to images.
import ArgumentParser
import EnvCore
import EnvFlow
import EnvImage
import EnvStore
import OCI
import SafeFS
import SystemPackage

struct ImageCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "image", abstract: "Build, fetch, publish and keep images.",
    subcommands: [
      ImageBuildCommand.self, ImageLockCommand.self, ImageListCommand.self, ImagePullCommand.self, ImagePushCommand.self,
      ImageSaveCommand.self, ImageLoadCommand.self,
    ])
}

struct ImageBuildCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "build", abstract: "Assemble the image of a recipe from its lock and print its manifest digest.",
    discussion: "Nothing in the packages is executed. The same lock gives the same digest on any machine.")

  @OptionGroup var common: CommonOptions

  @Argument(help: "A recipe of the catalog, or the path of a folder with image.yaml and image.lock.")
  var recipe: String

  @Option(help: "Also write the image into an OCI layout: oci:FOLDER[:TAG].")
  var output: String?

  @Flag(help: "Build a recipe without image.lock: its packages are resolved now, for this once.")
  var allowUnpinned = false

  func run() throws {
    let destination = try output.map(Self.destination)
    var workbench = try common.workbench()
    workbench.allowsUnpinned = allowUnpinned
    // Said before minutes of building, not after.
    if let destination { try workbench.requireSuitable(destination) }
    let image = try workbench.buildImage(recipe: try workbench.recipeFolder(recipe))
    if let destination { try workbench.save(image, to: destination) }
    switch common.format {
    case .text: try Console.printResult("\(image.manifestDigest)")
    case .json: try Console.printJSON(ImageSummary(image))
    }
  }

  private static func destination(_ text: String) throws -> LayoutReference {
    guard let reference = LayoutReference(parsing: text), reference.form == .folder else {
      throw ValidationError("--output takes oci:FOLDER[:TAG], not '\(text)'")
    }
    return reference
  }
}

/// What commands that bring an image print with `--format json`.
struct ImageSummary: Encodable {
  struct Layer: Encodable {
    var digest: Digest
    var diffID: Digest
    var size: Int64
  }
  var manifest: Digest
  var config: Digest
  var platform: String
  var layers: [Layer]

  init(_ image: StoredImage) {
    manifest = image.manifestDigest
    config = image.manifest.config.digest
    platform = image.config.platform.description
    layers = image.layers.map { Layer(digest: $0.descriptor.digest, diffID: $0.diffID, size: $0.descriptor.size) }
  }
}

struct ImageLockCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "lock", abstract: "Resolve a recipe's packages with apt and pip and pin each by version, size and SHA-256.")

  @OptionGroup var common: CommonOptions

  @Argument(help: "A recipe of the catalog, or the path of a folder with image.yaml.")
  var recipe: String

  @Flag(help: "Write nothing; fail when the lock does not belong to the recipe and its files any more.")
  var check = false

  @Flag(help: "Resolve all packages anew, even where the recipe still asks for the same.")
  var upgrade = false

  func validate() throws {
    if check, upgrade { throw ValidationError("--check writes nothing, --upgrade writes a new lock: name one of them") }
  }

  func run() throws {
    let workbench = try common.workbench()
    let folder = try workbench.recipeFolder(recipe)
    let recipe = try Recipe.read(in: folder)
    if check { return try RecipeLock.read(in: folder).requireCurrent(recipe) }
    let hasLock = FileSystem.exists(folder.appending(RecipeLock.fileName))
    let previous = hasLock && !upgrade ? try RecipeLock.read(in: folder) : nil
    let lock = try RecipeLocker(store: workbench.store, reporter: workbench.reporter).lock(recipe, previous: previous)
    try lock.write(in: folder)
    try Console.printResult("\(folder.appending(RecipeLock.fileName))")
  }
}

extension Workbench {
  /// A name without a slash is the catalog's; anything else is a path.
  fileprivate func recipeFolder(_ text: String) throws -> FilePath {
    text.contains("/") ? FilePath(text) : try catalog.recipeFolder(text)
  }
}
