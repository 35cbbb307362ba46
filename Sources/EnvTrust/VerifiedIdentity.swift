/// What a verified signature says, for the lock and for people.
import EnvCore

/// A key has signed a digest.
public struct VerifiedIdentity: Sendable, Codable, Hashable {
  /// How the signature was laid out.
  public enum Kind: String, Sendable, Codable {
    /// cosign's tag `sha256-<hex>.sig` with signed payloads (cosign specs/SIGNATURE_SPEC.md).
    case cosignV1 = "cosign-v1"
    /// A Sigstore bundle that refers to the image (cosign specs/BUNDLE_SPEC.md).
    case sigstoreBundle = "sigstore-bundle"
  }

  public let kind: Kind
  /// Fingerprint of the public key: SHA-256 of its DER SubjectPublicKeyInfo.
  public let key: Digest
  /// The index or manifest that is signed.
  public let digest: Digest
  /// The name the signer knew the image by. Signed, yet no proof of where the image came from.
  public let reference: String?

  public init(kind: Kind, key: Digest, digest: Digest, reference: String?) {
    self.kind = kind
    self.key = key
    self.digest = digest
    self.reference = reference
  }
}
