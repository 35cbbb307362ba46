/// Takes a pickle stream apart into instructions. What they do to the machine is for `PickleMachine`.
import EnvCore

/// One instruction with its place and the part of its argument that matters to a scan.
struct PickleInstruction: Equatable {
  enum Argument: Equatable {
    case none
    case number(UInt64)
    /// Text as it is; nil where it is too long to name anything, escaped, or not UTF-8.
    case text(String?)
    case names(module: String, name: String)
  }

  let opcode: PickleOpcode
  /// Bytes from the beginning of the source.
  let offset: Int64
  let argument: Argument
}

/// Where a stream cannot be followed any further.
struct PickleFault: Error, Equatable {
  let offset: Int64
  let reason: String
  /// Whether every unpickler stops here too. Otherwise what follows may still be executed, and is unknown.
  let isCertain: Bool

  init(_ reason: String, at offset: Int64, isCertain: Bool = true) {
    self.reason = reason
    self.offset = offset
    self.isCertain = isCertain
  }
}

/// Reads instructions one after the other.
struct PickleReader {
  /// Longer text is no module and no name.
  static let longestName = 512

  private var cursor: ByteCursor

  init(_ source: ByteSource, at offset: Int64 = 0) { cursor = ByteCursor(source, at: offset) }

  /// Bytes from the beginning of the source.
  var offset: Int64 { cursor.offset }
  var remaining: Int64 { cursor.remaining }

  /// - Throws: `PickleFault`, or what the source throws.
  mutating func next() throws -> PickleInstruction {
    let start = cursor.offset
    guard let byte = try cursor.next() else { throw PickleFault("it ends without STOP", at: start) }
    guard let opcode = PickleOpcode(rawValue: byte) else {
      throw PickleFault("0x\(String(byte, radix: 16)) is no opcode", at: start)
    }
    return PickleInstruction(opcode: opcode, offset: start, argument: try argument(of: opcode, at: start))
  }

  private mutating func argument(of opcode: PickleOpcode, at start: Int64) throws -> PickleInstruction.Argument {
    switch opcode.argument {
    case .none: return .none
    case .number(let width): return .number(try number(width, at: start))
    case .fixed(let count):
      guard cursor.skip(Int64(count)) else { throw truncated(start) }
      return .none
    case .decimalLine: return .number(try decimal(try line(at: start), at: start))
    case .line:
      _ = try line(at: start)
      return .none
    case .quotedLine: return .text(Self.unquoted(try line(at: start)))
    case .escapedLine: return .text(Self.plain(try line(at: start)))
    case .twoLines: return .names(module: try name(at: start), name: try name(at: start))
    case .text(let width, let isSigned): return .text(try text(width, isSigned, at: start))
    case .bytes(let width, let isSigned):
      guard cursor.skip(try length(width, isSigned, at: start)) else { throw truncated(start) }
      return .none
    }
  }

  private func truncated(_ start: Int64) -> PickleFault { PickleFault("it ends in the middle of an opcode's argument", at: start) }

  private mutating func number(_ width: Int, at start: Int64) throws -> UInt64 {
    guard let bytes = try cursor.take(width) else { throw truncated(start) }
    return bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  private mutating func length(_ width: Int, _ isSigned: Bool, at start: Int64) throws -> Int64 {
    let value = try number(width, at: start)
    guard value <= UInt64(Int64.max), !isSigned || value < 1 << 31 else { throw PickleFault("a length is negative", at: start) }
    return Int64(value)
  }

  private mutating func text(_ width: Int, _ isSigned: Bool, at start: Int64) throws -> String? {
    let count = try length(width, isSigned, at: start)
    guard count <= Int64(Self.longestName) else {
      guard cursor.skip(count) else { throw truncated(start) }
      return nil
    }
    guard let bytes = try cursor.take(Int(count)) else { throw truncated(start) }
    return String(validating: bytes, as: UTF8.self)
  }

  private mutating func line(at start: Int64) throws -> (bytes: [UInt8], isWhole: Bool) {
    guard let line = try cursor.line(keeping: Self.longestName) else { throw truncated(start) }
    return line
  }

  private mutating func name(at start: Int64) throws -> String {
    let line = try line(at: start)
    guard line.isWhole else {
      throw PickleFault("a name is longer than \(Self.longestName) bytes", at: start, isCertain: false)
    }
    guard let name = String(validating: line.bytes, as: UTF8.self) else { throw PickleFault("a name is not UTF-8", at: start) }
    return name
  }

  /// The number of a memo entry. Python's int() takes more forms than digits alone; a stream that uses them is not followed.
  private func decimal(_ line: (bytes: [UInt8], isWhole: Bool), at start: Int64) throws -> UInt64 {
    guard line.isWhole, !line.bytes.isEmpty, line.bytes.allSatisfy({ (48...57).contains($0) }),
      let value = UInt64(String(decoding: line.bytes, as: UTF8.self))
    else { throw PickleFault("the number of a memo entry is not written in digits", at: start, isCertain: false) }
    return value
  }

  /// The content of a quoted line; nil when it is escaped or no name.
  private static func unquoted(_ line: (bytes: [UInt8], isWhole: Bool)) -> String? {
    guard line.isWhole, line.bytes.count >= 2, let quote = line.bytes.first, quote == line.bytes.last,
      quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"")
    else { return nil }
    return plain((Array(line.bytes.dropFirst().dropLast()), true))
  }

  private static func plain(_ line: (bytes: [UInt8], isWhole: Bool)) -> String? {
    guard line.isWhole, line.bytes.allSatisfy({ $0 < 0x80 && $0 != UInt8(ascii: "\\") }) else { return nil }
    return String(decoding: line.bytes, as: UTF8.self)
  }
}
