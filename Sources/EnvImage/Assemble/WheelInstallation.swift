/// Wheels → files of a layer, as pip would install them for the system's Python (binary distribution format, "Installing a wheel").
/// Nothing is compiled or run.
import Archive
import EnvCore
import SafeFS
import SystemPackage

/// Where Debian's Python looks for what its package manager did not install (Debian Python policy, section 2.5).
struct PythonLayout: Sendable {
  /// Such as `3.11`.
  var version: String

  var interpreter: String { "/usr/bin/python" + version }
  var packages: String { "usr/local/lib/python\(version)/dist-packages" }
  var scripts: String { "usr/local/bin" }

  /// The folder of a scheme under `<name>.data`; nil for one that wheels do not have.
  func folder(of scheme: some StringProtocol, project: String) -> String? {
    switch scheme {
    case "purelib", "platlib": packages
    case "scripts": scripts
    case "headers": "usr/local/include/python\(version)/\(project)"
    case "data": "usr/local"
    default: nil
    }
  }
}

/// A wheel together with the file it is in.
struct LocatedWheel: Sendable {
  var pin: RecipeLock.WheelPin
  var path: FilePath
}

/// Installs one wheel into a layer.
struct WheelInstallation {
  private let wheel: LocatedWheel
  private let layout: PythonLayout
  private let metadata: WheelMetadata
  private let origin: String
  /// The rows of the installed RECORD, by path relative to the packages' folder.
  private var installed: [(path: String, digest: String, size: String)] = []

  init(_ wheel: LocatedWheel, layout: PythonLayout) throws {
    self.wheel = wheel
    self.layout = layout
    self.origin = wheel.pin.filename
    metadata = try WheelMetadata.read(wheel.path, filename: wheel.pin.filename)
  }

  /// Writes the wheel's files in its own order, then the commands, INSTALLER and RECORD.
  mutating func write(to layer: inout LayerBuilder) throws {
    var missing = Set(metadata.record.keys)
    var reader = try ArchiveReader(opening: wheel.path.string, format: .zip, object: origin)
    while let entry = try reader.next() {
      let path = try checkedPath(entry)
      missing.remove(path.string)
      // Folders come with their files; what pip would write itself is written below.
      guard entry.kind == .file, !metadata.isExemptFromRecord(path.string) else { continue }
      try copy(entry, path: path, from: &reader, to: &layer)
    }
    if let path = missing.sorted().first {
      throw ImageError.malformedPackage(object: origin, reason: "it lacks '\(path)', which its RECORD lists")
    }
    for point in metadata.consoleScripts { try writeCommand(point, to: &layer) }
    try add(metadata.distInfo + "/INSTALLER", Array("envctl\n".utf8), permissions: 0o644, to: &layer)
    try writeRecord(to: &layer)
  }

  private func checkedPath(_ entry: ArchiveEntry) throws -> RelativePath {
    // A wheel has no use for absolute names, so one is as much an attempt to escape as '..' is.
    guard !entry.path.hasPrefix("/"), !entry.path.contains("\\"), let path = try? RelativePath(entry.path), !path.isRoot else {
      throw ImageError.pathEscape(object: origin, path: entry.path)
    }
    guard entry.kind == .file || entry.kind == .directory else {
      throw ImageError.malformedPackage(object: origin, reason: "'\(entry.path)' is neither a file nor a folder")
    }
    return path
  }

  private mutating func copy(
    _ entry: ArchiveEntry, path: RelativePath, from reader: inout ArchiveReader, to layer: inout LayerBuilder
  ) throws {
    guard let expected = metadata.record[path.string] else {
      throw ImageError.malformedPackage(object: origin, reason: "its RECORD does not list '\(path.string)'")
    }
    let destination = try destination(of: path)
    let isScript = destination.hasPrefix(layout.scripts + "/") && path.string.hasPrefix(metadata.dataFolder + "/scripts/")
    // Owner, group and other permissions of a zip entry mean nothing on another system; only "executable" does.
    let header = FileHeader(
      path: try RelativePath(destination), permissions: isScript || entry.permissions & 0o111 != 0 ? 0o755 : 0o644)
    let actual: Digest
    if isScript {
      let bytes = try reader.readAll(limit: 64 << 20)
      actual = .sha256(of: bytes)
      try addScript(bytes, header, to: &layer)
    } else {
      actual = try layer.file(header, size: entry.size, origin: origin) { write in try reader.readData(write) }
      note(destination, actual, entry.size)
    }
    guard actual == expected else {
      throw ImageError.fileDigestMismatch(object: origin, path: path.string, expected: expected, actual: actual)
    }
  }

  private func destination(of path: RelativePath) throws -> String {
    let prefix = metadata.dataFolder + "/"
    guard path.string.hasPrefix(prefix) else { return layout.packages + "/" + path.string }
    let rest = path.string.dropFirst(prefix.count)
    let scheme = rest.prefix { $0 != "/" }
    guard let folder = layout.folder(of: scheme, project: wheel.pin.project), rest.count > scheme.count + 1 else {
      throw ImageError.malformedPackage(object: origin, reason: "'\(path.string)' is under no installation scheme")
    }
    return folder + rest.dropFirst(scheme.count)
  }

  /// A script's first line `#!python` stands for the interpreter it is installed for.
  private mutating func addScript(_ bytes: [UInt8], _ header: FileHeader, to layer: inout LayerBuilder) throws {
    var content = bytes
    if bytes.starts(with: Array("#!python".utf8)) {
      let end = bytes.firstIndex(of: UInt8(ascii: "\n")) ?? bytes.endIndex
      content = Array("#!\(layout.interpreter)".utf8) + bytes[end...]
    }
    let digest = try layer.file(header, content, origin: origin)
    note(header.path.string, digest, Int64(content.count))
  }

  private mutating func writeCommand(_ point: EntryPoint, to layer: inout LayerBuilder) throws {
    let root = point.attribute.prefix { $0 != "." }
    let text = """
      #!\(layout.interpreter)
      import sys
      from \(point.module) import \(root)
      if __name__ == "__main__":
          sys.exit(\(point.attribute)())

      """
    let path = layout.scripts + "/" + point.name
    let bytes = Array(text.utf8)
    let digest = try layer.file(FileHeader(path: RelativePath(path), permissions: 0o755), bytes, origin: origin)
    note(path, digest, Int64(bytes.count))
  }

  private mutating func add(_ name: String, _ bytes: [UInt8], permissions: UInt32, to layer: inout LayerBuilder) throws {
    let path = layout.packages + "/" + name
    let digest = try layer.file(FileHeader(path: RelativePath(path), permissions: permissions), bytes, origin: origin)
    note(path, digest, Int64(bytes.count))
  }

  private mutating func note(_ path: String, _ digest: Digest, _ size: Int64) {
    installed.append((relativeToPackages(path), digest.recordText, String(size)))
  }

  private func writeRecord(to layer: inout LayerBuilder) throws {
    let record = metadata.distInfo + "/RECORD"
    let rows = (installed + [(record, "", "")]).sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    let text = rows.map { CommaSeparated.line([$0.path, $0.digest, $0.size]) + "\n" }.joined()
    try layer.file(
      FileHeader(path: RelativePath(layout.packages + "/" + record), permissions: 0o644), Array(text.utf8), origin: origin)
  }

  /// RECORD names files from the packages' folder, with `..` for those outside of it.
  private func relativeToPackages(_ path: String) -> String {
    var base = layout.packages.split(separator: "/")[...]
    var rest = path.split(separator: "/")[...]
    while let first = base.first, first == rest.first {
      base.removeFirst()
      rest.removeFirst()
    }
    return (Array(repeating: "..", count: base.count) + rest.map(String.init)).joined(separator: "/")
  }
}
