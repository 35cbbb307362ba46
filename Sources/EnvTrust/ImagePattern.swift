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
    var base = text[...]
    if base == "**" {
      (tail, base) = (.anything, "")
    } else if base.hasSuffix("/**") {
      (tail, base) = (.anything, base.dropLast(3))
    } else if base.hasSuffix("/*") {
      (tail, base) = (.oneComponent, base.dropLast(2))
    } else {
      tail = .nothing
    }
    description = text
    components = base.isEmpty ? [] : try Self.components(of: base, in: text, hasTail: tail != .nothing, folder)
    guard !components.isEmpty || text == "**" else { throw .malformedPattern(text, reason: "it names nothing", underlying: nil) }
  }

  private static func components(
    of base: Substring, in text: String, hasTail: Bool, _ folder: FilePath
  ) throws(TrustError) -> [String] {
    guard !base.contains("*") else { throw .malformedPattern(text, reason: "'*' and '**' may only be the last component", underlying: nil) }
    for form in ["oci:", "oci-archive:"] where base.hasPrefix(form) {
      return TrustSubject.layout(folder.pushing(FilePath(String(base.dropFirst(form.count))))).components
    }
    do {
      // With a tail the base may be a registry alone; two more components make a reference of any base.
      let reference = try ImageReference(parsing: base + (hasTail ? "/x/x" : ""))
      guard reference.tag == nil, reference.digest == nil else {
        throw TrustError.malformedPattern(text, reason: "it covers every tag and digest of a repository, so it names none", underlying: nil)
      }
      return TrustSubject.registry(reference).components.dropLast(hasTail ? 2 : 0)
    } catch let error as TrustError {
      throw error
    } catch {
      throw .malformedPattern(text, reason: "it names no repository", underlying: error)
    }
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
