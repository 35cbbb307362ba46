/// Small packages made in code: Debian packages and wheels, right ones and wrong ones.
import Archive
import EnvCore
import EnvStore
import Glibc
import Hashing
import SafeFS
import SystemPackage

@testable import EnvImage

/// A folder that goes away with its owner.
final class TemporaryFolder {
  let path: FilePath

  init() throws {
    path = FilePath("/tmp").appending("envctl-image-tests." + FileSystem.uniqueSuffix())
    try FileSystem.createDirectories(path)
  }

  deinit { try? FileSystem.removeTree(path) }

  @discardableResult
  func write(_ name: String, _ bytes: [UInt8], mode: UInt32 = 0o644) throws -> FilePath {
    let file = path.appending(name)
    try FileSystem.createDirectories(file.removingLastComponent())
    try FileSystem.writeAtomically(bytes, to: file, mode: mode)
    return file
  }
}

func makeTar(_ entries: [(entry: ArchiveEntry, content: [UInt8])]) throws -> [UInt8] {
  final class Collected { var bytes: [UInt8] = [] }
  let collected = Collected()
  var tar = TarWriter { span in span.withUnsafeBytes { collected.bytes.append(contentsOf: $0) } }
  for (entry, content) in entries {
    var entry = entry
    entry.size = Int64(content.count)
    try tar.append(entry)
    if !content.isEmpty { try tar.write(content) }
  }
  try tar.finish()
  return collected.bytes
}

/// A Debian binary package.
struct DebBuilder {
  var package: String
  var version = "1.0-1"
  var architecture = "all"
  var extraFields = ""
  var files: [(entry: ArchiveEntry, content: [UInt8])] = []

  mutating func folder(_ path: String, _ permissions: UInt32 = 0o755) {
    files.append((ArchiveEntry(path: "./" + path, kind: .directory, permissions: permissions), []))
  }

  mutating func file(_ path: String, _ text: String, _ permissions: UInt32 = 0o644, modified: Int64 = 0) {
    files.append((ArchiveEntry(path: "./" + path, kind: .file, permissions: permissions, modified: modified), Array(text.utf8)))
  }

  mutating func link(_ path: String, to target: String) {
    files.append((ArchiveEntry(path: "./" + path, kind: .symlink(target: target), permissions: 0o777), []))
  }

  func build() throws -> [UInt8] {
    let control = "Package: \(package)\nVersion: \(version)\nArchitecture: \(architecture)\n\(extraFields)Description: made for a test\n"
    let controlTar = try makeTar([(ArchiveEntry(path: "./control", kind: .file, permissions: 0o644), Array(control.utf8))])
    var bytes = Array("!<arch>\n".utf8)
    for (name, content) in [("debian-binary", Array("2.0\n".utf8)), ("control.tar", controlTar), ("data.tar", try makeTar(files))] {
      func field(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: width - text.count) }
      let header =
        field(name, 16) + field("0", 12) + field("0", 6) + field("0", 6) + field("100644", 8) + field("\(content.count)", 10) + "`\n"
      bytes += Array(header.utf8) + content + (content.count % 2 == 1 ? [10] : [])
    }
    return bytes
  }

  func pin(_ bytes: [UInt8], layer: String = "base") -> RecipeLock.DebianPin {
    RecipeLock.DebianPin(
      package: package, version: version, architecture: architecture, size: Int64(bytes.count), sha256: .sha256(of: bytes),
      path: "pool/main/\(package)_\(version)_\(architecture).deb", layer: layer)
  }
}

/// A wheel.
struct WheelBuilder {
  var name: String
  var version = "1.0"
  var files: [(path: String, content: [UInt8], permissions: UInt32)] = []
  var entryPoints: String?
  var requirements: [String] = []
  /// Rows to use in place of the right ones.
  var recordOverride: [String: String] = [:]
  var recordOmits: Set<String> = []

  var filename: String { "\(name)-\(version)-py3-none-any.whl" }
  private var distInfo: String { "\(name)-\(version).dist-info" }

  mutating func file(_ path: String, _ text: String, _ permissions: UInt32 = 0o644) { files.append((path, Array(text.utf8), permissions)) }

  func build() -> [UInt8] {
    let metadata = "Metadata-Version: 2.1\nName: \(name)\nVersion: \(version)\n" + requirements.map { "Requires-Dist: \($0)\n" }.joined()
    var all = files
    all.append(("\(distInfo)/WHEEL", Array("Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n".utf8), 0o644))
    all.append(("\(distInfo)/METADATA", Array(metadata.utf8), 0o644))
    if let entryPoints { all.append(("\(distInfo)/entry_points.txt", Array(entryPoints.utf8), 0o644)) }
    let rows = all.filter { !recordOmits.contains($0.path) }.map { file in
      recordOverride[file.path] ?? CommaSeparated.line([file.path, Digest.sha256(of: file.content).recordText, "\(file.content.count)"])
    }
    all.append(("\(distInfo)/RECORD", Array((rows + ["\(distInfo)/RECORD,,"]).joined(separator: "\r\n").utf8), 0o644))
    return ZipBuilder.build(all)
  }

  func pin(_ bytes: [UInt8]) -> RecipeLock.WheelPin {
    RecipeLock.WheelPin(
      project: normalizedProject(name), version: version, filename: filename, size: Int64(bytes.count), sha256: .sha256(of: bytes))
  }
}

/// A zip archive of stored members (APPNOTE 6.3, sections 4.3.7, 4.3.12 and 4.3.16).
enum ZipBuilder {
  static func build(_ files: [(path: String, content: [UInt8], permissions: UInt32)]) -> [UInt8] {
    var body: [UInt8] = []
    var directory: [UInt8] = []
    for (path, content, permissions) in files {
      let offset = body.count
      let name = Array(path.utf8)
      let checksum = UInt64(crc32(content))
      let size = UInt64(content.count)
      let length = UInt64(name.count)
      // Version, flags (UTF-8 names), method, time, date (1980-01-01), CRC, sizes, name length, extra length.
      let common = little([(20, 2), (0x800, 2), (0, 2), (0, 2), (0x21, 2), (checksum, 4), (size, 4), (size, 4), (length, 2), (0, 2)])
      body += little([(0x0403_4b50, 4)]) + common + name + content
      directory += little([(0x0201_4b50, 4), (0x0314, 2)]) + common
      directory += little([(0, 2), (0, 2), (0, 2), (UInt64(0o100000 | permissions) << 16, 4), (UInt64(offset), 4)]) + name
    }
    let count = UInt64(files.count)
    let end = little([(0x0605_4b50, 4), (0, 4), (count, 2), (count, 2), (UInt64(directory.count), 4), (UInt64(body.count), 4), (0, 2)])
    return body + directory + end
  }

  /// Values with their width in bytes, least significant byte first.
  private static func little(_ fields: [(value: UInt64, width: Int)]) -> [UInt8] {
    var bytes: [UInt8] = []
    for field in fields {
      for index in 0..<field.width { bytes.append(UInt8(truncatingIfNeeded: field.value >> UInt64(8 * index))) }
    }
    return bytes
  }

  private static func crc32(_ bytes: [UInt8]) -> UInt32 {
    var crc = ~UInt32(0)
    for byte in bytes {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? (crc >> 1) ^ 0xedb8_8320 : crc >> 1 }
    }
    return ~crc
  }
}

/// A layer built in memory and read back.
struct BuiltLayer {
  var entries: [ArchiveEntry] = []
  var contents: [String: [UInt8]] = [:]
  var bytes: [UInt8] = []
  var inventory = LayerInventory()

  init(created: Timestamp = Timestamp(secondsSinceEpoch: 1000), _ body: (inout LayerBuilder) throws -> Void) throws {
    var collected: [UInt8] = []
    inventory = try LayerBuilder.build(created: created, sink: { span in span.withUnsafeBytes { collected.append(contentsOf: $0) } }, body)
    bytes = collected
    let folder = try TemporaryFolder()
    let file = try folder.write("layer.tar", collected)
    var reader = try ArchiveReader(opening: file.string, format: .tar)
    while let entry = try reader.next() {
      entries.append(entry)
      if entry.kind == .file { contents[entry.path] = try reader.readAll(limit: 1 << 20) }
    }
  }

  var paths: [String] { entries.map(\.path) }
  func text(_ path: String) -> String? { contents[path].map { String(decoding: $0, as: UTF8.self) } }
  func entry(_ path: String) -> ArchiveEntry? { entries.first { $0.path == path || $0.path == path + "/" } }
}
