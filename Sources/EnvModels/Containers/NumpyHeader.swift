/// The header of a .npy file (NEP 1 and numpy.lib.format): how long the array is, and whether it holds Python objects, which are a pickle.
import EnvCore

/// What the header says.
struct NumpyHeader: Equatable {
  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
  /// numpy itself reads no longer one unless told to.
  static let longest = 1 << 16

  /// Where the array's data begins, in bytes from the magic.
  let dataOffset: Int64
  /// Bytes of the data. Nil when the elements are objects, which are pickled, or of a type that is not understood and may hold some.
  let dataSize: Int64?

  /// - Throws: `LiteralFault`, or what the source throws.
  init(_ source: ByteSource) throws {
    let start = try source.bytes(at: 0, 12)
    guard start.count == 12, start.starts(with: Self.magic), (1...3).contains(start[6]) else {
      throw LiteralFault("it has no header of version 1 to 3")
    }
    let width = start[6] == 1 ? 2 : 4
    let length = start[8..<8 + width].reversed().reduce(0) { $0 << 8 | Int($1) }
    guard length <= Self.longest else { throw LiteralFault("its header is longer than \(Self.longest) bytes") }
    let text = try source.bytes(at: Int64(8 + width), length)
    guard text.count == length else { throw LiteralFault("it ends in its header") }
    dataOffset = Int64(8 + width + length)
    let fields = try PythonLiteral.parse(text).members
    guard Set(fields.keys) == ["descr", "fortran_order", "shape"], let type = fields["descr"], let shape = fields["shape"] else {
      throw LiteralFault("its header has other keys than descr, fortran_order and shape")
    }
    guard case .sequence = shape else { throw LiteralFault("its shape is not a tuple") }
    guard let itemSize = Self.itemSize(type, depth: 0) else {
      dataSize = nil
      return
    }
    guard let count = Self.product(shape), !count.multipliedReportingOverflow(by: itemSize).overflow else {
      throw LiteralFault("its shape is larger than any file")
    }
    dataSize = count * itemSize
  }

  /// Bytes of one element of a type: `<f4`, a pair of type and shape, or a list of fields (name, type[, shape]); nil where it may be one
  /// with objects.
  private static func itemSize(_ type: PythonLiteral, depth: Int) -> Int64? {
    guard depth < 16 else { return nil }
    switch type {
    case .string(let code): return itemSize(code)
    case .sequence(let parts):
      if parts.count == 2, case .string = parts[0], case .sequence = parts[1] { return array(of: parts[0], parts[1], depth) }
      var sum: Int64 = 0
      for part in parts {
        guard case .sequence(let field) = part, field.count == 2 || field.count == 3 else { return nil }
        guard let size = field.count == 3 ? array(of: field[1], field[2], depth) : itemSize(field[1], depth: depth + 1) else { return nil }
        guard !sum.addingReportingOverflow(size).overflow else { return nil }
        sum += size
      }
      return parts.isEmpty ? nil : sum
    case .mapping, .number, .other: return nil
    }
  }

  private static func array(of type: PythonLiteral, _ shape: PythonLiteral, _ depth: Int) -> Int64? {
    guard let size = itemSize(type, depth: depth + 1), let count = product(shape) else { return nil }
    let (bytes, overflow) = size.multipliedReportingOverflow(by: count)
    return overflow ? nil : bytes
  }

  /// The number of elements of a shape; nil when it is none, or too large for any file.
  private static func product(_ shape: PythonLiteral) -> Int64? {
    if case .number(let length) = shape { return length }
    guard case .sequence(let lengths) = shape else { return nil }
    var product: Int64 = 1
    for length in lengths {
      guard case .number(let length) = length, !product.multipliedReportingOverflow(by: length).overflow else { return nil }
      product *= length
    }
    return product
  }

  /// Bytes of one element of a type such as `<f8`, `|S10` or `<M8[ns]`; nil for any other.
  private static func itemSize(_ code: String) -> Int64? {
    var rest = Substring(code)
    if let first = rest.first, "<>|=".contains(first) { rest = rest.dropFirst() }
    guard let kind = rest.popFirst(), "biufcmMSUV?".contains(kind) else { return nil }
    let digits = rest.prefix { $0.isASCII && $0.isNumber }
    let unit = rest.dropFirst(digits.count)
    guard unit.isEmpty || ("mM".contains(kind) && unit.first == "[" && unit.last == "]") else { return nil }
    guard let size = digits.isEmpty ? (kind == "?" ? 1 : nil) : Int64(digits), size < 1 << 32 else { return nil }
    return kind == "U" ? size * 4 : size
  }
}

/// Why a header cannot be read.
struct LiteralFault: Error, Equatable {
  let reason: String
  init(_ reason: String) { self.reason = reason }
}

/// As much of Python's literals as numpy writes into headers. Escapes are refused: they could hide a type.
enum PythonLiteral: Equatable {
  case string(String)
  case number(Int64)
  /// A list or a tuple.
  case sequence([PythonLiteral])
  case mapping([String: PythonLiteral])
  /// True, False, None.
  case other

  static func parse(_ bytes: [UInt8]) throws -> PythonLiteral {
    guard let text = String(validating: bytes, as: UTF8.self) else { throw LiteralFault("its header is not UTF-8") }
    var parser = Parser(Array(text.unicodeScalars))
    let value = try parser.value(depth: 0)
    guard parser.peek() == nil else { throw LiteralFault("its header goes on after its end") }
    return value
  }

  var members: [String: PythonLiteral] { if case .mapping(let members) = self { members } else { [:] } }

  private struct Parser {
    private let text: [Unicode.Scalar]
    private var index = 0

    init(_ text: [Unicode.Scalar]) { self.text = text }

    mutating func peek() -> Unicode.Scalar? {
      while index < text.count, text[index].properties.isWhitespace { index += 1 }
      return index < text.count ? text[index] : nil
    }

    mutating func value(depth: Int) throws -> PythonLiteral {
      guard depth < 32, let first = peek() else { throw LiteralFault("its header is cut off or nested too deeply") }
      switch first {
      case "'", "\"": return .string(try string())
      case "(": return try sequence(closing: ")", depth)
      case "[": return try sequence(closing: "]", depth)
      case "{": return try mapping(depth)
      case "0"..."9": return try number()
      default: return try word()
      }
    }

    private mutating func string() throws -> String {
      let quote = text[index]
      var result = String.UnicodeScalarView()
      index += 1
      while index < text.count, text[index] != quote {
        guard text[index] != "\\", text[index] != "\n" else { throw LiteralFault("its header holds an escape") }
        result.append(text[index])
        index += 1
      }
      guard index < text.count else { throw LiteralFault("its header is cut off") }
      index += 1
      // Python joins strings that follow one another.
      if let next = peek(), next == "'" || next == "\"" { throw LiteralFault("its header holds joined strings") }
      return String(result)
    }

    private mutating func number() throws -> PythonLiteral {
      let start = index
      while index < text.count, ("0"..."9").contains(text[index]) { index += 1 }
      // Python 2 wrote an L behind long numbers.
      let digits = text[start..<index].reduce(into: "") { $0.unicodeScalars.append($1) }
      if index < text.count, text[index] == "L" { index += 1 }
      guard let value = Int64(digits) else { throw LiteralFault("its header holds a number out of range") }
      return .number(value)
    }

    private mutating func word() throws -> PythonLiteral {
      for word in ["True", "False", "None"] where text[index...].starts(with: word.unicodeScalars) {
        index += word.unicodeScalars.count
        return .other
      }
      throw LiteralFault("its header is no literal")
    }

    private mutating func sequence(closing: Unicode.Scalar, _ depth: Int) throws -> PythonLiteral {
      index += 1
      var items: [PythonLiteral] = []
      while let next = peek(), next != closing {
        items.append(try value(depth: depth + 1))
        try comma(before: closing)
      }
      try close()
      return .sequence(items)
    }

    private mutating func mapping(_ depth: Int) throws -> PythonLiteral {
      index += 1
      var members: [String: PythonLiteral] = [:]
      while let next = peek(), next != "}" {
        guard case .string(let key) = try value(depth: depth + 1), peek() == ":" else { throw LiteralFault("its header is no literal") }
        index += 1
        guard members.updateValue(try value(depth: depth + 1), forKey: key) == nil else {
          throw LiteralFault("its header names '\(key)' twice")
        }
        try comma(before: "}")
      }
      try close()
      return .mapping(members)
    }

    private mutating func comma(before closing: Unicode.Scalar) throws {
      if peek() == "," { index += 1 } else if peek() != closing { throw LiteralFault("its header is no literal") }
    }

    private mutating func close() throws {
      guard peek() != nil else { throw LiteralFault("its header is cut off") }
      index += 1
    }
  }
}
