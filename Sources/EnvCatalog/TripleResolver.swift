/// From a triple to the one image that is meant: the catalog's own first, then what was published. It asks no registry.
import EnvCore
import OCI
import SafeFS
import SystemPackage

/// What a triple leads to.
public enum TripleResolution: Sendable {
  /// An environment of the catalog, pinned there. `nearest` were published beside it; `isPublished`: one of them is the same triple.
  case catalog(CatalogEntry, FrameworkBuild, nearest: [PublishedImage], isPublished: Bool)
  /// A published image, in each registry that carries it, in the order they are asked. It is not pinned yet.
  case published(PublishedImage, references: [ImageReference])
}

extension Catalog {
  /// Finds the image of a triple.
  ///
  /// The rule for several matches: an entry of the catalog goes before published images of the same release, CUDA and cuDNN, because it is
  /// pinned. Otherwise nothing is chosen: whoever writes `cuda: 11` where 11.2 and 11.7 exist is asked which is meant.
  /// - Throws: `TripleError.neverPublished` or `.ambiguous`.
  public func resolve(_ triple: Triple) throws -> TripleResolution {
    let published = try published(triple.framework.rawValue)
    let listed = published.images.filter { $0.tag.build != .jupyter }
    let entries = try names().compactMap { name -> (entry: CatalogEntry, build: FrameworkBuild)? in
      let entry = try entry(name)
      return entry.build.flatMap { triple.matches($0) ? (entry, $0) : nil }
    }
    let matches = listed.filter { triple.matches($0.build) }
    if entries.count == 1, matches.allSatisfy({ $0.build.isSameStack(as: entries[0].build) }) {
      let nearest = Self.nearest(to: triple, in: listed)
      return .catalog(entries[0].entry, entries[0].build, nearest: nearest, isPublished: !matches.isEmpty)
    }
    if entries.isEmpty, matches.count == 1 {
      return .published(matches[0], references: published.references(tag: "\(matches[0].tag)"))
    }
    guard entries.isEmpty, matches.isEmpty else {
      let builds = entries.map(\.build) + matches.map(\.build)
      throw TripleError.ambiguous(
        triple, candidates: entries.map(\.entry.name) + matches.map { "\($0.tag)" }, openParts: Self.openParts(builds))
    }
    throw TripleError.neverPublished(
      triple, nearest: Self.nearest(to: triple, in: listed).map { "\($0.tag) (\($0.evidence.rawValue))" }, recipe: try recipe(for: triple),
      isProven: published.completeReleases.contains(triple.version))
  }

  /// Whether a source may be what a triple meant when it was locked: any image that matches it, not only the one that would be chosen today.
  public func mayMean(_ triple: Triple, _ source: EnvironmentSource) throws -> Bool {
    switch source {
    case .layout: return false
    case .catalog(let name):
      guard try names().contains(name), let build = try entry(name).build else { return false }
      return triple.matches(build)
    case .image(let reference):
      let repositories = try published(triple.framework.rawValue).repositories
      guard reference.digest == nil, repositories.contains(where: { $0.name == reference.name }), let tag = reference.tag,
        let parsed = try? PaddleTag(parsing: tag)
      else { return false }
      return triple.matches(FrameworkBuild(parsed))
    }
  }

  /// Three published images nearest by release, then the nearest by CUDA where none of them has the CUDA that was asked for.
  private static func nearest(to triple: Triple, in images: [PublishedImage]) -> [PublishedImage] {
    let alike = images.filter { ($0.build.cuda == nil) == (triple.cuda == nil) }
    var found = Array(sorted(alike) { triple.distance(to: $0) }.prefix(3))
    guard let cuda = triple.cuda, !found.contains(where: { $0.build.cuda?.begins(with: cuda) == true }) else { return found }
    if let first = sorted(alike, by: { triple.distanceByCUDA(to: $0) }).first, first.build.cuda?.begins(with: cuda) == true {
      found.append(first)
    }
    return found
  }

  /// Nearest first; at equal distance the newer release, then the newer CUDA.
  private static func sorted(_ images: [PublishedImage], by distance: (FrameworkBuild) -> [Int]) -> [PublishedImage] {
    let keyed = images.map { image in
      let newest = image.build.version.numbers.components + (image.build.cuda?.components ?? [])
      return (image: image, key: distance(image.build) + newest.map { -$0 })
    }
    return keyed.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map(\.image)
  }

  /// In which parts the candidates differ, in the words of `envctl.yaml`.
  private static func openParts(_ builds: [FrameworkBuild]) -> [String] {
    let parts: [(String, [String?])] = [
      ("version", builds.map { "\($0.version)" }), ("cuda", builds.map { $0.cuda?.description }),
      ("cudnn", builds.map { $0.cudnn?.description }), ("trt", builds.map { $0.tensorRT?.description }),
      ("python", builds.map { $0.python?.description }),
    ]
    return parts.filter { Set($0.1).count > 1 }.map(\.0)
  }

  /// A recipe bears the name its image's tag would have, `paddle-2.6.0-gpu-cuda11.8-cudnn8`.
  private func recipe(for triple: Triple) throws -> String? {
    let prefix = triple.framework.rawValue + "-"
    return try FileSystem.list(root.appending("images")).first { name in
      guard name.hasPrefix(prefix), let tag = try? PaddleTag(parsing: String(name.dropFirst(prefix.count))) else { return false }
      let build = FrameworkBuild(tag)
      guard build.version.begins(with: triple.version), (build.cuda == nil) == (triple.cuda == nil) else { return false }
      // The name may say less than the request, as cudnn8 does to 8.6; what it says has to fit.
      let parts = [(triple.cuda, build.cuda), (triple.cudnn, build.cudnn), (triple.tensorRT, build.tensorRT)]
      return parts.allSatisfy { asked, named in
        guard let asked, let named else { return true }
        return named.begins(with: asked) || asked.begins(with: named)
      }
    }
  }
}
