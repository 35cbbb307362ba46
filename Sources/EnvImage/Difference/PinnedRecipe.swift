/// A recipe together with its pins and the variables its containers get: all that decides what an environment computes. It builds nothing.
import EnvCore
import SafeFS
import SystemPackage

/// One environment made of packages, ready to be compared with another and mixed with it.
public struct PinnedRecipe: Sendable {
  public private(set) var recipe: Recipe
  /// Its files are named by absolute paths, so that those of two recipes can stand in one image.
  public private(set) var lock: RecipeLock
  /// Variables of `envctl.yaml`, over the image's.
  public let settings: [String: String]

  /// - Throws: `FileSystemError` when the recipe's folder is gone; `ImageError.unknownLayer`, because a package without a layer would be left out.
  public init(_ recipe: Recipe, _ lock: RecipeLock, settings: [String: String] = [:]) throws {
    let layers = Set(recipe.debian.layers.map(\.name))
    if let stray = lock.debian.first(where: { !layers.contains($0.layer) }) {
      throw ImageError.unknownLayer(stray.layer, package: stray.package, recipe: recipe.name)
    }
    let folder = try FileSystem.canonicalPath(recipe.folder)
    var lock = lock
    for index in lock.files.indices { lock.files[index].source = Self.absolute(lock.files[index].source, in: folder) }
    try self.init(mixed: recipe, lock, settings: settings)
  }

  /// What was put together from recipes whose files have absolute names.
  init(mixed recipe: Recipe, _ lock: RecipeLock, settings: [String: String]) throws {
    self.recipe = recipe
    self.recipe.folder = "/"
    self.lock = lock
    self.settings = settings
    try sign()
  }

  /// The same with what lies below `path` taken from `folder` as it is on disk.
  public func replacing(_ path: RecipePath, by folder: FilePath) throws -> PinnedRecipe {
    var bundle = recipe
    bundle.folder = folder.removingLastComponent()
    bundle.files = [Recipe.BundledFiles(destination: path, source: folder.lastComponent?.string ?? "")]
    let parent = try FileSystem.canonicalPath(bundle.folder)
    let pins = try BundledTree.pins(of: bundle).map { pin in
      var pin = pin
      pin.source = Self.absolute(pin.source, in: parent)
      return pin
    }
    var replaced = self
    replaced.lock.files.removeAll { $0.path.relative.hasPrefix(path.relative + "/") }
    replaced.lock.files = (replaced.lock.files + pins).sorted { $0.path.relative.utf8.lexicographicallyPrecedes($1.path.relative.utf8) }
    try replaced.sign()
    return replaced
  }

  /// The lock belongs to the recipe as it is now: the builder takes no other.
  private mutating func sign() throws {
    lock.recipe = try recipe.digest
    lock.resolution = try recipe.resolutionDigest
  }

  private static func absolute(_ source: String, in folder: FilePath) -> String {
    folder.appending(source).lexicallyNormalized().string
  }
}
