/// The deflate stream of one zip member, inflated in memory. Which member that is, and how large it may be, is for the caller to say.
import EnvCore

/// Inflates a raw deflate stream (RFC 1951) whose plain size and CRC-32 are stated elsewhere, as a zip's directory does.
///
/// The stream is read as the gzip member it would be (RFC 1952), so that one inflater and its checks serve both.
/// - Parameter size: Bytes the plain content must have; nothing beyond them is kept.
/// - Throws: `CompressionError` when the stream is damaged, or its content has another size or CRC.
public func inflate(_ deflate: [UInt8], size: Int, crc32: UInt32, object: String) throws -> [UInt8] {
  let header: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255]
  let trailer = littleEndian(crc32) + littleEndian(UInt32(truncatingIfNeeded: size))
  let member = header + deflate + trailer
  var offset = 0
  let pull = try decompressing(.gzip, object: object) { span in
    let count = min(span.byteCount, member.count - offset)
    // The slice lies within `member`, which outlives the call.
    span.withUnsafeMutableBytes { $0.copyBytes(from: member[offset..<offset + count]) }
    offset += count
    return count
  }
  var plain: [UInt8] = []
  plain.reserveCapacity(size)
  var buffer = [UInt8](repeating: 0, count: 1 << 16)
  while true {
    var span = buffer.mutableSpan
    var bytes = span.mutableBytes
    let count = try pull(&bytes)
    if count == 0 { break }
    guard plain.count + count <= size else {
      throw CompressionError.corrupt(object: object, reason: "it is longer than stated")
    }
    plain += buffer[..<count]
  }
  guard plain.count == size else { throw CompressionError.corrupt(object: object, reason: "it is shorter than stated") }
  return plain
}

private func littleEndian(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }
