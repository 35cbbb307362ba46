/// devcontainer.json: JSON with comments and trailing commas (containers.dev, "devcontainer.json reference").
import StrictYAML

enum DevcontainerReader {
  static func read(_ document: YAMLNode, _ yaml: YAMLSource, into collector: inout Collector) {
    if let image = document["image"] { collector.check(image: image, yaml, user: "devcontainer") }
    for key in ["onCreateCommand", "updateContentCommand", "postCreateCommand", "postStartCommand", "initializeCommand"] {
      guard let command = document[key] else { continue }
      for node in [command] + command.entries.map(\.value) where node.isScalar { collector.check(script: node, yaml, user: key) }
    }
  }

  /// The same number of bytes with comments and trailing commas blanked and without surrogates. Such JSON is YAML, whose parser knows
  /// places.
  static func plainJSON(_ bytes: [UInt8]) -> [UInt8] {
    var result = bytes
    var index = 0
    var lastComma: Int?
    while index < bytes.count {
      switch bytes[index] {
      case UInt8(ascii: "\""):
        lastComma = nil
        index += 1
        while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
          guard bytes[index] == UInt8(ascii: "\\") else {
            index += 1
            continue
          }
          replaceSurrogate(&result, at: index)
          index += 2
        }
      case UInt8(ascii: "/") where index + 1 < bytes.count && bytes[index + 1] == UInt8(ascii: "/"):
        while index < bytes.count, bytes[index] != 10 {
          result[index] = 32
          index += 1
        }
        continue
      case UInt8(ascii: "/") where index + 1 < bytes.count && bytes[index + 1] == UInt8(ascii: "*"):
        index = blankBlock(bytes, &result, from: index)
        continue
      case UInt8(ascii: ","): lastComma = index
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        if let comma = lastComma { result[comma] = 32 }
        lastComma = nil
      case 9: result[index] = 32  // YAML takes no tab for indentation.
      case 10, 13, 32: break
      default: lastComma = nil
      }
      index += 1
    }
    return result
  }

  /// Puts a character for private use in the place of an escaped surrogate: JSON writes larger characters as two of them (RFC 8259,
  /// section 7), YAML knows none. Each has its own, so that keys that differ stay so.
  private static func replaceSurrogate(_ bytes: inout [UInt8], at index: Int) {
    guard index + 3 < bytes.count, bytes[index + 1] == UInt8(ascii: "u"), bytes[index + 2] | 0x20 == UInt8(ascii: "d"),
      let digit = Character(UnicodeScalar(bytes[index + 3])).hexDigitValue, digit >= 8
    else { return }
    bytes[index + 2] = UInt8(ascii: "e")
    bytes[index + 3] = UInt8(ascii: "0") + UInt8(digit - 8)
  }

  private static func blankBlock(_ bytes: [UInt8], _ result: inout [UInt8], from start: Int) -> Int {
    let end = firstOffset(of: "*/", in: bytes, from: start + 2).map { $0 + 2 } ?? bytes.count
    // Line ends stay, so that lines keep their numbers; bytes of other characters become as many blanks, which shifts columns only there.
    for index in start..<end where bytes[index] != 10 { result[index] = 32 }
    return end
  }
}
