/// Public keys and the signatures they verify, over libcrypto. Whom a key belongs to and what is signed are the business of the floors above.
import CLibCrypto
import EnvCore

/// A key that verifies signatures. It cannot sign: private keys are refused wherever one is offered.
public struct PublicKey: Sendable, Hashable {
  /// What cosign makes and teams use; anything weaker or rarer is refused when the key is read.
  public enum Algorithm: Sendable, Hashable, CustomStringConvertible {
    case ecdsaP256
    case ecdsaP384
    case ed25519
    /// PKCS #1 v1.5 signatures (RFC 8017, section 8.2), which are what cosign makes with RSA keys.
    case rsa(bits: Int)

    public var description: String {
      switch self {
      case .ecdsaP256: "ECDSA P-256"
      case .ecdsaP384: "ECDSA P-384"
      case .ed25519: "Ed25519"
      case .rsa(let bits): "RSA \(bits)"
      }
    }
  }

  /// The shortest RSA modulus that is accepted, in bits (NIST SP 800-131A).
  public static let shortestRSAKey = 2048

  public let algorithm: Algorithm
  /// The key as a DER SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7).
  public let der: [UInt8]
  /// SHA-256 of `der`: what `openssl pkey -pubin -outform der | sha256sum` prints.
  public let fingerprint: Digest

  /// Reads the one public key of a PEM file (RFC 7468, section 13). `object` names the file in errors.
  ///
  /// - Throws: `SigningError`, one of its cases for a file that holds a private key.
  public init(pem: [UInt8], object: String) throws(SigningError) {
    try self.init(spki: PEMDocument.publicKey(in: pem, object: object), object: object)
  }

  /// Reads a DER SubjectPublicKeyInfo.
  init(spki: [UInt8], object: String) throws(SigningError) {
    guard let key = Self.load(spki) else { throw .malformedKey(object: object, reason: "its content is no SubjectPublicKeyInfo") }
    defer { EVP_PKEY_free(key) }
    algorithm = try Self.algorithm(of: key, object: object)
    guard let der = Self.encode(key) else { throw .malformedKey(object: object, reason: "libcrypto cannot write it") }
    self.der = der
    fingerprint = Self.sha256(der)
  }

  /// Whether `signature` was made over exactly these bytes with this key's private half.
  ///
  /// ECDSA signatures are in DER. The message is hashed with SHA-256, for P-384 also with SHA-384, which newer signers take; Ed25519 signs the
  /// message itself. A signature that cannot even be read is not one of this key.
  public func verify(signature: [UInt8], of message: [UInt8]) -> Bool {
    // The bytes were a key when they were read, so only exhausted memory gets past this guard.
    guard let key = Self.load(der) else { return false }
    defer { EVP_PKEY_free(key) }
    return hashes.contains { Self.verify(signature, message, key, $0) }
  }

  /// Nil stands for the algorithm's own hash.
  private var hashes: [OpaquePointer?] {
    switch algorithm {
    case .ecdsaP256, .rsa: [EVP_sha256()]
    case .ecdsaP384: [EVP_sha256(), EVP_sha384()]
    case .ed25519: [nil]
    }
  }

  private static func verify(_ signature: [UInt8], _ message: [UInt8], _ key: OpaquePointer, _ hash: OpaquePointer?) -> Bool {
    // What libcrypto has to say about a bad signature must not reach the next caller that asks it for errors.
    defer { ERR_clear_error() }
    guard let context = EVP_MD_CTX_new() else { return false }
    defer { EVP_MD_CTX_free(context) }
    guard EVP_DigestVerifyInit(context, nil, hash, nil, key) == 1 else { return false }
    // libcrypto only reads the bytes, and only during the call.
    return signature.withUnsafeBufferPointer { signature in
      message.withUnsafeBufferPointer { message in
        EVP_DigestVerify(context, signature.baseAddress, signature.count, message.baseAddress, message.count) == 1
      }
    }
  }

  private static func algorithm(of key: OpaquePointer, object: String) throws(SigningError) -> Algorithm {
    switch EVP_PKEY_get_base_id(key) {
    case EVP_PKEY_RSA:
      let bits = Int(EVP_PKEY_get_bits(key))
      guard bits >= shortestRSAKey else { throw .weakKey(object: object, bits: bits) }
      return .rsa(bits: bits)
    case EVP_PKEY_ED25519: return .ed25519
    case EVP_PKEY_EC:
      switch curve(of: key) {
      case "prime256v1": return .ecdsaP256
      case "secp384r1": return .ecdsaP384
      case let name: throw .unsupportedKey(object: object, algorithm: "ECDSA over \(name ?? "a curve without a name")")
      }
    default:
      let name = EVP_PKEY_get0_type_name(key).map { String(cString: $0) } ?? "an unknown algorithm"
      throw .unsupportedKey(object: object, algorithm: name)
    }
  }

  private static func curve(of key: OpaquePointer) -> String? {
    var name = [CChar](repeating: 0, count: 64)
    var length = 0
    guard EVP_PKEY_get_group_name(key, &name, name.count, &length) == 1 else { return nil }
    return String(decoding: name.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// The caller frees the result. Bytes after the key make it no key.
  private static func load(_ der: [UInt8]) -> OpaquePointer? {
    defer { ERR_clear_error() }
    // libcrypto moves its own copy of the pointer to the end of what it has read; the array outlives the call.
    return der.withUnsafeBufferPointer { bytes in
      var position = bytes.baseAddress
      guard let key = d2i_PUBKEY(nil, &position, bytes.count) else { return nil }
      guard let start = bytes.baseAddress, let end = position, end - start == bytes.count else {
        EVP_PKEY_free(key)
        return nil
      }
      return key
    }
  }

  private static func encode(_ key: OpaquePointer) -> [UInt8]? {
    let count = i2d_PUBKEY(key, nil)
    guard count > 0 else { return nil }
    // libcrypto was just asked how much it writes, and writes into memory of that size.
    return [UInt8](unsafeUninitializedCapacity: Int(count)) { buffer, written in
      var position = buffer.baseAddress
      written = Int(max(0, i2d_PUBKEY(key, &position)))
    }
  }

  private static func sha256(_ bytes: [UInt8]) -> Digest {
    var value = [UInt8](repeating: 0, count: 32)
    guard EVP_Digest(bytes, bytes.count, &value, nil, EVP_sha256(), nil) == 1 else { fatalError("libcrypto offers no SHA-256") }
    return Digest(sha256Bytes: value)
  }
}
