/// Why an image is not trusted, or a policy cannot be used.
import EnvCore
import SystemPackage

/// An error of policies and signatures. Whatever means that nobody trusted vouches for an image ends with the status for verification.
public enum TrustError: Diagnostic {
  // The policy
  case malformedPattern(String, reason: String, underlying: (any Error)?)
  case unreadablePolicy(file: FilePath, underlying: any Error)
  case unusableKey(place: String, underlying: any Error)
  // The image
  case missing(image: String, demandedBy: String)
  /// Signatures of the image are there, and none was made by a key that counts.
  case foreignKey(image: String, demandedBy: String, signatures: Int, keys: [String])
  case broken(image: String, demandedBy: String, reason: String)
  /// A valid signature that does not say what the rule wants said.
  case lackingAnnotation(image: String, demandedBy: String, name: String, expected: String, actual: String?)
  /// Signed in a way that cannot be checked with a key alone.
  case unsupported(image: String, demandedBy: String, reason: String)

  public var summary: String {
    switch self {
    case .malformedPattern(let text, let reason, _): "'\(text)' is no pattern of images: \(reason)"
    case .unreadablePolicy(let file, _): "the policy '\(file)' cannot be read"
    case .unusableKey(let place, _): "\(place): the key cannot be used"
    case .missing(let image, let rule): "'\(image)' is not signed, and \(rule) demands a signature"
    case .foreignKey(let image, let rule, let count, let keys):
      "'\(image)' has \(count) signature\(count == 1 ? "" : "s"), none of them by a key that \(rule) names: \(keys.joined(separator: ", "))"
    case .broken(let image, let rule, let reason): "no signature of '\(image)' is what \(rule) demands: \(reason)"
    case .lackingAnnotation(let image, let rule, let name, let expected, let actual):
      "the signature of '\(image)' says \(actual.map { "\(name)=\($0)" } ?? "nothing about '\(name)'"), and \(rule) demands \(name)=\(expected)"
    case .unsupported(let image, let rule, let reason): "the signature of '\(image)' cannot be checked, and \(rule) demands one: \(reason)"
    }
  }

  public var cause: (any Error)? {
    switch self {
    case .malformedPattern(_, _, let underlying): underlying
    case .unreadablePolicy(_, let underlying), .unusableKey(_, let underlying): underlying
    default: nil
    }
  }

  public var hint: String? {
    switch self {
    case .malformedPattern: "patterns are REGISTRY/PATH, REGISTRY/PATH/*, REGISTRY/PATH/**, oci:FOLDER, oci:FOLDER/** and **"
    case .missing: "sign it with `cosign sign --key FILE REFERENCE@DIGEST`, or ask whoever publishes it"
    case .foreignKey: "whoever signs with another key must be added to the rule by somebody who knows that key to be right"
    case .unsupported: "a signature made with a key (`cosign sign --key`) can be checked without the signer's certificate authority"
    default: nil
    }
  }

  public var exitCode: ExitCode {
    switch self {
    case .malformedPattern, .unreadablePolicy, .unusableKey: .usage
    case .missing, .foreignKey, .broken, .lackingAnnotation, .unsupported: .verification
    }
  }
}
