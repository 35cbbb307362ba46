/// Bytes of JSON that one program reads as this and another as that. Which values the bytes hold is the decoder's to say.

/// The keys of a JSON document, by which programs differ: of a key that stands twice one takes the first and one the last (RFC 8259, section 4),
/// and Go's encoding/json, with which registries and runtimes read, takes `Layers` for `layers`.
struct JSONKeys {
  /// An object or an array that is open at this point of the document.
  private struct Level {
    var isObject: Bool
    /// Maps of people's own names are read by everybody as they stand.
    var isMapOfNames: Bool
    var keys: [ArraySlice<UInt8>] = []
    /// The key whose value comes next; empty before one.
    var key: ArraySlice<UInt8> = []
    var expectsKey: Bool
  }

  /// As deep as Foundation's decoder goes. Each level takes memory, and a document may consist of brackets alone.
  private static let deepest = 512

  private let bytes: [UInt8]
  private let ignoresCase: Bool

  init(_ bytes: [UInt8], ignoringCase: Bool) {
    self.bytes = bytes
    ignoresCase = ignoringCase
  }

  /// What is wrong with the text as a whole or with a key; nil when programs can but agree. Whether it is JSON at all is not looked at.
  var ambiguity: String? {
    guard String(validating: bytes, as: UTF8.self) != nil, !bytes.contains(0) else { return "it is not UTF-8" }
    guard !bytes.starts(with: [0xEF, 0xBB, 0xBF]) else { return "it begins with a byte order mark" }
    return repeatedKey.map { "the key '\($0.prefix(100))' stands in it twice" + (ignoresCase ? ", but for case at most" : "") }
  }

  private var repeatedKey: String? {
    var levels: [Level] = []
    var index = 0
    while index < bytes.count {
      let byte = bytes[index]
      switch byte {
      case UInt8(ascii: "\""):
        let end = endOfString(from: index + 1)
        if let level = levels.last, level.isObject, level.expectsKey {
          let key = Self.unescaped(bytes[(index + 1)..<end])
          levels[levels.count - 1].key = key
          levels[levels.count - 1].keys.append(key)
          levels[levels.count - 1].expectsKey = false
        }
        index = end
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        let isMapOfNames = levels.last.map { $0.isObject && Self.isMapOfNames($0.key) } ?? false
        let isObject = byte == UInt8(ascii: "{")
        // The decoder will refuse it.
        guard levels.count < Self.deepest else { return nil }
        levels.append(Level(isObject: isObject, isMapOfNames: isMapOfNames, expectsKey: isObject))
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        if let level = levels.popLast(), let key = firstRepeated(level) { return String(decoding: key, as: UTF8.self) }
      case UInt8(ascii: ","):
        if let level = levels.last, level.isObject { levels[levels.count - 1].expectsKey = true }
      default: break
      }
      index += 1
    }
    return nil
  }

  /// The index of the closing quotation mark, or the end of the bytes.
  private func endOfString(from start: Int) -> Int {
    var index = start
    while index < bytes.count, bytes[index] != UInt8(ascii: "\"") { index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1 }
    return min(index, bytes.count)
  }

  private func firstRepeated(_ level: Level) -> ArraySlice<UInt8>? {
    guard level.keys.count > 1 else { return nil }
    let isFolded = ignoresCase && !level.isMapOfNames
    let sorted = (isFolded ? level.keys.map { ArraySlice($0.map(Self.lowercased)) } : level.keys)
      .sorted { $0.lexicographicallyPrecedes($1) }
    return zip(sorted, sorted.dropFirst()).first { $0 == $1 }?.0
  }

  private static func lowercased(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }

  /// image-spec annotations.md, config.md.
  private static func isMapOfNames(_ key: ArraySlice<UInt8>) -> Bool {
    ["annotations", "labels"].contains { key.map(lowercased).elementsEqual($0.utf8) }
  }

  /// The bytes a key stands for. An escape that is none is left as it is: the decoder will refuse it.
  private static func unescaped(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    guard text.contains(UInt8(ascii: "\\")) else { return text }
    var units: [UInt16] = []
    var rest = Array(String(decoding: text, as: UTF8.self).utf16)[...]
    let simple: [UInt16: UInt16] = [0x62: 0x08, 0x66: 0x0C, 0x6E: 0x0A, 0x72: 0x0D, 0x74: 0x09]
    while let unit = rest.popFirst() {
      guard unit == 0x5C, let escape = rest.popFirst() else {
        units.append(unit)
        continue
      }
      let digits = String(decoding: rest.prefix(4), as: UTF16.self)
      if escape == 0x75, let value = UInt16(digits, radix: 16) {
        units.append(value)
        rest = rest.dropFirst(4)
      } else {
        units.append(simple[escape] ?? escape)
      }
    }
    return ArraySlice(String(decoding: units, as: UTF16.self).utf8)
  }
}
