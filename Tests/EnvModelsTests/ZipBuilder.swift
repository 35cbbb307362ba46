/// Zip archives made byte by byte, sound ones and others.
import EnvCore

/// One member as it is to be written.
struct ZipItem {
  var name: String
  var content: [UInt8]
  var method = 0
  /// What the local header says instead.
  var localName: String?
  var flags = 0
  var statedSize: Int?
}

/// The archive of these members, stored; with `zip64`, sizes and places stand in the wider fields alone.
///
/// `prefix` comes before it, `gap` before the second member, `comment` at the end.
func zip(_ items: [ZipItem], prefix: [UInt8] = [], gap: [UInt8] = [], comment: [UInt8] = [], zip64: Bool = false) -> [UInt8] {
  var bytes = prefix
  var directory: [UInt8] = []
  for (index, item) in items.enumerated() {
    if index == 1 { bytes += gap }
    let offset = bytes.count - prefix.count
    let name = Array((item.localName ?? item.name).utf8)
    let size = item.statedSize ?? item.content.count
    let common: [UInt8] =
      .number(20, 2) + .number(item.flags, 2) + .number(item.method, 2) + .number(0, 4) + .number(crc32(item.content), 4)
      + .number(item.content.count, 4) + .number(size, 4)
    bytes += .number(0x0403_4B50, 4) + common + .number(name.count, 2) + .number(0, 2) + name + item.content
    directory += .number(0x0201_4B50, 4) + .number(20, 2)
    directory += zip64 ? common.dropLast(8) + .number(UInt64.max, 8) : common
    directory += .number(item.name.utf8.count, 2) + .number(zip64 ? 28 : 0, 2) + [UInt8](repeating: 0, count: 10)
    directory += .number(zip64 ? Int(UInt32.max) : offset, 4) + Array(item.name.utf8)
    if zip64 { directory += .number(1, 2) + .number(24, 2) + .number(size, 8) + .number(item.content.count, 8) + .number(offset, 8) }
  }
  let start = bytes.count - prefix.count
  bytes += directory
  if zip64 {
    let end = bytes.count
    bytes += .number(0x0606_4B50, 4) + .number(44, 8) + .number(45, 2) + .number(45, 2) + .number(0, 4) + .number(0, 4)
    bytes += .number(items.count, 8) + .number(items.count, 8) + .number(directory.count, 8) + .number(start, 8)
    bytes += .number(0x0706_4B50, 4) + .number(0, 4) + .number(end, 8) + .number(1, 4)
  }
  bytes += .number(0x0605_4B50, 4) + .number(0, 4) + .number(items.count, 2) + .number(items.count, 2)
  return bytes + .number(directory.count, 4) + .number(start, 4) + .number(comment.count, 2) + comment
}

func crc32(_ bytes: [UInt8]) -> UInt32 {
  ~bytes.reduce(~0) { crc, byte in
    (0..<8).reduce(crc ^ UInt32(byte)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
  }
}
