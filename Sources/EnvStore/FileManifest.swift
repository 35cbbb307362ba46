/// The list of files of an unpacked layer, in the mtree(5) format of BSD, which other people's tools read too.
import EnvCore
import SafeFS

/// One file of a tree.
public struct FileRecord: Sendable, Equatable {
  /// Path below the root; empty for the root itself.
  public var path: String
  public var kind: FileStatus.Kind
  public var permissions: UInt32
  public var uid: UInt32
  public var gid: UInt32
  /// Bytes of a regular file; 0 otherwise.
  public var size: Int64
  /// Nanoseconds since the epoch.
  public var modified: Int64
  public var linkCount: Int
  /// Digest of a regular file's content.
  public var digest: Digest?
  /// Where a symbolic link points.
  public var linkTarget: String?
  /// `major,minor` of a device node.
  public var device: String?
  /// Extended attributes; the value in lowercase hex.
  public var extendedAttributes: [String: String]
}

/// Reading and writing of records, one a line.
public struct FileManifest: Sendable {
  public var records: [FileRecord]

  public init(records: [FileRecord]) { self.records = records }

  /// The manifest as text: `#mtree`, then a line for each file in the order of the records.
  public var bytes: [UInt8] { records.reduce(into: Self.header) { Self.append($1, to: &$0) } }

  /// What the text begins with.
  static let header = Array("#mtree\n".utf8)

  /// Adds the line of one record to the text.
  static func append(_ record: FileRecord, to bytes: inout [UInt8]) {
    bytes.append(contentsOf: record.line.utf8)
    bytes.append(UInt8(ascii: "\n"))
  }

  /// Reads what `bytes` writes; nil when anything in it is not understood.
  public init?(_ bytes: [UInt8]) {
    let lines = bytes.split(separator: UInt8(ascii: "\n"))
    guard lines.first.map({ String(decoding: $0, as: UTF8.self) }) == "#mtree" else { return nil }
    records = []
    records.reserveCapacity(lines.count - 1)
    for line in lines.dropFirst() {
      guard let record = FileRecord(line: String(decoding: line, as: UTF8.self)) else { return nil }
      records.append(record)
    }
  }
}

extension FileRecord {
  fileprivate var line: String {
    var fields = [MtreeText.encode(path.isEmpty ? "." : "./" + path), "type=" + kind.mtreeName]
    fields.append("mode=0" + String(permissions, radix: 8))
    fields.append("uid=\(uid)")
    fields.append("gid=\(gid)")
    fields.append("nlink=\(linkCount)")
    if kind == .file { fields.append("size=\(size)") }
    fields.append("time=\(modified.mtreeTime)")
    if let digest { fields.append("sha256digest=" + digest.hex) }
    if let linkTarget { fields.append("link=" + MtreeText.encode(linkTarget)) }
    if let device { fields.append("device=native," + device) }
    for (key, value) in extendedAttributes.sorted(by: { $0.key < $1.key }) { fields.append("xattr." + MtreeText.encode(key) + "=" + value) }
    return fields.joined(separator: " ")
  }

  fileprivate init?(line: String) {
    let fields = line.split(separator: " ")
    guard let first = fields.first, let path = MtreeText.decode(first) else { return nil }
    self.init(
      path: path == "." ? "" : String(path.dropFirst(2)), kind: .file, permissions: 0, uid: 0, gid: 0, size: 0, modified: 0, linkCount: 1,
      digest: nil, linkTarget: nil, device: nil, extendedAttributes: [:])
    for field in fields.dropFirst() {
      guard let equals = field.firstIndex(of: "=") else { return nil }
      guard read(key: field[..<equals], value: field[field.index(after: equals)...]) else { return nil }
    }
  }

  private mutating func read(key: Substring, value: Substring) -> Bool {
    switch key {
    case "type": return set(\.kind, FileStatus.Kind(mtreeName: value))
    case "mode": return set(\.permissions, UInt32(value, radix: 8))
    case "uid": return set(\.uid, UInt32(value))
    case "gid": return set(\.gid, UInt32(value))
    case "nlink": return set(\.linkCount, Int(value))
    case "size": return set(\.size, Int64(value))
    case "time": return set(\.modified, Int64(mtreeTime: value))
    case "sha256digest":
      digest = try? Digest(hex: value)
      return digest != nil
    case "link":
      linkTarget = MtreeText.decode(value)
      return linkTarget != nil
    case "device":
      device = String(value.dropFirst("native,".count))
      return true
    default:
      guard key.hasPrefix("xattr."), let name = MtreeText.decode(key.dropFirst(6)) else { return false }
      extendedAttributes[name] = String(value)
      return true
    }
  }

  private mutating func set<Value>(_ field: WritableKeyPath<FileRecord, Value>, _ value: Value?) -> Bool {
    guard let value else { return false }
    self[keyPath: field] = value
    return true
  }
}

extension FileStatus.Kind {
  fileprivate static let mtreeNames: [(FileStatus.Kind, String)] = [
    (.file, "file"), (.directory, "dir"), (.symlink, "link"), (.characterDevice, "char"), (.blockDevice, "block"), (.fifo, "fifo"),
    (.socket, "socket"),
  ]

  /// The word mtree(5) has for the kind.
  public var mtreeName: String { Self.mtreeNames.first { $0.0 == self }?.1 ?? "file" }

  fileprivate init?(mtreeName: Substring) {
    guard let kind = Self.mtreeNames.first(where: { $0.1 == mtreeName })?.0 else { return nil }
    self = kind
  }
}

extension Int64 {
  /// Nanoseconds as mtree's `seconds.nanoseconds`.
  fileprivate var mtreeTime: String {
    let (seconds, rest) = quotientAndRemainder(dividingBy: 1_000_000_000)
    let digits = String(rest.magnitude)
    return "\(self < 0 && seconds == 0 ? "-" : "")\(seconds)." + String(repeating: "0", count: 9 - digits.count) + digits
  }

  fileprivate init?(mtreeTime text: Substring) {
    let parts = text.split(separator: ".")
    guard parts.count == 2, let seconds = Int64(parts[0]), let rest = UInt32(parts[1]), parts[1].utf8.count == 9 else { return nil }
    let (whole, isTooLong) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, isTooFar) = whole.addingReportingOverflow(text.hasPrefix("-") ? -Int64(rest) : Int64(rest))
    guard !isTooLong, !isTooFar else { return nil }
    self = sum
  }
}

/// vis(3)-style octal escapes for everything that could be mistaken for structure.
private enum MtreeText {
  static func encode(_ text: String) -> String {
    if text.utf8.allSatisfy(isPlain) { return text }
    return text.utf8.map { byte in
      if isPlain(byte) { return String(UnicodeScalar(byte)) }
      let octal = String(byte, radix: 8)
      return "\\" + String(repeating: "0", count: 3 - octal.count) + octal
    }.joined()
  }

  static func decode(_ text: Substring) -> String? {
    guard text.utf8.contains(UInt8(ascii: "\\")) else { return String(text) }
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "\\") else {
        bytes.append(byte)
        continue
      }
      guard rest.count >= 3, let value = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8) else { return nil }
      bytes.append(value)
      rest = rest.dropFirst(3)
    }
    return String(validating: bytes, as: UTF8.self)
  }

  private static func isPlain(_ byte: UInt8) -> Bool {
    byte > 32 && byte < 127 && byte != UInt8(ascii: "\\") && byte != UInt8(ascii: "=") && byte != UInt8(ascii: "#")
  }
}
