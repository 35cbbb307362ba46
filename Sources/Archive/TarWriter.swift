/// The canonical tar writer: its bytes depend on the entries alone, so the digest of a layer does too.
///
/// libarchive is not used for writing, because the bytes it writes have changed between versions; ours may not.
import EnvCore

/// Writes POSIX.1-2017 ustar headers, and pax extended headers only for what ustar cannot say (pax, "ustar Interchange Format").
///
/// Owner and group names stay empty and whole seconds are written, because neither belongs to an image's identity.
public struct TarWriter: ~Copyable {
  private let sink: (RawSpan) throws -> Void
  private var remaining: Int64 = 0
  private var current: (path: String, size: Int64) = ("", 0)

  /// `sink` receives the archive's bytes in order.
  public init(_ sink: @escaping (RawSpan) throws -> Void) { self.sink = sink }

  /// Begins an entry. Content of `entry.size` bytes follows through `write`.
  public mutating func append(_ entry: ArchiveEntry) throws {
    try endEntry()
    var records = entry.extendedAttributes.map { PaxRecord(key: "SCHILY.xattr." + $0.key, value: $0.value) }
    let path = entry.kind == .directory && !entry.path.hasSuffix("/") ? entry.path + "/" : entry.path
    let split = UstarName(path)
    if split == nil { records.append(PaxRecord(key: "path", value: Array(path.utf8))) }
    if entry.linkTarget.utf8.count > 100 || !entry.linkTarget.utf8.allSatisfy({ $0 < 128 }) {
      records.append(PaxRecord(key: "linkpath", value: Array(entry.linkTarget.utf8)))
    }
    for (key, value, limit) in [
      ("uid", Int64(entry.uid), Int64(1) << 21), ("gid", Int64(entry.gid), 1 << 21), ("size", entry.size, 1 << 33),
      ("mtime", entry.modified / 1_000_000_000, 1 << 33),
    ]
    where value >= limit {
      records.append(PaxRecord(key: key, value: Array(String(value).utf8)))
    }
    let device = entry.deviceNumbers
    guard max(device.major, device.minor) < 1 << 21 else {
      throw ArchiveError.invalidNumber(object: "the archive", path: entry.path, what: "the device numbers \(device.major):\(device.minor)")
    }
    if !records.isEmpty { try writePaxHeader(records) }
    try emit(UstarHeader(entry, name: split ?? UstarName.placeholder).bytes)
    remaining = entry.size
    current = (entry.path, entry.size)
  }

  /// Adds content to the entry begun last.
  public mutating func write(_ bytes: RawSpan) throws {
    remaining -= Int64(bytes.byteCount)
    guard remaining >= 0 else {
      throw ArchiveError.sizeMismatch(path: current.path, expected: current.size, actual: current.size - remaining)
    }
    try sink(bytes)
  }

  public mutating func write(_ bytes: [UInt8]) throws { try write(bytes.span.bytes) }

  /// Ends the archive with two zero blocks. Nothing is written after it.
  public consuming func finish() throws {
    try endEntry()
    try emit([UInt8](repeating: 0, count: 1024))
  }

  private mutating func endEntry() throws {
    guard remaining == 0 else {
      throw ArchiveError.sizeMismatch(path: current.path, expected: current.size, actual: current.size - remaining)
    }
    try pad(current.size)
    current = ("", 0)
  }

  private func writePaxHeader(_ records: [PaxRecord]) throws {
    // Sorted by the bytes of the key: a dictionary's order changes from run to run.
    let body = records.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.flatMap(\.bytes)
    try emit(UstarHeader(paxHeaderOfSize: Int64(body.count)).bytes)
    try emit(body)
    try pad(Int64(body.count))
  }

  private func pad(_ size: Int64) throws {
    let over = Int(size % 512)
    if over > 0 { try emit([UInt8](repeating: 0, count: 512 - over)) }
  }

  private func emit(_ bytes: [UInt8]) throws { try sink(bytes.span.bytes) }
}

/// One record of a pax extended header: its own length in decimal, a space, `key=value`, a newline.
private struct PaxRecord {
  let key: String
  let value: [UInt8]

  var bytes: [UInt8] {
    let rest = [UInt8(ascii: " ")] + Array(key.utf8) + [UInt8(ascii: "=")] + value + [UInt8(ascii: "\n")]
    var length = rest.count
    // The length counts its own digits, which may push it over a power of ten.
    while String(length).utf8.count + rest.count != length { length = String(length).utf8.count + rest.count }
    return Array(String(length).utf8) + rest
  }
}

/// A path split into ustar's name (100 bytes) and prefix (155 bytes).
private struct UstarName {
  let name: [UInt8]
  let prefix: [UInt8]

  /// Stands in the header when a pax record carries the real path.
  static let placeholder = UstarName(name: Array("PaxPath".utf8), prefix: [])

  private init(name: [UInt8], prefix: [UInt8]) {
    self.name = name
    self.prefix = prefix
  }

  /// Nil when the path does not fit or is not ASCII.
  init?(_ path: String) {
    let bytes = Array(path.utf8)
    guard bytes.allSatisfy({ $0 < 128 }) else { return nil }
    guard bytes.count > 100 else {
      self.init(name: bytes, prefix: [])
      return
    }
    // The first slash that leaves a short enough name; it stands in neither part, and the name must not be empty.
    let earliest = bytes.count - 101
    guard earliest <= 155,
      let slash = bytes.indices[max(earliest, 1)..<(bytes.count - 1)].first(where: { bytes[$0] == UInt8(ascii: "/") }), slash <= 155
    else { return nil }
    self.init(name: Array(bytes[(slash + 1)...]), prefix: Array(bytes[..<slash]))
  }
}

/// The 512 bytes of a ustar header block.
private struct UstarHeader {
  private(set) var bytes = [UInt8](repeating: 0, count: 512)

  init(_ entry: ArchiveEntry, name: UstarName) {
    put(name.name, at: 0)
    put(octal: Int64(entry.permissions & 0o7777), at: 100, width: 8)
    put(octal: entry.uid < 1 << 21 ? Int64(entry.uid) : 0, at: 108, width: 8)
    put(octal: entry.gid < 1 << 21 ? Int64(entry.gid) : 0, at: 116, width: 8)
    put(octal: entry.size < 1 << 33 ? entry.size : 0, at: 124, width: 12)
    let seconds = max(0, entry.modified / 1_000_000_000)
    put(octal: seconds < 1 << 33 ? seconds : 0, at: 136, width: 12)
    bytes[156] = entry.typeFlag
    let target = Array(entry.linkTarget.utf8)
    if target.count <= 100, target.allSatisfy({ $0 < 128 }) { put(target, at: 157) }
    let device = entry.deviceNumbers
    put(octal: Int64(device.major), at: 329, width: 8)
    put(octal: Int64(device.minor), at: 337, width: 8)
    put(name.prefix, at: 345)
    seal()
  }

  init(paxHeaderOfSize size: Int64) {
    put(Array("PaxHeader".utf8), at: 0)
    put(octal: 0o644, at: 100, width: 8)
    for field in [108, 116] { put(octal: 0, at: field, width: 8) }
    put(octal: size, at: 124, width: 12)
    put(octal: 0, at: 136, width: 12)
    bytes[156] = UInt8(ascii: "x")
    seal()
  }

  private mutating func put(_ text: [UInt8], at offset: Int) { bytes.replaceSubrange(offset..<(offset + text.count), with: text) }

  private mutating func put(octal value: Int64, at offset: Int, width: Int) {
    let digits = Array(String(value, radix: 8).utf8)
    put([UInt8](repeating: UInt8(ascii: "0"), count: width - 1 - digits.count) + digits, at: offset)
  }

  /// Writes magic, version and checksum; the checksum is taken with its own field as spaces.
  private mutating func seal() {
    put(Array("ustar".utf8), at: 257)
    put(Array("00".utf8), at: 263)
    put([UInt8](repeating: UInt8(ascii: " "), count: 8), at: 148)
    let sum = bytes.reduce(Int64(0)) { $0 + Int64($1) }
    put(octal: sum, at: 148, width: 7)
    bytes[154] = 0
    bytes[155] = UInt8(ascii: " ")
  }
}

extension ArchiveEntry {
  fileprivate var linkTarget: String {
    switch kind {
    case .symlink(let target), .hardlink(let target): target
    default: ""
    }
  }

  fileprivate var typeFlag: UInt8 {
    switch kind {
    case .file: UInt8(ascii: "0")
    case .hardlink: UInt8(ascii: "1")
    case .symlink: UInt8(ascii: "2")
    case .characterDevice: UInt8(ascii: "3")
    case .blockDevice: UInt8(ascii: "4")
    case .directory: UInt8(ascii: "5")
    case .fifo: UInt8(ascii: "6")
    }
  }

  fileprivate var deviceNumbers: (major: UInt32, minor: UInt32) {
    switch kind {
    case .characterDevice(let major, let minor), .blockDevice(let major, let minor): (major, minor)
    default: (0, 0)
    }
  }
}
