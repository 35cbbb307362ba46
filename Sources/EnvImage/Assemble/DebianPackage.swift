/// A `.deb` opened (deb(5)): its control data, and its files as archive entries. Where they go in an image is `DebianLayer`'s business.
import Archive
import EnvCore
import SafeFS
import SystemPackage

/// The control half of a package.
struct DebianControl: Sendable {
  /// The members of control.tar, `control` among them, in archive order.
  var members: [(name: String, permissions: UInt32, bytes: [UInt8])]
  var paragraph: ControlParagraph

  subscript(_ field: String) -> String { paragraph[field] ?? "" }

  /// The name dpkg's database files begin with: packages that may be there for several architectures carry theirs.
  var databaseName: String { self["Multi-Arch"] == "same" ? "\(self["Package"]):\(self["Architecture"])" : self["Package"] }
}

/// Reads one package front to back.
struct DebianPackage: ~Copyable {
  let control: DebianControl
  private let members: ArMembers
  private let object: String

  /// Opens the package and reads its control data, which must be of the package that `pin` names.
  init(_ path: FilePath, pin: RecipeLock.DebianPin) throws {
    let object = "\(pin.package) \(pin.version)"
    let members = try ArMembers(path, object: object)
    guard try members.next()?.name == "debian-binary", try members.readAll(limit: 64).starts(with: Array("2.".utf8)) else {
      throw ImageError.malformedPackage(object: object, reason: "it is no Debian package of format 2")
    }
    guard let member = try members.next(), member.name.hasPrefix("control.tar") else {
      throw ImageError.malformedPackage(object: object, reason: "control.tar is missing")
    }
    let control = try Self.readControl(members, object: object)
    let actual = "\(control["Package"]) \(control["Version"]) \(control["Architecture"])"
    let expected = "\(pin.package) \(pin.version) \(pin.architecture)"
    guard actual == expected else { throw ImageError.wrongPackage(object: pin.path, expected: expected, actual: actual) }
    self.object = object
    self.members = members
    self.control = control
  }

  private static func readControl(_ members: ArMembers, object: String) throws -> DebianControl {
    var reader = try ArchiveReader(format: .tar, filters: true, object: object, pull: members.read)
    var files: [(name: String, permissions: UInt32, bytes: [UInt8])] = []
    while let entry = try reader.next() {
      let path = try RelativePath(entry.path)
      guard entry.kind == .file, path.parent.isRoot else { continue }
      files.append((path.string, entry.permissions, try reader.readAll(limit: 16 << 20)))
    }
    guard let control = files.first(where: { $0.name == "control" }),
      let paragraph = ControlParagraph.parse(String(decoding: control.bytes, as: UTF8.self)).first
    else { throw ImageError.malformedPackage(object: object, reason: "it has no control file") }
    return DebianControl(members: files, paragraph: paragraph)
  }

  /// Calls `body` with a reader that stands before the package's first file.
  consuming func withFiles(_ body: (inout ArchiveReader) throws -> Void) throws {
    guard let member = try members.next(), member.name.hasPrefix("data.tar") else {
      throw ImageError.malformedPackage(object: object, reason: "data.tar is missing")
    }
    var reader = try ArchiveReader(format: .tar, filters: true, object: object, pull: members.read)
    try body(&reader)
  }
}

/// The members of an ar archive (ar(5), the common form without name tables), read in order from a file of any size.
private final class ArMembers {
  private let file: OwnedDescriptor
  private let object: String
  private var remaining: Int64 = 0
  private var isPadded = false

  init(_ path: FilePath, object: String) throws {
    file = try OwnedDescriptor.read(path)
    self.object = object
    guard try take(8) == Array("!<arch>\n".utf8) else { throw ImageError.malformedPackage(object: object, reason: "it is no ar archive") }
  }

  /// Goes to the next member; nil at the end of the archive.
  func next() throws -> (name: String, size: Int64)? {
    try skip(remaining + (isPadded ? 1 : 0))
    let header = try take(60)
    if header.isEmpty { return nil }
    let text = String(decoding: header, as: UTF8.self)
    guard header.count == 60, text.hasSuffix("`\n"), text.utf8.count == 60 else { throw truncated() }
    let size = Int64(text.dropFirst(48).prefix(10).prefix { $0 != " " })
    guard let size, size >= 0 else { throw ImageError.malformedPackage(object: object, reason: "an ar header has no size") }
    remaining = size
    isPadded = size % 2 == 1
    return (String(text.prefix(16).prefix { $0 != " " && $0 != "/" }), size)
  }

  /// Fills the span from the current member; 0 at the member's end.
  func read(into span: inout MutableRawSpan) throws -> Int {
    guard remaining > 0 else { return 0 }
    let count = try file.read(into: &span, atMost: Int(clamping: remaining))
    guard count > 0 else { throw truncated() }
    remaining -= Int64(count)
    return count
  }

  /// The whole of the current member.
  func readAll(limit: Int) throws -> [UInt8] {
    guard remaining <= Int64(limit) else { throw ImageError.malformedPackage(object: object, reason: "an ar member is too large") }
    let count = Int(remaining)
    remaining = 0
    let bytes = try take(count)
    guard bytes.count == count else { throw truncated() }
    return bytes
  }

  private func skip(_ count: Int64) throws {
    var left = count
    while left > 0 {
      let piece = try take(Int(min(left, 1 << 16)))
      // The padding byte of the last member may be missing.
      guard !piece.isEmpty || left == 1 else { throw truncated() }
      left -= Int64(max(piece.count, 1))
    }
    isPadded = false
  }

  private func take(_ count: Int) throws -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      var piece = [UInt8](repeating: 0, count: count - bytes.count)
      var span = piece.mutableSpan
      var raw = span.mutableBytes
      let read = try file.read(into: &raw)
      if read == 0 { break }
      bytes += piece.prefix(read)
    }
    return bytes
  }

  private func truncated() -> ImageError { .malformedPackage(object: object, reason: "it ends early") }
}
