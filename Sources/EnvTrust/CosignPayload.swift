/// The signed documents of cosign's first layout: a tag, a manifest, one payload a layer (cosign specs/SIGNATURE_SPEC.md).
import EnvCore
import OCI
import Signing

/// One signature of the image `sha256-<hex>.sig`: a layer and its annotations.
struct CosignLayer {
  static let mediaType = MediaType(rawValue: "application/vnd.dev.cosign.simplesigning.v1+json")
  private static let signatureAnnotation = "dev.cosignproject.cosign/signature"
  private static let certificateAnnotation = "dev.sigstore.cosign/certificate"

  let descriptor: Descriptor

  /// The tag under which the signatures of `digest` lie.
  static func tag(for digest: Digest) -> String { "sha256-\(digest.hex).sig" }

  /// The signatures a manifest under that tag holds.
  static func layers(_ bytes: [UInt8]) throws(BrokenSignature) -> [CosignLayer] {
    guard bytes.count <= SignatureLimits.manifest else {
      throw BrokenSignature("the manifest of the signatures is longer than \(SignatureLimits.manifest >> 20) MiB")
    }
    do {
      let manifest = try ImageManifest.parse(bytes, object: "the manifest of the signatures")
      return manifest.layers.filter { $0.mediaType == mediaType }.map(CosignLayer.init)
    } catch {
      throw BrokenSignature(DiagnosticChain(error).summaries.joined(separator: ": "))
    }
  }

  /// Whether the signer was known by a certificate and not by a key.
  var isKeyless: Bool { descriptor.annotations?[Self.certificateAnnotation]?.isEmpty == false }

  /// The signature over the payload.
  var signature: [UInt8] {
    get throws(BrokenSignature) {
      guard let text = descriptor.annotations?[Self.signatureAnnotation] else {
        throw BrokenSignature("a payload has no signature beside it")
      }
      guard let bytes = Base64.decode(text) else { throw BrokenSignature("a signature is not base64") }
      return bytes
    }
  }
}

/// What such a signature signs: the "simple signing" document of containers/image (docs/containers-signature.5).
struct CosignPayload: Decodable {
  struct Critical: Decodable {
    struct Identity: Decodable {
      var reference: String?
      enum CodingKeys: String, CodingKey { case reference = "docker-reference" }
    }
    struct Image: Decodable {
      var digest: Digest
      enum CodingKeys: String, CodingKey { case digest = "docker-manifest-digest" }
    }
    var identity: Identity?
    var image: Image
    var type: String
  }

  static let type = "cosign container image signature"

  var critical: Critical
  /// What the signer added (`cosign sign -a`).
  var optional: [String: SignedText]?

  /// Reads a payload whose signature was verified before, and what it says about `digest`.
  static func parse(_ bytes: [UInt8], signing digest: Digest) throws(BrokenSignature) -> CosignPayload {
    let payload = try decode(CosignPayload.self, bytes, "a signed payload")
    guard payload.critical.type == type else { throw BrokenSignature("what is signed is a '\(payload.critical.type)', not a '\(type)'") }
    guard payload.critical.image.digest == digest else {
      throw BrokenSignature("what is signed is another image, \(payload.critical.image.digest), not \(digest)")
    }
    return payload
  }
}

/// A value of a signed document of which only texts can be demanded.
struct SignedText: Decodable {
  let text: String?
  init(from decoder: any Decoder) { text = try? decoder.singleValueContainer().decode(String.self) }
}

/// Decodes a document of a signature; `what` names it.
func decode<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8], _ what: String) throws(BrokenSignature) -> Value {
  do {
    return try CanonicalJSON.decode(type, from: bytes, object: what)
  } catch {
    throw BrokenSignature(error.summary)
  }
}
