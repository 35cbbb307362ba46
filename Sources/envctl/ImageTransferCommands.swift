/// `envctl image list|pull|push|save|load`: images between the store, registries and files.
import ArgumentParser
import EnvCatalog
import EnvCore
import EnvFlow
import EnvStore
import OCI
import SafeFS
import SystemPackage

struct ImageListCommand: ReportingCommand {
  static let configuration = CommandConfiguration(commandName: "list", abstract: "List the images in the store.", aliases: ["ls"])

  @OptionGroup var common: CommonOptions

  func run() throws {
    let store = try common.workbench(isTerse: true).store
    let images = try store.recordedImages().sorted { $0.origin.source < $1.origin.source }
    let entries = try images.map {
      Entry(manifest: $0.manifest, source: $0.origin.source, size: try store.imageDocuments($0.manifest)?.size)
    }
    switch common.format {
    case .json: try Console.printJSON(entries)
    case .text:
      for entry in entries {
        try Console.printResult("\(entry.manifest)  \(entry.size.map { "\(ByteCount($0))" } ?? "incomplete")  \(entry.source)")
      }
    }
  }

  private struct Entry: Encodable {
    var manifest: Digest
    var source: String
    /// Bytes of all layers as they are stored.
    var size: Int64?
  }
}

extension StoredImage {
  fileprivate var size: Int64 { layers.reduce(0) { $0 + $1.descriptor.size } }
}

struct ImagePullCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "pull", abstract: "Fetch an image from a registry, prove every byte, unpack it, and print its manifest digest.",
    discussion: "A tag is a question, not a pin: what it stood for now is printed. Projects refer to the digest.")

  @OptionGroup var common: CommonOptions

  @Argument(help: "REGISTRY/REPOSITORY with :TAG or @sha256:…")
  var reference: String

  @Option(help: "The platform to fetch, such as linux/arm64/v8; by default that of this machine.")
  var platform: String?

  func run() throws {
    let reference = try ImageReference(parsing: reference)
    let platform = try platform.map(Self.platform) ?? .host
    let workbench = try common.workbench(asRoot: true)
    let image = try workbench.pull(reference, platform: platform)
    switch common.format {
    case .text: try Console.printResult("\(image.manifestDigest)")
    case .json: try Console.printJSON(ImageSummary(image))
    }
  }

  static func platform(_ text: String) throws -> Platform {
    guard let platform = Platform(parsing: text) else {
      throw ValidationError("'\(text)' is no platform: expected OS/ARCHITECTURE[/VARIANT]")
    }
    return platform
  }
}

struct ImagePushCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "push", abstract: "Publish an image of the store in a registry and print the reference others can pin.")

  @OptionGroup var common: CommonOptions

  @Argument(help: "The image: a manifest digest, an environment of the catalog, or the reference it was pulled by.")
  var image: String

  @Argument(help: "REGISTRY/REPOSITORY[:TAG] to publish it as.")
  var reference: String

  func run() throws {
    let reference = try ImageReference(parsing: reference)
    guard reference.digest == nil else { throw ValidationError("the digest is the image's own: name a repository and perhaps a tag") }
    let workbench = try common.workbench()
    let image = try workbench.storedImage(image)
    try workbench.push(image, to: reference)
    let pinned = ImageReference(
      registry: reference.registry, repository: reference.repository, tag: reference.tag, digest: image.manifestDigest)
    switch common.format {
    case .text: try Console.printResult("\(pinned)")
    case .json: try Console.printJSON(["reference": pinned.description, "manifest": image.manifestDigest.description])
    }
  }
}

struct ImageSaveCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "save", abstract: "Write an image of the store into an OCI archive or layout, to outlive its registry.")

  @OptionGroup var common: CommonOptions

  @Argument(help: "The image: a manifest digest, an environment of the catalog, or the reference it was pulled by.")
  var image: String

  @Option(name: .shortAndLong, help: "FILE for an archive, or oci:FOLDER[:TAG], or oci-archive:FILE[:TAG].")
  var output: String

  func run() throws {
    let target =
      LayoutReference(parsing: output) ?? LayoutReference(form: .archive, path: FilePath(output), tag: nil)
    let workbench = try common.workbench()
    let image = try workbench.storedImage(image)
    try workbench.save(image, to: target)
    switch common.format {
    case .text: try Console.printResult("\(target.path)")
    case .json: try Console.printJSON(["path": target.path.string, "manifest": image.manifestDigest.description])
    }
  }
}

struct ImageLoadCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "load", abstract: "Take an image from an OCI archive or layout into the store and print its manifest digest.")

  @OptionGroup var common: CommonOptions

  @Argument(help: "FILE of an archive, or oci:FOLDER[:TAG], or oci-archive:FILE[:TAG].", completion: .file())
  var source: String

  func run() throws {
    let layout = LayoutReference(parsing: source) ?? LayoutReference(form: .archive, path: FilePath(source), tag: nil)
    let image = try common.workbench(asRoot: true).load(layout.resolved(in: try FileSystem.canonicalPath(".")))
    switch common.format {
    case .text: try Console.printResult("\(image.manifestDigest)")
    case .json: try Console.printJSON(ImageSummary(image))
    }
  }
}
