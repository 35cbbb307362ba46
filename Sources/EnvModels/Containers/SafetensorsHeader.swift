/// The header of a safetensors file, held against its own rules and the file's size: every byte belongs to exactly one tensor.
import EnvCore

/// The tensors of a safetensors file (huggingface/safetensors, README "Format").
struct SafetensorsHeader: Equatable {
  struct Tensor: Equatable {
    let name: String
    let dtype: String
    let shape: [Int64]
    /// Bytes from the end of the header.
    let begin: Int64
    let end: Int64
  }

  /// The format's own limit, in bytes.
  static let longest: Int64 = 100_000_000

  /// In the order of the header.
  let tensors: [Tensor]

  /// Whether the file begins like one: a length that fits, and the brace of its JSON.
  static func begins(_ source: ByteSource) throws -> Bool {
    let start = try source.bytes(at: 0, 9)
    return try start.count == 9 && start[8] == UInt8(ascii: "{") && length(source) <= source.size - 8
  }

  private static func length(_ source: ByteSource) throws -> Int64 {
    let value = try source.bytes(at: 0, 8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    return Int64(clamping: value)
  }

  /// - Throws: `HeaderFault`, or what the source throws.
  init(_ source: ByteSource) throws {
    guard source.size >= 8 else { throw HeaderFault("it is shorter than the length of a header") }
    let length = try Self.length(source)
    guard length <= Self.longest else { throw HeaderFault("its header is longer than \(Self.longest) bytes") }
    guard length <= source.size - 8 else { throw HeaderFault("its header is longer than the file") }
    var json = HeaderJSON(try source.bytes(at: 8, Int(length)))
    tensors = try json.tensors()
    for tensor in tensors { try Self.checkSize(of: tensor) }
    var covered: Int64 = 0
    for tensor in tensors.sorted(by: { ($0.begin, $0.end) < ($1.begin, $1.end) }) {
      guard tensor.begin == covered else {
        throw HeaderFault("the tensor '\(tensor.name)' \(tensor.begin < covered ? "overlaps another" : "follows a gap")")
      }
      covered = tensor.end
    }
    guard covered == source.size - 8 - length else {
      throw HeaderFault("its tensors take \(covered) bytes, and \(source.size - 8 - length) follow the header")
    }
  }

  private static func checkSize(of tensor: Tensor) throws {
    guard let bits = bits[tensor.dtype] else { throw HeaderFault("the tensor '\(tensor.name)' has the unknown type '\(tensor.dtype)'") }
    var size = bits
    for length in tensor.shape {
      let (product, overflow) = size.multipliedReportingOverflow(by: length)
      guard !overflow else { throw HeaderFault("the shape of the tensor '\(tensor.name)' is larger than any file") }
      size = product
    }
    guard size.isMultiple(of: 8), tensor.end >= tensor.begin, size / 8 == tensor.end - tensor.begin else {
      throw HeaderFault("the tensor '\(tensor.name)' takes \(tensor.end - tensor.begin) bytes, its type and shape \(size / 8)")
    }
  }

  /// Bits of one element.
  private static let bits: [String: Int64] = [
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32,
    "U32": 32,
    "F32": 32, "F64": 64, "I64": 64, "U64": 64, "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
  ]
}

/// Why a header breaks its rules.
struct HeaderFault: Error, Equatable {
  let reason: String
  init(_ reason: String) { self.reason = reason }
}

/// The JSON of the header and nothing more general: JSON decoders let one of two equal keys win, each its own.
private struct HeaderJSON {
  private let bytes: [UInt8]
  private var index = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  mutating func tensors() throws -> [SafetensorsHeader.Tensor] {
    guard bytes.first == UInt8(ascii: "{") else { throw HeaderFault("its header does not begin with '{'") }
    var tensors: [SafetensorsHeader.Tensor] = []
    try members { parser, name in
      if name == "__metadata__" {
        try parser.members { parser, _ in _ = try parser.string() }
      } else {
        tensors.append(try parser.tensor(name))
      }
    }
    // The header may be padded with spaces, so that the data begins at a round place.
    guard bytes[index...].allSatisfy({ $0 == UInt8(ascii: " ") }) else { throw HeaderFault("its header goes on after its end") }
    return tensors
  }

  private mutating func tensor(_ name: String) throws -> SafetensorsHeader.Tensor {
    var (dtype, shape, offsets): (String?, [Int64]?, [Int64]?)
    try members { parser, key in
      switch key {
      case "dtype": dtype = try parser.string()
      case "shape": shape = try parser.numbers()
      case "data_offsets": offsets = try parser.numbers()
      default: throw HeaderFault("the tensor '\(name)' has the unknown key '\(key)'")
      }
    }
    guard let dtype, let shape, let offsets, offsets.count == 2 else {
      throw HeaderFault("the tensor '\(name)' lacks dtype, shape or its two data_offsets")
    }
    return SafetensorsHeader.Tensor(name: name, dtype: dtype, shape: shape, begin: offsets[0], end: offsets[1])
  }

  /// Reads an object; `body` reads each value.
  private mutating func members(_ body: (inout HeaderJSON, String) throws -> Void) throws {
    try expect("{")
    var seen: Set<String> = []
    if try accept("}") { return }
    repeat {
      let key = try string()
      guard seen.insert(key).inserted else { throw HeaderFault("its header names '\(key)' twice") }
      try expect(":")
      try body(&self, key)
    } while try accept(",")
    try expect("}")
  }

  private mutating func numbers() throws -> [Int64] {
    try expect("[")
    var numbers: [Int64] = []
    if try accept("]") { return numbers }
    repeat {
      try skipSpace()
      let start = index
      while index < bytes.count, (48...57).contains(bytes[index]) { index += 1 }
      let isPadded = index - start > 1 && bytes[start] == 48
      guard !isPadded, let number = Int64(String(decoding: bytes[start..<index], as: UTF8.self)) else {
        throw HeaderFault("its header has no whole number at byte \(start)")
      }
      // More dimensions than any tensor has.
      guard numbers.count < 64 else { throw HeaderFault("its header has a list of more than 64 numbers") }
      numbers.append(number)
    } while try accept(",")
    try expect("]")
    return numbers
  }

  private mutating func string() throws -> String {
    try expect("\"")
    var text: [UInt8] = []
    while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
      guard bytes[index] >= 0x20 else { throw HeaderFault("its header has a control character at byte \(index)") }
      if bytes[index] == UInt8(ascii: "\\") { text += try escape() } else { text.append(bytes[index]) }
      index += 1
    }
    guard index < bytes.count, let string = String(validating: text, as: UTF8.self) else {
      throw HeaderFault("its header has text that is cut off or not UTF-8")
    }
    index += 1
    return string
  }

  /// One escape of RFC 8259, section 7; `index` is left on its last byte.
  private mutating func escape() throws -> [UInt8] {
    index += 1
    let simple: [UInt8: UInt8] = [
      UInt8(ascii: "\""): 0x22, UInt8(ascii: "\\"): 0x5C, UInt8(ascii: "/"): 0x2F, UInt8(ascii: "b"): 8, UInt8(ascii: "f"): 12,
      UInt8(ascii: "n"): 10, UInt8(ascii: "r"): 13, UInt8(ascii: "t"): 9,
    ]
    guard index < bytes.count else { throw HeaderFault("its header is cut off") }
    if let byte = simple[bytes[index]] { return [byte] }
    guard bytes[index] == UInt8(ascii: "u") else { throw HeaderFault("its header has an unknown escape at byte \(index)") }
    var unit = try codeUnit()
    if (0xD800..<0xDC00).contains(unit) {
      guard index + 2 < bytes.count, bytes[index + 1] == UInt8(ascii: "\\"), bytes[index + 2] == UInt8(ascii: "u") else {
        throw HeaderFault("its header has half a surrogate pair at byte \(index)")
      }
      index += 2
      let low = try codeUnit()
      guard (0xDC00..<0xE000).contains(low) else { throw HeaderFault("its header has half a surrogate pair at byte \(index)") }
      unit = 0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00)
    }
    guard let scalar = Unicode.Scalar(unit) else { throw HeaderFault("its header has half a surrogate pair at byte \(index)") }
    return Array(String(scalar).utf8)
  }

  /// The four hexadecimal digits behind `index`.
  private mutating func codeUnit() throws -> UInt32 {
    guard index + 4 < bytes.count else { throw HeaderFault("its header is cut off") }
    let digits = bytes[index + 1...index + 4]
    let isHex = digits.allSatisfy { Character(Unicode.Scalar($0)).isHexDigit && $0 < 0x80 }
    guard isHex, let unit = UInt32(String(decoding: digits, as: UTF8.self), radix: 16) else {
      throw HeaderFault("its header has an unknown escape at byte \(index)")
    }
    index += 4
    return unit
  }

  private mutating func skipSpace() throws {
    while index < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[index]) { index += 1 }
    guard index < bytes.count else { throw HeaderFault("its header is cut off") }
  }

  private mutating func accept(_ character: Unicode.Scalar) throws -> Bool {
    try skipSpace()
    guard bytes[index] == UInt8(ascii: character) else { return false }
    index += 1
    return true
  }

  private mutating func expect(_ character: Unicode.Scalar) throws {
    guard try accept(character) else { throw HeaderFault("its header lacks '\(character)' at byte \(index)") }
  }
}
