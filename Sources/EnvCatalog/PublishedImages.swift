/// What is known of images others have published: `manifests/published/<product>.yaml`. A list of names and facts, not of pins.
import EnvCore
import OCI
import SafeFS
import StrictYAML
import SystemPackage

/// How it is known that an image exists.
public enum Evidence: String, Sendable, CaseIterable, Codable {
  /// The project's own documents name it.
  case published
  /// The project's tag grammar and a release of this version make it likely.
  case tagGrammar = "tag grammar"
  /// Others name it in public.
  case thirdParty = "third party, verify"
}

/// One image of the framework, by its tag.
public struct PublishedImage: Hashable, Sendable {
  public let tag: PaddleTag
  public let build: FrameworkBuild
  public let evidence: Evidence
  /// Architectures the framework's documents name for its CUDA version, such as 8.0; nil where they name none.
  public let computeCapabilities: [Version]?
  /// A digest others published for the tag. It is compared with the registry's answer and never pins anything by itself.
  public let reportedDigest: Digest?
}

/// The content of one file.
public struct PublishedImages: Sendable {
  /// `HOST/PATH` of each registry that carries the images, in the order they are asked. Mirrors lag behind one another.
  public let repositories: [ImageReference]
  public let images: [PublishedImage]
  /// Releases whose GPU images are all listed.
  public let completeReleases: Set<ReleaseVersion>

  /// The tag in each repository.
  public func references(tag: String) -> [ImageReference] {
    repositories.map { ImageReference(registry: $0.registry, repository: $0.repository, tag: tag) }
  }
}

extension Catalog {
  /// The published images of a product: `paddle`, or `cuda` for NVIDIA's own.
  public func published(_ product: String) throws -> PublishedImages {
    let file = root.appending("manifests/published").appending(product + ".yaml")
    let node = try YAMLNode.parse(try FileSystem.readFile(file, limit: 1 << 20), file: file.string)
    try requireSchema(node, newest: 1, file: file)
    return try PublishedImages(node, product: product)
  }
}

extension Catalog {
  /// What is known of the image a reference names by its tag, in one of the registries that carry it; nil where nothing is.
  public func publishedImage(_ reference: ImageReference) throws -> PublishedImage? {
    guard let tag = reference.tag else { return nil }
    for framework in Framework.allCases {
      let published = try published(framework.rawValue)
      let isCarried = published.repositories.contains { $0.registry == reference.registry && $0.repository == reference.repository }
      if isCarried, let image = published.images.first(where: { "\($0.tag)" == tag }) { return image }
    }
    return nil
  }
}

extension PublishedImages {
  init(_ node: YAMLNode, product: String) throws {
    let top = try YAMLMapping(node, allowed: ["schema", "product", "repositories", "releases"])
    let name = try top.required("product")
    guard try name.string() == product else { throw name.expected("'\(product)', the name of the file") }
    let hosts = try top.required("repositories")
    repositories = try hosts.items().map(Self.repository)
    guard !repositories.isEmpty else { throw hosts.expected("at least one repository") }
    var images: [PublishedImage] = []
    var complete: Set<ReleaseVersion> = []
    var seen: Set<String> = []
    for item in try top["releases"]?.items() ?? [] {
      let release = try Release(item)
      if release.isComplete { complete.insert(release.version) }
      for (node, evidence) in release.tags {
        guard seen.insert(try node.string()).inserted else {
          throw YAMLError(mark: node.mark, problem: "the tag '\(try node.string())' is listed twice")
        }
        images.append(try release.image(node, evidence))
      }
    }
    self.images = images
    completeReleases = complete
  }

  private static func repository(_ node: YAMLNode) throws -> ImageReference {
    let reference = try ImageReference(at: node)
    guard reference.tag == nil, reference.digest == nil else { throw node.expected("a repository without tag or digest") }
    return reference
  }
}

/// One entry of `releases`.
private struct Release {
  let version: ReleaseVersion
  let isComplete: Bool
  let tags: [(node: YAMLNode, evidence: Evidence)]
  private let python: Version?
  private let compute: [(cuda: Version, capabilities: [Version])]
  private let digests: [String: Digest]

  init(_ node: YAMLNode) throws {
    let top = try YAMLMapping(
      node, allowed: ["version", "complete", "python", "compute", "published", "grammar", "reported", "reported-digests"])
    let text = try top.required("version")
    guard let version = ReleaseVersion(parsing: try text.string()) else { throw text.expected("a version such as 2.6.0") }
    self.version = version
    isComplete = try top["complete"]?.boolean() ?? false
    python = try top["python"].map(Version.init(at:))
    compute = try (top["compute"]?.pairs() ?? []).map { pair in
      guard let cuda = Version(parsing: pair.key) else {
        throw YAMLError(mark: pair.mark, problem: "expected a CUDA version such as 11, found '\(pair.key)'")
      }
      return (cuda, try pair.value.items().map(Version.init(at:)))
    }
    var digests: [String: Digest] = [:]
    for pair in try top["reported-digests"]?.pairs() ?? [] { digests[pair.key] = try digest(pair.value) }
    self.digests = digests
    var tags: [(YAMLNode, Evidence)] = []
    for (key, evidence) in [("published", Evidence.published), ("grammar", .tagGrammar), ("reported", .thirdParty)] {
      tags += try (top[key]?.items() ?? []).map { ($0, evidence) }
    }
    self.tags = tags
    let known = try tags.map { try $0.0.string() }
    for pair in try top["reported-digests"]?.pairs() ?? [] where !known.contains(pair.key) {
      throw YAMLError(mark: pair.mark, problem: "'\(pair.key)' is no tag of this release", hint: didYouMean(pair.key, among: known))
    }
  }

  func image(_ node: YAMLNode, _ evidence: Evidence) throws -> PublishedImage {
    let text = try node.string()
    let tag: PaddleTag
    do { tag = try PaddleTag(parsing: text) } catch { throw YAMLError(mark: node.mark, problem: error.summary) }
    guard tag.version == version else { throw node.expected("a tag of release \(version)") }
    let build = FrameworkBuild(tag, python: python)
    let capabilities = build.cuda.flatMap { cuda in compute.first { cuda.begins(with: $0.cuda) }?.capabilities }
    return PublishedImage(
      tag: tag, build: build, evidence: evidence, computeCapabilities: capabilities, reportedDigest: digests[text])
  }
}

extension Version {
  /// A version at its place in a file. YAML's scalars keep their text, so `12.10` stays what it is.
  init(at node: YAMLNode) throws(YAMLError) {
    guard let version = Version(parsing: try node.string()) else { throw node.expected("a version such as 11.8") }
    self = version
  }
}

extension ImageReference {
  /// A reference at its place in a file.
  init(at node: YAMLNode) throws(YAMLError) {
    let text = try node.nonEmptyString()
    do {
      self = try ImageReference(parsing: text)
    } catch {
      throw YAMLError(mark: node.mark, problem: error.summary, hint: error.hint)
    }
  }
}
