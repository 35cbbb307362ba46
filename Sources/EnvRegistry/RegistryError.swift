/// What can go wrong between this machine and a registry. What a registry said is quoted; credentials never are.
import EnvCore
import OCI
import SystemPackage

/// An error of the registry client.
public enum RegistryError: Diagnostic {
  /// The registry knows no such manifest, blob or repository. `nearest` are tags of the repository that may have been meant.
  case notFound(object: String, said: String?, nearest: [String] = [])
  /// The registry wants credentials, or others.
  case unauthorized(object: String, registry: String, hasCredentials: Bool, said: String?)
  /// The registry or what lies before it cannot be reached, or answered with an error.
  case unavailable(object: String, said: String?, underlying: any Error)
  /// The bytes are not those of the digest.
  case digestMismatch(object: String, expected: Digest, actual: Digest)
  case sizeMismatch(object: String, expected: Int64, actual: Int64)
  case tooLarge(object: String, limit: Int64)
  /// The document is neither a manifest nor an index that envctl reads.
  case unusableDocument(object: String, reason: String)
  case noSuchPlatform(reference: String, Platform, offered: [Platform])
  case noTagOrDigest(String)
  /// The registry's own answers make no sense.
  case protocolViolation(object: String, reason: String)
  case unreadableCredentials(file: FilePath, underlying: any Error)
  case malformedCredentials(file: FilePath, key: String)
  case credentialHelperFailed(program: String, registry: String, reason: String)
  /// A file that the host keeps for talking to the registry cannot be used.
  case unusableCertificate(file: FilePath, reason: String, underlying: (any Error)?)

  public var summary: String {
    switch self {
    case .notFound(let object, let said, _): "\(object) is not there" + Self.quote(said)
    case .unauthorized(let object, _, let hasCredentials, let said):
      "access to \(object) was refused" + (hasCredentials ? " to the credentials given" : "") + Self.quote(said)
    case .unavailable(let object, let said, _): "\(object) cannot be had" + Self.quote(said)
    case .digestMismatch(let object, let expected, let actual):
      "\(object) is not what its digest says: expected \(expected), received \(actual)"
    case .sizeMismatch(let object, let expected, let actual): "\(object) has \(actual) bytes, expected \(expected)"
    case .tooLarge(let object, let limit): "\(object) is larger than the \(ByteCount(limit)) it may have"
    case .unusableDocument(let object, let reason): "\(object) cannot be used: \(reason)"
    case .noSuchPlatform(let reference, _, let offered) where offered.isEmpty:
      "\(reference) is an index that names no image for any platform"
    case .noSuchPlatform(let reference, let platform, let offered):
      "\(reference) has no image for \(platform), only for \(Self.list(offered.map(\.description)))"
    case .noTagOrDigest(let reference): "'\(reference)' names a repository but no image in it"
    case .protocolViolation(let object, let reason): "the registry's answer for \(object) makes no sense: \(reason)"
    case .unreadableCredentials(let file, _): "the credentials in '\(file)' cannot be read"
    case .malformedCredentials(let file, let key): "the credentials for '\(key)' in '\(file)' are not base64 of user:password"
    case .credentialHelperFailed(let program, let registry, let reason): "\(program) gave no credentials for '\(registry)': \(reason)"
    case .unusableCertificate(let file, let reason, _): "'\(file)' cannot be used: \(reason)"
    }
  }

  public var cause: (any Error)? {
    switch self {
    case .unavailable(_, _, let underlying), .unreadableCredentials(_, let underlying): underlying
    case .unusableCertificate(_, _, let underlying): underlying
    default: nil
    }
  }

  public var hint: String? {
    switch self {
    case .unauthorized(_, let registry, false, _):
      "log in with `podman login \(registry)`, `skopeo login \(registry)` or `docker login \(registry)`; REGISTRY_AUTH_FILE may name the file"
    case .unauthorized(_, _, true, _): "are the credentials current, and may they do this in that repository?"
    case .notFound(_, _, let nearest) where !nearest.isEmpty: "did you mean \(nearest.map { "'\($0)'" }.joined(separator: ", "))?"
    case .notFound: "is the name right? A registry may also hide what it does not let one see: credentials can be the reason"
    case .unusableCertificate: "authorities end in .crt; the client's own certificate X.cert stands beside its key X.key; all are in PEM"
    case .noTagOrDigest: "add a tag, or better a digest: NAME@sha256:…"
    case .digestMismatch, .sizeMismatch: "the registry, a mirror or a proxy on the way gave other bytes; nothing of them was kept"
    default: nil
    }
  }

  public var exitCode: ExitCode {
    switch self {
    case .digestMismatch, .sizeMismatch, .tooLarge, .unusableDocument, .protocolViolation: .verification
    case .noTagOrDigest: .policy
    case .noSuchPlatform(_, _, let offered): offered.isEmpty ? .verification : .host
    default: .failed
    }
  }

  private static func list(_ names: [String]) -> String {
    let shown = names.sorted().prefix(10).map { String($0.prefix(60)) }
    return shown.joined(separator: ", ") + (names.count > shown.count ? " and \(names.count - shown.count) others" : "")
  }

  private static func quote(_ said: String?) -> String { said.map { " (the registry says: \($0))" } ?? "" }
}
