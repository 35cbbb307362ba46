/// The deflate stream of one zip member, inflated in memory. Which member that is, and how large it may be, is for the caller to say.
import EnvCore

/// Inflates a raw deflate stream (RFC 1951) whose plain size and CRC-32 are stated elsewhere, as a zip's directory does.
///
/// The stream is read as the gzip member it would be (RFC 1952), so that one inflater and its checks serve both.
/// - Parameter size: Bytes the plain content must have; nothing beyond them is kept.
/// - Throws: `CompressionError` when the stream is damaged, or its content has another size or CRC.
public func inflate(_ deflate: [UInt8], size: Int, crc32: UInt32, object: String) throws -> [UInt8] {
  let trailer = littleEndian(crc32) + littleEndian(UInt32(truncatingIfNeeded: size))
  // One byte more than there should be tells a longer stream.
  let plain = try inflate(gzip: header + deflate + trailer, atMost: size + 1, object: object)
  guard plain.count == size else { throw CompressionError.corrupt(object: object, reason: "it is not as long as stated") }
  return plain
}

/// The first `count` bytes, or fewer where there are no more, of a raw deflate stream of which only the beginning need be given.
///
/// - Throws: `CompressionError` when the stream is damaged, or what is given of it is too little.
public func inflate(beginning deflate: [UInt8], count: Int, object: String) throws -> [UInt8] {
  try inflate(gzip: header + deflate, atMost: count, object: object)
}

private let header: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255]

private func inflate(gzip member: [UInt8], atMost limit: Int, object: String) throws -> [UInt8] {
  var offset = 0
  let pull = try decompressing(.gzip, object: object) { span in
    let count = min(span.byteCount, member.count - offset)
    // The slice lies within `member`, which outlives the call.
    span.withUnsafeMutableBytes { $0.copyBytes(from: member[offset..<offset + count]) }
    offset += count
    return count
  }
  var plain: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 1 << 16)
  while plain.count < limit {
    var span = buffer.mutableSpan
    var bytes = span.mutableBytes
    let count = try pull(&bytes)
    if count == 0 { break }
    plain += buffer[..<min(count, limit - plain.count)]
  }
  return plain
}

private func littleEndian(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) } }
