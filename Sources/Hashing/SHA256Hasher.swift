/// SHA-256 over libcrypto, which uses the processor's SHA instructions where it has them.
import CLibCrypto
import EnvCore

/// A running SHA-256 computation (FIPS 180-4).
public struct SHA256Hasher: ~Copyable {
  private let context: OpaquePointer

  public init() {
    guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
      // Only exhausted memory or a libcrypto without SHA-256 gets here; neither can be worked around.
      fatalError("libcrypto offers no SHA-256")
    }
    self.context = context
  }

  deinit { EVP_MD_CTX_free(context) }

  /// Adds bytes to the message.
  public mutating func update(_ bytes: RawSpan) {
    // libcrypto only reads the bytes, and only during the call.
    bytes.withUnsafeBytes { _ = EVP_DigestUpdate(context, $0.baseAddress, $0.count) }
  }

  public mutating func update(_ bytes: [UInt8]) { update(bytes.span.bytes) }

  /// The digest of all bytes added.
  public consuming func finish() -> Digest {
    var value = [UInt8](repeating: 0, count: 32)
    value.withUnsafeMutableBufferPointer { _ = EVP_DigestFinal_ex(context, $0.baseAddress, nil) }
    return Digest(sha256Bytes: value)
  }
}

extension Digest {
  /// The SHA-256 digest of a document held in memory.
  public static func sha256(of bytes: [UInt8]) -> Digest {
    var hasher = SHA256Hasher()
    hasher.update(bytes)
    return hasher.finish()
  }
}
