/// Which images a rule is about. What it demands of them is the rule's business.
import EnvCore
import OCI
import SystemPackage

/// An image as a rule sees it: where it comes from, never which tag or digest of it.
public enum TrustSubject: Sendable, Hashable, CustomStringConvertible {
  case registry(ImageReference)
  /// An OCI layout, folder or archive, by its absolute path.
  case layout(FilePath)

  public var description: String {
    switch self {
    case .registry(let reference): reference.description
    case .layout(let path): "oci:\(path)"
    }
  }

  /// Place and path as one list. Spellings of one place give one list, or a rule could be walked around.
  var components: [String] {
    switch self {
    case .registry(let reference):
      let host = reference.registry.lowercased()
      return [host.hasSuffix(":443") ? String(host.dropLast(4)) : host] + reference.repository.split(separator: "/").map(String.init)
    case .layout(let path): return [Self.layout] + path.lexicallyNormalized().components.map(\.string)
    }
  }

  /// No registry's host ends with a colon.
  fileprivate static let layout = "oci:"
}

/// `registry/path` (that repository), `registry/path/*` (those directly below), `registry/path/**` (all below), `oci:/folder/**`, or `**`.
///
/// A pattern covers every tag and digest of what it names: a rule about one tag would be walked around by the digest.
public struct ImagePattern: Sendable, Hashable, CustomStringConvertible {
  /// What may follow the components that are written out.
  enum Tail: Int, Sendable, Hashable { case anything, oneComponent, nothing }

  public let description: String
  let components: [String]
  let tail: Tail

  /// Parses a pattern; a relative path of a layout is taken from `folder`.
  ///
  /// - Throws: `TrustError.malformedPattern`.
  public init(parsing text: String, folder: FilePath) throws(TrustError) {
    description = text
    if text == "**" {
      (components, tail) = ([], .anything)
    } else if let path = Self.layoutPath(text) {
      (components, tail) = path == "**" ? ([TrustSubject.layout], .anything) : try Self.layout(path, in: text, folder)
    } else {
      (components, tail) = try Self.repository(text)
    }
  }

  /// What follows `oci:` or `oci-archive:`.
  private static func layoutPath(_ text: String) -> Substring? {
    ["oci:", "oci-archive:"].first { text.hasPrefix($0) }.map { text.dropFirst($0.count) }
  }

  private static func split(_ pattern: Substring, in text: String) throws(TrustError) -> (base: Substring, tail: Tail) {
    let tails: [(String, Tail)] = [("/**", .anything), ("/*", .oneComponent), ("", .nothing)]
    let (end, tail) = tails.first { pattern.hasSuffix($0.0) } ?? ("", .nothing)
    let base = pattern.dropLast(end.count)
    guard !base.contains("*") else {
      throw .malformedPattern(text, reason: "'*' and '**' may only be the last component", underlying: nil)
    }
    return (base, tail)
  }

  private static func layout(_ path: Substring, in text: String, _ folder: FilePath) throws(TrustError) -> ([String], Tail) {
    let (base, tail) = try split(path, in: text)
    guard !path.isEmpty else { throw .malformedPattern(text, reason: "it names no folder", underlying: nil) }
    let place = path.hasPrefix("/") ? FilePath("/" + base) : folder.pushing(FilePath(String(base)))
    return (TrustSubject.layout(place).components, tail)
  }

  private static func repository(_ text: String) throws(TrustError) -> ([String], Tail) {
    let (base, tail) = try split(text[...], in: text)
    // With a tail the base may be a registry alone; two more components make a reference of any base.
    let added = tail == .nothing ? [] : ["x", "x"]
    let reference: ImageReference
    do {
      reference = try ImageReference(parsing: ([String(base)] + added).joined(separator: "/"))
    } catch {
      throw .malformedPattern(text, reason: "it names no repository", underlying: error)
    }
    guard reference.tag == nil, reference.digest == nil else {
      throw .malformedPattern(text, reason: "it covers every tag and digest of a repository, so it names none", underlying: nil)
    }
    return (Array(TrustSubject.registry(reference).components.dropLast(added.count)), tail)
  }

  /// Whether the pattern covers the image.
  public func matches(_ subject: TrustSubject) -> Bool {
    let other = subject.components
    guard other.starts(with: components) else { return false }
    return switch tail {
    case .anything: other.count > components.count
    case .oneComponent: other.count == components.count + 1
    case .nothing: other.count == components.count
    }
  }

  /// Whether this pattern says more about an image that both cover: more components written out, then the narrower tail.
  ///
  /// Two patterns that cover one image and say equally much are the same pattern.
  func isMoreSpecific(than other: ImagePattern) -> Bool {
    (components.count, tail.rawValue) > (other.components.count, other.tail.rawValue)
  }

  /// Whether both cover the same images, however they are spelt.
  func covers(sameAs other: ImagePattern) -> Bool { components == other.components && tail == other.tail }
}
