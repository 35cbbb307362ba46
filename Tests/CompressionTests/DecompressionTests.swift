/// Streams made by gzip and zstd themselves, taken apart at every kind of boundary.
import EnvCore
import SafeFS
import SystemPackage
import TestSupport
import Testing

@testable import Compression

/// `plain` compressed by the tool, with `options`.
func compressed(_ plain: [UInt8], by tool: String, _ options: String...) throws -> [UInt8] {
  try withTemporaryFolder { folder in
    let file = folder.appending("plain")
    try FileSystem.writeAtomically(plain, to: file)
    let output = try Tool.run(tool, options + ["-k", "-q", file.string])
    try #require(output.status == 0, "\(output.text)")
    return try FileSystem.readFile(folder.appending(tool == "gzip" ? "plain.gz" : "plain.zst"))
  }
}

/// Everything `bytes` decompresses to, read in pieces of `output` bytes from input that comes in pieces of `input` bytes.
func plain(_ bytes: [UInt8], _ compression: Compression, input: Int, output: Int) throws -> [UInt8] {
  let pull = try decompressing(compression, object: "test stream", pulling(bytes, piece: input))
  var result: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: output)
  while true {
    var array = buffer.mutableSpan
    var span = array.mutableBytes
    let count = try pull(&span)
    if count == 0 { return result }
    result.append(contentsOf: buffer[..<count])
  }
}

/// Text that compresses well, followed by bytes that do not.
func sample(_ count: Int) -> [UInt8] {
  var state: UInt64 = 42
  return (0..<count).map { index in
    guard index > count / 2 else { return UInt8(truncatingIfNeeded: index / 97 % 64 + 32) }
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return UInt8(truncatingIfNeeded: state >> 33)
  }
}

@Suite(.needs(.tool("gzip"), .tool("zstd"))) struct DecompressionTests {
  static let formats: [(Compression, String)] = [(.gzip, "gzip"), (.zstd, "zstd")]
  static let pieces = [(1, 1), (1, 7), (7, 1), (7, 1 << 18), (1 << 18, 1), (1 << 18, 1 << 18), (.max, 4096)]

  @Test(arguments: formats, pieces)
  func roundTrip(_ format: (Compression, String), _ piece: (Int, Int)) throws {
    for count in [0, 1, 100, 70_000] {
      let bytes = sample(count)
      let packed = try compressed(bytes, by: format.1)
      #expect(try plain(packed, format.0, input: piece.0, output: piece.1) == bytes, "\(count) bytes")
    }
  }

  @Test(arguments: formats)
  func large(_ format: (Compression, String)) throws {
    let bytes = sample(3 << 20)
    for level in ["-1", "-9"] {
      let packed = try compressed(bytes, by: format.1, level)
      #expect(try plain(packed, format.0, input: 1 << 18, output: 1 << 18) == bytes)
      #expect(try plain(packed, format.0, input: 4099, output: 65_521) == bytes)
    }
  }

  @Test("several members are one stream, wherever the buffers end", arguments: formats)
  func members(_ format: (Compression, String)) throws {
    let first = try compressed(sample(1000), by: format.1)
    let empty = try compressed([], by: format.1)
    let last = try compressed(sample(333), by: format.1)
    let packed = first + empty + last
    let expected = sample(1000) + sample(333)
    // Pieces of the first member's length make a member end where a buffer ends, one less and one more just beside it.
    for piece in [1, 2, 3, 8, first.count - 1, first.count, first.count + 1, first.count + empty.count, packed.count] {
      for output in [1, 999, 1000, 1001, 1 << 16] {
        #expect(try plain(packed, format.0, input: piece, output: output) == expected, "input \(piece), output \(output)")
      }
    }
  }

  @Test("a stream cut off anywhere is an error", arguments: formats)
  func truncated(_ format: (Compression, String)) throws {
    let bytes = sample(300)
    let packed = try compressed(bytes, by: format.1)
    for length in 0..<packed.count {
      for (input, output) in [(1, 1), (.max, 1 << 16), (.max, 1)] {
        #expect(throws: CompressionError.self, "cut at \(length) of \(packed.count)") {
          _ = try plain(Array(packed[..<length]), format.0, input: input, output: output)
        }
      }
    }
    // Behind a whole member too.
    for length in 1..<packed.count {
      #expect(throws: CompressionError.self) { _ = try plain(packed + packed[..<length], format.0, input: 5, output: 77) }
    }
  }

  @Test("a dynamic block header may be cut in two anywhere")
  func splitHeader() throws {
    // Text of few letters with skewed frequencies ends its code tables with repeat codes, whose extra bits are what gets cut off.
    for seed in 1...6 {
      let bytes = (0..<400).map { UInt8(truncatingIfNeeded: 97 + ($0 &* $0 &* seed) % (3 + seed % 17)) }
      let packed = try compressed(bytes, by: "gzip", "-9")
      for first in 1..<packed.count {
        var isFirst = true
        var offset = 0
        let pull = try decompressing(.gzip, object: "test stream") { span in
          let count = isFirst ? first : packed.count - offset
          isFirst = false
          span.withUnsafeMutableBytes { target in packed[offset..<(offset + count)].withUnsafeBytes { target.copyMemory(from: $0) } }
          offset += count
          return count
        }
        var buffer = [UInt8](repeating: 0, count: 1000)
        var result: [UInt8] = []
        while true {
          var array = buffer.mutableSpan
          var span = array.mutableBytes
          let count = try pull(&span)
          if count == 0 { break }
          result += buffer[..<count]
        }
        #expect(result == bytes, "seed \(seed), cut at \(first)")
      }
    }
  }

  @Test("what follows the stream must be a stream", arguments: formats)
  func garbage(_ format: (Compression, String)) throws {
    let packed = try compressed(sample(300), by: format.1)
    for tail in [[0], [0x1f], [0x1f, 0x8b], Array("garbage".utf8), [UInt8](repeating: 0, count: 512)] as [[UInt8]] {
      for input in [1, packed.count, .max] {
        #expect(throws: CompressionError.self, "\(tail.prefix(8))") { _ = try plain(packed + tail, format.0, input: input, output: 99) }
      }
    }
    #expect(throws: CompressionError.self) { _ = try plain(Array("not compressed at all".utf8), format.0, input: 4, output: 99) }
  }

  @Test("any changed byte of content, checksum or length is detected")
  func corruptGzip() throws {
    let bytes = sample(300)
    let packed = try compressed(bytes, by: "gzip", "-n")
    // The header's time, flags and system (bytes 4 to 9) say nothing about the content.
    for index in Array(0..<4) + Array(10..<packed.count) {
      for mask in [0x01, 0x80] as [UInt8] {
        var damaged = packed
        damaged[index] ^= mask
        for (input, output) in [(1, 1), (.max, 1 << 16)] {
          let result = try? plain(damaged, .gzip, input: input, output: output)
          // A flag bit may turn on an optional header field; what comes out then must still be refused or right.
          #expect(result == nil || result == bytes, "byte \(index) of \(packed.count)")
          if index >= packed.count - 8 { #expect(result == nil, "trailer byte \(packed.count - index) from the end") }
        }
      }
    }
  }

  @Test("a changed checksum of a zstd frame is detected")
  func corruptZstd() throws {
    let packed = try compressed(sample(300), by: "zstd", "--check")
    for index in (packed.count - 4)..<packed.count {
      var damaged = packed
      damaged[index] ^= 1
      #expect(throws: CompressionError.self) { _ = try plain(damaged, .zstd, input: 3, output: 50) }
    }
  }

  @Test("a header with name, comment, extra field and checksum is passed over")
  func fullHeader() throws {
    let packed = try compressed(sample(300), by: "gzip", "-n")
    // RFC 1952, section 2.3: FEXTRA, FNAME and FCOMMENT.
    let header: [UInt8] = [0x1f, 0x8b, 8, 0x1c, 0, 0, 0, 0, 0, 3, 4, 0, 1, 2, 3, 4] + Array("name\0comment\0".utf8)
    for input in [1, 5, .max] {
      #expect(try plain(header + packed[10...], .gzip, input: input, output: 64) == sample(300))
    }
  }

  @Test("an error of the source comes out unchanged")
  func sourceError() throws {
    let pull = try decompressing(.gzip, object: "test stream") { _ in throw Errno.ioError }
    var buffer = [UInt8](repeating: 0, count: 10)
    #expect(throws: Errno.ioError) {
      var array = buffer.mutableSpan
      var span = array.mutableBytes
      _ = try pull(&span)
    }
  }
}
