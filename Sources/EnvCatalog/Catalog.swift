/// The catalog of pinned environments that comes with envctl: `manifests/` and `images/`.
import EnvCore
import OCI
import SafeFS
import StrictYAML
import SystemPackage

/// One pinned environment: `manifests/<name>.yaml`.
public struct CatalogEntry: Sendable {
  public let name: String
  /// One line for people.
  public let summary: String
  /// The folder that holds `image.yaml` and `image.lock`.
  public let recipe: FilePath
  /// Manifest digest of the image on each platform.
  public let images: [Platform: Digest]
  /// Digest of the image's configuration on each platform where the file names it: the ImageID of image-spec's config.md, which stays when
  /// a registry or a tool compresses the layers another way and the manifest becomes another.
  public let configs: [Platform: Digest]
  /// The framework's release in it, by which a triple finds it; nil where the file names none.
  public let build: FrameworkBuild?
  /// The oldest driver it runs with, where that is more than its CUDA version tells.
  public let driver: Version?
  /// The file of expected training results, when the environment has one.
  public let baseline: FilePath?
  /// Where this was read.
  public let file: FilePath
}

/// The folders of the catalog.
public struct Catalog: Sendable {
  /// Holds `manifests/` and `images/`.
  public let root: FilePath

  public init(root: FilePath) { self.root = root }

  /// Finds the catalog: the folder `override` names, else the nearest folder above the program that holds one, else `../share/envctl`.
  public static func locate(override: String?, executable: FilePath) throws -> Catalog {
    if let override {
      let catalog = Catalog(root: FilePath(override))
      guard catalog.isPresent else { throw CatalogError.noCatalog(at: override) }
      return catalog
    }
    let program = try FileSystem.canonicalPath(executable)
    var folder = program.removingLastComponent()
    while folder != folder.removingLastComponent() {
      let catalog = Catalog(root: folder)
      if catalog.isPresent { return catalog }
      folder = folder.removingLastComponent()
    }
    let installed = Catalog(root: program.removingLastComponent().removingLastComponent().appending("share/envctl"))
    guard installed.isPresent else { throw CatalogError.noCatalog(at: "\(program)") }
    return installed
  }

  private var isPresent: Bool {
    FileSystem.exists(root.appending("manifests")) && FileSystem.exists(root.appending("images"))
  }

  /// The names of all environments, sorted.
  public func names() throws -> [String] {
    try FileSystem.list(root.appending("manifests")).filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(5)) }
  }

  /// The environment of this name.
  public func entry(_ name: String) throws -> CatalogEntry {
    let known = try names()
    guard known.contains(name) else { throw CatalogError.unknownEnvironment(name, known: known) }
    let file = root.appending("manifests").appending(name + ".yaml")
    let node = try YAMLNode.parse(try FileSystem.readFile(file, limit: 1 << 20), file: file.string)
    return try CatalogEntry(node, name: name, file: file, root: root)
  }

  /// The folder of a recipe.
  public func recipeFolder(_ name: String) throws -> FilePath {
    let recipes = try FileSystem.list(root.appending("images")).filter {
      FileSystem.exists(root.appending("images").appending($0).appending("image.yaml"))
    }
    guard recipes.contains(name) else { throw CatalogError.unknownRecipe(name, known: recipes) }
    return root.appending("images").appending(name)
  }
}

extension CatalogEntry {
  fileprivate init(_ node: YAMLNode, name: String, file: FilePath, root: FilePath) throws {
    try requireSchema(node, newest: 1, file: file)
    let top = try YAMLMapping(
      node, allowed: ["schema", "name", "summary", "recipe", "images", "configs", "baseline", "driver"] + Self.buildKeys)
    let nameNode = try top.required("name")
    guard try nameNode.string() == name else { throw nameNode.expected("'\(name)', the name of the file") }
    self.name = name
    self.summary = try top["summary"]?.string() ?? ""
    let recipe = try top.required("recipe")
    self.recipe = root.appending("images").appending(try pathBelow(recipe))
    self.images = try Self.digests(top.required("images"))
    self.configs = try top["configs"].map(Self.digests) ?? [:]
    self.build = try Self.build(top)
    self.driver = try top["driver"].map(Version.init(at:))
    self.baseline = try top["baseline"].map { root.appending("manifests").appending(try pathBelow($0)) }
    self.file = file
  }
}

extension CatalogEntry {
  /// A digest for each platform.
  private static func digests(_ node: YAMLNode) throws -> [Platform: Digest] {
    var digests: [Platform: Digest] = [:]
    for pair in try node.pairs() {
      guard let platform = Platform(parsing: pair.key) else {
        throw YAMLError(mark: pair.mark, problem: "expected a platform such as linux/amd64, found '\(pair.key)'")
      }
      digests[platform] = try digest(pair.value)
    }
    return digests
  }

  private static let buildKeys = ["framework", "version", "cuda", "cudnn", "trt", "python"]

  private static func build(_ top: YAMLMapping) throws -> FrameworkBuild? {
    guard let framework = top["framework"] else {
      guard let stray = buildKeys.dropFirst().compactMap({ top[$0] }).first else { return nil }
      throw YAMLError(mark: stray.mark, problem: "a version stands here without 'framework'")
    }
    let text = try top.required("version")
    guard let version = ReleaseVersion(parsing: try text.string()) else { throw text.expected("a version such as 2.6.0") }
    return FrameworkBuild(
      framework: try framework.choice(Framework.self), version: version, cuda: try top["cuda"].map(Version.init(at:)),
      cudnn: try top["cudnn"].map(Version.init(at:)), tensorRT: try top["trt"].map(Version.init(at:)),
      python: try top["python"].map(Version.init(at:)))
  }
}

/// Refuses a file of a schema this program does not know before anything else in it is looked at: its other keys may be new as well.
public func requireSchema(_ top: YAMLNode, newest: Int, file: FilePath) throws {
  guard let node = try top.pairs().first(where: { $0.key == "schema" })?.value else {
    throw YAMLError(mark: top.mark, problem: "the key 'schema' is missing", hint: "begin the file with `schema: \(newest)`")
  }
  let schema = try node.integer()
  guard schema >= 1 else { throw node.expected("a schema number from 1 to \(newest)") }
  guard schema <= newest else { throw CatalogError.newerSchema(file: file, schema: schema, known: newest) }
}

/// A digest at its place in a file.
func digest(_ node: YAMLNode) throws(YAMLError) -> Digest {
  do {
    return try Digest(parsing: try node.string())
  } catch let error as DigestError {
    throw YAMLError(mark: node.mark, problem: error.summary)
  } catch let error as YAMLError {
    throw error
  } catch {
    throw node.expected("a digest")
  }
}

private func pathBelow(_ node: YAMLNode) throws -> String {
  do {
    return try RelativePath(try node.nonEmptyString()).string
  } catch let error as PathError {
    throw YAMLError(mark: node.mark, problem: error.summary)
  }
}
