/// Why a file cannot serve as a key.
import EnvCore

/// An error of reading a key. That a signature does not verify is an answer and no error.
public enum SigningError: Diagnostic, Equatable {
  case malformedKey(object: String, reason: String)
  /// The file holds a secret that has no business where public keys are read.
  case privateKey(object: String, label: String)
  case weakKey(object: String, bits: Int)
  case unsupportedKey(object: String, algorithm: String)

  public var summary: String {
    switch self {
    case .malformedKey(let object, let reason): "\(object) is not a public key: \(reason)"
    case .privateKey(let object, let label): "\(object) holds a private key (\(label)), where the public key belongs"
    case .weakKey(let object, let bits): "\(object) is an RSA key of \(bits) bits; fewer than \(PublicKey.shortestRSAKey) prove nothing"
    case .unsupportedKey(let object, let algorithm):
      "\(object) is a key for \(algorithm); ECDSA over P-256 or P-384, Ed25519 and RSA are supported"
    }
  }

  public var hint: String? {
    switch self {
    case .malformedKey: "a public key is a PEM file that begins with -----BEGIN PUBLIC KEY-----, such as cosign.pub"
    case .privateKey:
      "write out its public half: `cosign public-key --key FILE` or `openssl pkey -in FILE -pubout`; keep the private one elsewhere"
    case .weakKey, .unsupportedKey: nil
    }
  }

  public var exitCode: ExitCode { .usage }
}
