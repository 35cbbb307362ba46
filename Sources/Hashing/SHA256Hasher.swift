/// SHA-256 over libcrypto, which uses the processor's SHA instructions where it has them; two messages at once where that is faster.
import CSHA256
import EnvCore

/// A running SHA-256 computation (FIPS 180-4).
public struct SHA256Hasher: ~Copyable {
  private var state = SHA256_CTX()

  public init() { csha256_init(&state) }

  /// Adds bytes to the message.
  public mutating func update(_ bytes: RawSpan) {
    // libcrypto only reads the bytes, and only during the call.
    bytes.withUnsafeBytes { csha256_update(&state, $0.baseAddress, $0.count) }
  }

  public mutating func update(_ bytes: [UInt8]) { update(bytes.span.bytes) }

  /// Adds bytes to two messages, side by side as far as both go.
  ///
  /// On processors with SHA instructions this takes little more time than one of them: the instructions of one message wait for each other,
  /// those of two do not.
  public static func update(
    _ first: inout SHA256Hasher, _ firstBytes: RawSpan, _ second: inout SHA256Hasher, _ secondBytes: RawSpan
  ) {
    let count = min(firstBytes.byteCount, secondBytes.byteCount)
    firstBytes.withUnsafeBytes { one in
      secondBytes.withUnsafeBytes { two in csha256_update_two(&first.state, one.baseAddress, &second.state, two.baseAddress, count) }
    }
    first.update(firstBytes.extracting(droppingFirst: count))
    second.update(secondBytes.extracting(droppingFirst: count))
  }

  /// The digest of all bytes added.
  public consuming func finish() -> Digest {
    var value = [UInt8](repeating: 0, count: 32)
    csha256_final(&state, &value)
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
