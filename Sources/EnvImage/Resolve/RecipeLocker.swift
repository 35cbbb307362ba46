/// Recipe → lock: asks the resolvers that exist and writes down what they chose.
import EnvCore
import EnvStore
import HTTP
import SafeFS
import SystemPackage

/// Pins everything a recipe names.
public struct RecipeLocker: Sendable {
  private let store: Store
  private let reporter: any StageReporter
  private let client: HTTPClient

  /// A wheel whose size an index does not tell is put into `store` to learn it.
  public init(store: Store, reporter: any StageReporter, client: HTTPClient = HTTPClient()) {
    self.store = store
    self.reporter = reporter
    self.client = client
  }

  /// The lock of the recipe.
  ///
  /// With a `previous` lock whose resolvers were asked the same, its packages stay pinned and only the bundled files are looked at anew.
  /// - Throws: `ImageError`, `ProcessError` with what apt or pip said.
  public func lock(_ recipe: Recipe, previous: RecipeLock? = nil) throws -> RecipeLock {
    let resolution = try recipe.resolutionDigest
    let files = try BundledTree.pins(of: recipe)
    if let previous, previous.resolution == resolution {
      return RecipeLock(
        schema: RecipeLock.currentSchema, name: recipe.name, recipe: try recipe.digest, resolution: resolution, debian: previous.debian,
        python: previous.python, files: files)
    }
    let debian = try resolveDebian(recipe)
    let python = try resolvePython(recipe, debian)
    return RecipeLock(
      schema: RecipeLock.currentSchema, name: recipe.name, recipe: try recipe.digest, resolution: resolution, debian: debian,
      python: python,
      files: files)
  }

  private func resolveDebian(_ recipe: Recipe) throws -> [RecipeLock.DebianPin] {
    try reporter.stage("resolve Debian packages") { _ in
      let pins = try store.withTemporaryFolder("resolve") { folder in
        let resolver = DebianResolver(folder: folder, architecture: recipe.platform.architecture)
        return try resolver.resolve(recipe.debian, DebianOrigins.ofThisMachine(suite: recipe.debian.suite))
      }
      return (pins, "\(pins.count) packages, \(ByteCount(pins.reduce(0) { $0 + $1.size }))")
    }
  }

  private func resolvePython(_ recipe: Recipe, _ debian: [RecipeLock.DebianPin]) throws -> [RecipeLock.WheelPin] {
    guard let python = recipe.python else { return [] }
    return try reporter.stage("resolve Python packages") { _ in
      let index = IndexClient(indexes: try PythonOrigins.ofThisMachine().indexes, client: client)
      let pins = try store.withTemporaryFolder("resolve") { folder in
        let resolver = PythonResolver(folder: folder, index: index, sizeOfFile: sizeByFetching)
        return try resolver.resolve(python, platform: recipe.platform, glibcMinor: Self.glibcMinor(debian))
      }
      return (pins, "\(pins.count) wheels, \(ByteCount(pins.reduce(0) { $0 + $1.size })), published before \(python.before)")
    }
  }

  private func sizeByFetching(_ file: IndexFile, _ digest: Digest) throws -> Int64 {
    try store.ingest(expecting: digest, object: file.filename) { writer in
      try client.download(HTTPRequest(file.url)) { try writer.write($0) }
    }.size
  }

  /// Debian's libc6 2.36-9+deb12u8 → 36.
  private static func glibcMinor(_ debian: [RecipeLock.DebianPin]) throws -> Int {
    guard let libc = debian.first(where: { $0.package == "libc6" }), libc.version.hasPrefix("2."),
      let minor = Int(libc.version.dropFirst(2).prefix { $0.isNumber })
    else { throw ImageError.resolverAnswer(tool: "apt-get", reason: "Python wheels need libc6 among the packages") }
    return minor
  }
}
