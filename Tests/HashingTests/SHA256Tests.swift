/// SHA-256 against the values of FIPS 180-4 and another program.
import EnvCore
import TestSupport
import Testing

@testable import Hashing

@Suite struct SHA256Tests {
  // NIST, "SHA-256 Examples": the empty message, one block, two blocks.
  static let known: [(String, String)] = [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
  ]

  @Test(arguments: known) func examples(_ message: String, _ hex: String) {
    #expect(Digest.sha256(of: Array(message.utf8)).hex == hex)
  }

  @Test("pieces of any size give the digest of the whole", arguments: [1, 3, 63, 64, 65, 1000]) func pieces(_ size: Int) {
    let message = (0..<10_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    var hasher = SHA256Hasher()
    var start = 0
    while start < message.count {
      hasher.update(Array(message[start..<min(start + size, message.count)]))
      start += size
    }
    #expect(hasher.finish() == Digest.sha256(of: message))
  }

  @Test("two messages side by side give the digests each has alone, whatever their blocks are in the middle of")
  func sideBySide() {
    let message = (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 13 &+ $0 / 200) }
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<500 {
      var first = SHA256Hasher()
      var second = SHA256Hasher()
      var (firstBytes, secondBytes): ([UInt8], [UInt8]) = ([], [])
      for _ in 0..<4 {
        let one = Array(message[..<Int.random(in: 0...message.count, using: &generator)])
        let two = Array(message[Int.random(in: 0...message.count, using: &generator)...])
        let alone = Array(message[..<Int.random(in: 0...130, using: &generator)])
        SHA256Hasher.update(&first, one.span.bytes, &second, two.span.bytes)
        first.update(alone)
        firstBytes += one + alone
        secondBytes += two
      }
      #expect(first.finish() == Digest.sha256(of: firstBytes))
      #expect(second.finish() == Digest.sha256(of: secondBytes))
    }
  }
}
