/// `image.lock`: every input of an image pinned by size and SHA-256. It names no host; where the files come from is the machine's business.
import EnvCore
import SafeFS
import SystemPackage

/// The pins of one recipe, schema 1.
public struct RecipeLock: Sendable, Equatable, Codable {
  /// The version of this document's form; a newer one is refused.
  public static let currentSchema = 1

  public var schema: Int
  public var name: String
  /// `Recipe.digest` of the recipe it was made from.
  public var recipe: Digest
  /// `Recipe.resolutionDigest`: what the resolvers were asked.
  public var resolution: Digest
  /// By layer in the recipe's order, then by name.
  public var debian: [DebianPin]
  /// By project name.
  public var python: [WheelPin]
  /// By path.
  public var files: [FilePin]

  /// A Debian binary package.
  public struct DebianPin: Sendable, Hashable, Codable {
    public var package: String
    public var version: String
    public var architecture: String
    public var size: Int64
    public var sha256: Digest
    /// Relative to a mirror's base, such as `pool/main/d/dash/dash_0.5.12-2_amd64.deb`.
    public var path: String
    public var layer: String
  }

  /// A wheel, found on any index by its project and file name.
  public struct WheelPin: Sendable, Hashable, Codable {
    /// Normalised (PEP 503).
    public var project: String
    public var version: String
    public var filename: String
    public var size: Int64
    public var sha256: Digest
  }

  /// A file that travels with the recipe.
  public struct FilePin: Sendable, Hashable, Codable {
    /// In the image.
    public var path: RecipePath
    /// Relative to the recipe's folder.
    public var source: String
    public var size: Int64
    public var sha256: Digest
    public var isExecutable: Bool
  }

  /// The name of the file beside `image.yaml`.
  public static let fileName = "image.lock"

  /// Reads the lock of the recipe in `folder`.
  /// - Throws: `ImageError` when there is none or its schema is newer, `JSONError` when it is malformed.
  public static func read(in folder: FilePath) throws -> RecipeLock {
    let path = folder.appending(fileName)
    guard FileSystem.exists(path) else { throw ImageError.noLock(path: path.string, recipe: folder.lastComponent?.string ?? folder.string) }
    return try parse(FileSystem.readFile(path), object: path.string)
  }

  /// Reads the bytes of a lock; `object` names them in errors.
  public static func parse(_ bytes: [UInt8], object: String) throws -> RecipeLock {
    let schema = try CanonicalJSON.decode(Schema.self, from: bytes, object: object).schema
    guard schema == currentSchema else { throw ImageError.lockSchema(object: object, found: schema, known: currentSchema) }
    return try CanonicalJSON.decode(RecipeLock.self, from: bytes, object: object)
  }

  private struct Schema: Decodable { var schema: Int }

  /// Writes the lock beside the recipe, as a whole or not at all.
  public func write(in folder: FilePath) throws {
    try FileSystem.writeAtomically(CanonicalJSON.encodePretty(self), to: folder.appending(Self.fileName))
  }

  /// The same packages with the bundled files of `recipe` as they are on disk.
  public func takingFiles(of recipe: Recipe) throws -> RecipeLock {
    var lock = self
    lock.files = try BundledTree.pins(of: recipe)
    return lock
  }

  /// Which Pythons, such as `3.11`, its packages are of: the interpreters it pins, or else what its wheels were compiled for; sorted.
  public var pythonVersions: [String] {
    let interpreters = debian.map(\.package).filter { $0.hasPrefix("python3.") && $0.dropFirst(8).allSatisfy(\.isNumber) }
    if !interpreters.isEmpty { return interpreters.map { String($0.dropFirst(6)) }.sorted() }
    // `cp311-cp311` is one version's; `cp37-abi3` is of that one and all later ones (PEP 425).
    let compiled = python.compactMap { pin -> String? in
      let tags = pin.filename.split(separator: "-").suffix(3)
      guard let tag = tags.first, tags.dropFirst().first == tag else { return nil }
      guard tag.hasPrefix("cp3"), tag.dropFirst(3).allSatisfy(\.isNumber) else { return nil }
      return "3." + tag.dropFirst(3)
    }
    return Set(compiled).sorted()
  }

  /// Refuses to go on when `recipe` says something else than it did when this lock was written.
  public func requireMatch(_ recipe: Recipe) throws {
    let actual = try recipe.digest
    guard actual == self.recipe else {
      throw ImageError.lockOutdated(recipe: recipe.name, locked: self.recipe, actual: actual)
    }
  }

  /// As `requireMatch`, and also refuses when a bundled file was changed, added or removed since.
  public func requireCurrent(_ recipe: Recipe) throws {
    try requireMatch(recipe)
    let changed = Set(try BundledTree.pins(of: recipe)).symmetricDifference(files)
    guard changed.isEmpty else {
      throw ImageError.filesOutdated(recipe: recipe.name, paths: Set(changed.map(\.path.description)).sorted())
    }
  }
}
