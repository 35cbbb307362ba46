/// Names of images in registries, parsed the way every container tool does. What lies behind a name is the registry client's business.
import EnvCore

/// `[registry/]repository[:tag][@digest]` (distribution's reference grammar; distribution-spec, "Pulling manifests").
///
/// Short names are completed as Docker does: `debian` is `docker.io/library/debian`. No tag is added where none was written: `latest`
/// is not something envctl assumes.
public struct ImageReference: Hashable, Sendable, CustomStringConvertible {
  /// `host[:port]` in its one spelling, lowercase; `docker.io` for a short name.
  public let registry: String
  /// Lowercase path components, such as `library/debian`.
  public let repository: String
  public var tag: String?
  public var digest: Digest?

  /// A reference from its parts, which `init(parsing:)` or a trusted caller has checked.
  public init(registry: String, repository: String, tag: String? = nil, digest: Digest? = nil) {
    self.registry = registry
    self.repository = repository
    self.tag = tag
    self.digest = digest
  }

  /// Parses a reference; `docker://` before it, as skopeo writes, is accepted.
  ///
  /// - Throws: `ImageReferenceError`, naming the part that is wrong.
  public init(parsing text: String) throws(ImageReferenceError) {
    var rest = text[...]
    if rest.hasPrefix("docker://") { rest = rest.dropFirst("docker://".count) }
    guard rest.utf8.count <= 4096 else { throw .malformed(String(text.prefix(100)), reason: "it is longer than 4096 bytes") }
    guard rest.utf8.allSatisfy({ $0 > 32 && $0 < 127 }) else {
      throw .malformed(text, reason: "only printable ASCII without spaces may stand in a name")
    }
    var digest: Digest?
    if let at = rest.firstIndex(of: "@") {
      do { digest = try Digest(parsing: rest[rest.index(after: at)...]) } catch { throw .malformedDigest(text, underlying: error) }
      rest = rest[..<at]
    }
    // Only a colon after the last slash begins a tag: the one in `registry:5000/name` belongs to the port.
    let lastComponent = rest.lastIndex(of: "/").map { rest.index(after: $0) } ?? rest.startIndex
    var tag: String?
    if let colon = rest[lastComponent...].firstIndex(of: ":") {
      let text = String(rest[rest.index(after: colon)...])
      guard Self.isTag(text) else { throw .malformed(String(rest), reason: "'\(text)' is not a tag") }
      tag = text
      rest = rest[..<colon]
    }
    let (host, path) = Self.splitRegistry(rest)
    let registry: String
    do { registry = try RegistryName(parsing: host).text } catch { throw .malformed(text, reason: error.reason) }
    // Written without its capital letters it would be a part of the path.
    guard Self.isHost(registry) else {
      throw .malformed(text, reason: "'\(host)' is not a registry's host: it has neither a dot nor a port")
    }
    guard Self.isRepository(path) else {
      let hint = path.lowercased() == path ? "" : ": capital letters are not allowed"
      throw .malformed(text, reason: path.isEmpty ? "it names no repository" : "'\(path)' is not a repository's name\(hint)")
    }
    let isShort = registry == "docker.io" && !path.contains("/")
    self.init(registry: registry, repository: isShort ? "library/" + path : path, tag: tag, digest: digest)
  }

  /// `registry/repository`.
  public var name: String { registry + "/" + repository }

  /// The reference in full; it parses back to itself.
  public var description: String { name + (tag.map { ":" + $0 } ?? "") + (digest.map { "@\($0)" } ?? "") }

  /// What stands in the URL of a manifest: the digest where there is one, else the tag.
  public var manifestName: String? { digest?.description ?? tag }

  private static func splitRegistry(_ text: Substring) -> (host: String, path: String) {
    guard let slash = text.firstIndex(of: "/") else { return ("docker.io", String(text)) }
    let first = text[..<slash]
    guard isHost(first) || first.contains(where: \.isUppercase) else { return ("docker.io", String(text)) }
    return (String(first), String(text[text.index(after: slash)...]))
  }

  /// A first component without a dot or a port is part of the path, as `library` is in `library/debian`.
  private static func isHost(_ first: some StringProtocol) -> Bool { first == "localhost" || first.contains { $0 == "." || $0 == ":" } }

  private static func isTag(_ text: String) -> Bool {
    guard let first = text.utf8.first, text.utf8.count <= 128 else { return false }
    return (first == UInt8(ascii: "_") || first.isAlphanumeric) && text.utf8.allSatisfy { $0.isAlphanumeric || "_.-".utf8.contains($0) }
  }

  /// Components of lowercase letters and digits, joined inside by `.`, `_`, `__` or hyphens; 255 bytes in all.
  private static func isRepository(_ text: String) -> Bool {
    guard text.utf8.count <= 255 else { return false }
    return text.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { component in
      guard let first = component.utf8.first, let last = component.utf8.last, first.isLowercaseAlphanumeric, last.isLowercaseAlphanumeric
      else { return false }
      let separators = component.utf8.split(omittingEmptySubsequences: true, whereSeparator: \.isLowercaseAlphanumeric)
      return separators.allSatisfy { run in
        [".", "_", "__"].contains(String(Substring(run))) || run.allSatisfy { $0 == UInt8(ascii: "-") }
      }
    }
  }
}

extension ImageReference: Codable {
  public init(from decoder: any Decoder) throws { try self.init(parsing: decoder.singleValueContainer().decode(String.self)) }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}

/// Why a text names no image.
public enum ImageReferenceError: Diagnostic, Equatable {
  case malformed(String, reason: String)
  case malformedDigest(String, underlying: DigestError)

  public var summary: String {
    switch self {
    case .malformed(let text, let reason): "'\(text)' is not an image reference: \(reason)"
    case .malformedDigest(let text, _): "'\(text.prefix(200))' has a digest that is not one"
    }
  }
  public var cause: (any Error)? { if case .malformedDigest(_, let underlying) = self { underlying } else { nil } }
  public var hint: String? { "a reference is [HOST[:PORT]/]NAME[:TAG][@sha256:…]" }
  public var exitCode: ExitCode {
    if case .malformedDigest(_, .unsupportedAlgorithm) = self { .verification } else { .usage }
  }
}

extension UInt8 {
  fileprivate var isLowercaseAlphanumeric: Bool { (48...57).contains(self) || (97...122).contains(self) }
  fileprivate var isAlphanumeric: Bool { isLowercaseAlphanumeric || (65...90).contains(self) }
}
