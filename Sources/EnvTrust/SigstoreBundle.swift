/// Sigstore bundles, version 0.3, that were made with a key: where they lie, what they hold and over which bytes they sign.
import EnvCore
import OCI
import Signing

/// The manifest that ties a bundle to an image (cosign specs/BUNDLE_SPEC.md; image-spec manifest.md, "subject").
struct BundleManifest: Decodable {
  static let mediaTypes: Set<String> = [
    "application/vnd.dev.sigstore.bundle.v0.3+json", "application/vnd.dev.sigstore.bundle+json;version=0.3",
  ]

  struct Config: Decodable { var mediaType: String? }
  var artifactType: String?
  var config: Config?
  var subject: Descriptor?
  var layers: [Descriptor]?

  /// Nil for a manifest of another kind, which is no concern of signatures.
  static func parse(_ bytes: [UInt8], about digest: Digest) throws(BrokenSignature) -> BundleManifest? {
    let manifest = try decode(BundleManifest.self, bytes, "a manifest that refers to the image")
    guard mediaTypes.contains(manifest.artifactType ?? manifest.config?.mediaType ?? "") else { return nil }
    guard manifest.subject?.digest == digest else {
      throw BrokenSignature("a bundle refers to \(manifest.subject.map { "\($0.digest)" } ?? "nothing"), not to \(digest)")
    }
    return manifest
  }

  /// The blob with the bundle.
  var bundle: Descriptor {
    get throws(BrokenSignature) {
      guard let layer = layers?.first, layers?.count == 1, Self.mediaTypes.contains(layer.mediaType.rawValue) else {
        throw BrokenSignature("a manifest of a bundle does not hold exactly one bundle")
      }
      return layer
    }
  }
}

/// A bundle (sigstore protobuf-specs, sigstore_bundle.proto, as JSON).
struct SigstoreBundle: Decodable {
  struct Material: Decodable {
    struct Presence: Decodable { init(from decoder: any Decoder) {} }
    var publicKey: Presence?
    var certificate: Presence?
    var x509CertificateChain: Presence?
  }
  struct MessageSignature: Decodable {
    struct MessageDigest: Decodable {
      var algorithm: String
      var digest: String
    }
    var messageDigest: MessageDigest?
    var signature: String
  }

  var mediaType: String
  var verificationMaterial: Material
  var messageSignature: MessageSignature?
  var dsseEnvelope: DSSEEnvelope?

  static func parse(_ bytes: [UInt8]) throws(BrokenSignature) -> SigstoreBundle {
    let bundle = try decode(SigstoreBundle.self, bytes, "a bundle")
    guard BundleManifest.mediaTypes.contains(bundle.mediaType) else { throw BrokenSignature("a bundle says it is '\(bundle.mediaType)'") }
    guard (bundle.messageSignature == nil) != (bundle.dsseEnvelope == nil) else {
      throw BrokenSignature("a bundle must hold either a message signature or an envelope")
    }
    return bundle
  }

  /// Whether the signer was known by a certificate and not by a key.
  var isKeyless: Bool { verificationMaterial.certificate != nil || verificationMaterial.x509CertificateChain != nil }
}

extension SigstoreBundle.MessageSignature {
  /// The signature over the image's manifest itself. The digest beside it is not proof, but one that contradicts it is a mistake.
  func signature(over digest: Digest) throws(BrokenSignature) -> [UInt8] {
    if let messageDigest {
      guard messageDigest.algorithm == "SHA2_256", let bytes = Base64.decode(messageDigest.digest), bytes.count == 32 else {
        throw BrokenSignature("the message digest of a bundle is no SHA-256")
      }
      guard Digest(sha256Bytes: bytes) == digest else {
        throw BrokenSignature("a bundle signs another document, \(Digest(sha256Bytes: bytes)), not \(digest)")
      }
    }
    guard let bytes = Base64.decode(signature) else { throw BrokenSignature("a signature is not base64") }
    return bytes
  }
}

/// A signed envelope (DSSE v1.0.2, envelope.md and protocol.md).
struct DSSEEnvelope: Decodable {
  struct Signature: Decodable { var sig: String }

  static let statementType = "application/vnd.in-toto+json"

  var payload: String
  var payloadType: String
  var signatures: [Signature]

  /// The payload, the bytes that are signed, and the signature.
  func open() throws(BrokenSignature) -> (payload: [UInt8], signed: [UInt8], signature: [UInt8]) {
    guard payloadType == Self.statementType else { throw BrokenSignature("an envelope holds a '\(payloadType)', not a statement") }
    guard let payload = Base64.decode(payload) else { throw BrokenSignature("the payload of an envelope is not base64") }
    guard let text = signatures.first?.sig, signatures.count == 1 else {
      throw BrokenSignature("an envelope has \(signatures.count) signatures, where a bundle has one")
    }
    guard let signature = Base64.decode(text) else { throw BrokenSignature("a signature is not base64") }
    return (payload, Self.preAuthenticationEncoding(type: payloadType, payload), signature)
  }

  /// PAE: type and payload with their lengths, so that no payload can pass for one of another type.
  static func preAuthenticationEncoding(type: String, _ payload: [UInt8]) -> [UInt8] {
    Array("DSSEv1 \(type.utf8.count) \(type) \(payload.count) ".utf8) + payload
  }
}

/// What an envelope says: an in-toto statement (in-toto attestation spec v1, statement.md).
struct InTotoStatement: Decodable {
  struct Subject: Decodable {
    var name: String?
    var digest: [String: String]
    var annotations: [String: SignedText]?
  }

  private static let types: Set<String> = ["https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"]
  /// The predicate by which cosign 3 says "I sign this image". Any other one only says something about it, and not always good.
  static let signPredicate = "https://sigstore.dev/cosign/sign/v1"

  var type: String
  var subject: [Subject]
  var predicateType: String

  enum CodingKeys: String, CodingKey {
    case type = "_type"
    case subject, predicateType
  }

  /// Reads a statement whose signature was verified before.
  static func parse(_ bytes: [UInt8]) throws(BrokenSignature) -> InTotoStatement {
    let statement = try decode(InTotoStatement.self, bytes, "a signed statement")
    guard types.contains(statement.type) else { throw BrokenSignature("a signed statement says it is a '\(statement.type)'") }
    return statement
  }

  /// The subject that is the image.
  func subject(_ digest: Digest) throws(BrokenSignature) -> Subject {
    if let found = subject.first(where: { $0.digest["sha256"] == digest.hex }) { return found }
    let others = subject.prefix(3).map { $0.digest.map { "\($0.key):\($0.value)" }.sorted().joined(separator: " ") }
    throw BrokenSignature("what is signed is another image, \(others.joined(separator: ", ")), not \(digest)")
  }
}
