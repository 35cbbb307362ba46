/// The files a recipe bundles, as they are on disk now.
import EnvCore
import Hashing
import SafeFS
import SystemPackage

/// Finds and hashes bundled files.
enum BundledTree {
  /// What travels with a recipe is source text and small data.
  static let largestFile = 64 << 20

  /// A pin for every file the recipe bundles, sorted by path in the image.
  ///
  /// Of the permissions only the owner's execute bit counts, as in git. Python's caches are left out.
  static func pins(of recipe: Recipe) throws -> [RecipeLock.FilePin] {
    var pins: [RecipeLock.FilePin] = []
    for files in recipe.files {
      let root = recipe.folder.appending(files.source)
      let status = try FileSystem.status(root)
      guard let status else { throw ImageError.sourceMissing(path: root.string) }
      try collect(files.source, files.destination.description, status, recipe, into: &pins)
    }
    return pins.sorted { $0.path.relative.utf8.lexicographicallyPrecedes($1.path.relative.utf8) }
  }

  private static func collect(
    _ source: String, _ destination: String, _ status: FileStatus, _ recipe: Recipe, into pins: inout [RecipeLock.FilePin]
  ) throws {
    let path = recipe.folder.appending(source)
    switch status.kind {
    case .directory:
      for name in try FileSystem.list(path) where name != "__pycache__" && !name.hasSuffix(".pyc") {
        guard let child = try FileSystem.status(path.appending(name)) else { continue }
        try collect(source + "/" + name, destination + "/" + name, child, recipe, into: &pins)
      }
    case .file:
      let bytes = try FileSystem.readFile(path, limit: largestFile)
      guard let target = RecipePath(destination) else { throw ImageError.invalidImagePath(destination) }
      pins.append(
        RecipeLock.FilePin(
          path: target, source: source, size: Int64(bytes.count), sha256: .sha256(of: bytes), isExecutable: status.permissions & 0o100 != 0)
      )
    default:
      // A link could lead anywhere, and nothing else is content.
      throw ImageError.invalidRecipe(place: path.string, reason: "only files and folders can be bundled")
    }
  }
}
