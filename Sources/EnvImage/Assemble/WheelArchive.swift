/// A wheel opened (binary distribution format 1.0): its RECORD, its entry points, and its files one after another.
/// Where they go in an image is `WheelInstallation`'s business.
import Archive
import EnvCore
import SafeFS
import SystemPackage

/// The metadata of a wheel.
struct WheelMetadata: Sendable {
  /// Such as `numpy-1.26.4.dist-info`.
  var distInfo: String
  /// Such as `numpy-1.26.4.data`.
  var dataFolder: String { distInfo.dropLast("dist-info".count) + "data" }
  /// What RECORD says of each file; the signature files and RECORD itself have no digest.
  var record: [String: Digest]
  var consoleScripts: [EntryPoint]
}

/// A command that calls a function (entry points specification).
struct EntryPoint: Equatable, Sendable {
  var name: String
  var module: String
  /// Dotted path of the callable in the module.
  var attribute: String

  /// The entries of the groups `console_scripts` and `gui_scripts`, by name.
  /// - Returns: Nil when an entry is not of the form `name = module:attribute`.
  static func parse(_ text: String) -> [EntryPoint]? {
    var group = ""
    var points: [EntryPoint] = []
    for line in text.split(whereSeparator: \.isNewline).map(trimmed) where !line.isEmpty && !line.hasPrefix("#") && !line.hasPrefix(";") {
      if line.hasPrefix("[") {
        group = String(line.dropFirst().prefix { $0 != "]" })
      } else if group == "console_scripts" || group == "gui_scripts" {
        let (name, reference) = split(line, at: "=")
        let (module, attribute) = split(trimmed(Substring(reference.prefix { $0 != "[" })), at: ":")
        let point = EntryPoint(name: trimmed(name[...]), module: trimmed(module[...]), attribute: trimmed(attribute[...]))
        guard point.isWellFormed else { return nil }
        points.append(point)
      }
    }
    return points.sorted { $0.name < $1.name }
  }

  /// The names become part of a path and of a program, so they may be nothing but names.
  private var isWellFormed: Bool {
    func isDotted(_ text: String) -> Bool {
      text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { part in
        part.first.map { $0.isLetter || $0 == "_" } == true && part.allSatisfy { $0.isLetter || $0.isNumber || $0 == "_" }
      }
    }
    let isName = !name.isEmpty && name.allSatisfy { $0.isLetter || $0.isNumber || "._-+".contains($0) } && name != "." && name != ".."
    return isName && isDotted(module) && isDotted(attribute)
  }
}

/// White space at both ends taken off.
func trimmed(_ text: Substring) -> String {
  var text = text.drop(while: \.isWhitespace)
  while text.last?.isWhitespace == true { text.removeLast() }
  return String(text)
}

extension WheelMetadata {
  /// Reads the metadata of the wheel at `path`, which must be what its file name says.
  static func read(_ path: FilePath, filename: String) throws -> WheelMetadata {
    guard let name = WheelName(filename) else { throw ImageError.malformedPackage(object: filename, reason: "its name is no wheel's") }
    var documents: [String: [UInt8]] = [:]
    var reader = try ArchiveReader(opening: path.string, format: .zip, object: filename)
    var distInfo: String?
    while let entry = try reader.next() {
      let parts = entry.path.split(separator: "/")
      guard parts.count == 2, parts[0].hasSuffix(".dist-info"), ["WHEEL", "RECORD", "entry_points.txt"].contains(parts[1]) else { continue }
      guard distInfo == nil || distInfo == String(parts[0]) else {
        throw ImageError.malformedPackage(object: filename, reason: "it has more than one .dist-info folder")
      }
      distInfo = String(parts[0])
      documents[String(parts[1])] = try reader.readAll(limit: 64 << 20)
    }
    guard let distInfo, let wheel = documents["WHEEL"], let record = documents["RECORD"] else {
      throw ImageError.malformedPackage(object: filename, reason: "it has no .dist-info folder with WHEEL and RECORD")
    }
    let owner = WheelName(distInfo.dropLast(".dist-info".count) + "-py3-none-any.whl")
    guard owner?.project == name.project, owner?.version == name.version else {
      throw ImageError.wrongPackage(object: filename, expected: "\(name.project) \(name.version)", actual: distInfo)
    }
    try requireKnownVersion(wheel, filename)
    guard let points = EntryPoint.parse(String(decoding: documents["entry_points.txt"] ?? [], as: UTF8.self)) else {
      throw ImageError.malformedPackage(object: filename, reason: "entry_points.txt names no function")
    }
    return WheelMetadata(distInfo: distInfo, record: try digests(record, distInfo: distInfo, filename), consoleScripts: points)
  }

  private static func requireKnownVersion(_ wheel: [UInt8], _ filename: String) throws(ImageError) {
    let version = ControlParagraph.parse(String(decoding: wheel, as: UTF8.self)).first?["Wheel-Version"] ?? ""
    guard version.hasPrefix("1.") else { throw .malformedPackage(object: filename, reason: "it is of wheel version '\(version)', not 1.x") }
  }

  /// RECORD is CSV: path, `sha256=` with the digest in unpadded URL-safe base64, size.
  private static func digests(_ record: [UInt8], distInfo: String, _ filename: String) throws(ImageError) -> [String: Digest] {
    var digests: [String: Digest] = [:]
    for row in CommaSeparated.parse(String(decoding: record, as: UTF8.self)) {
      guard row.count == 3 else { throw .malformedPackage(object: filename, reason: "a line of RECORD has \(row.count) fields, not 3") }
      if row[1].isEmpty { continue }
      guard row[1].hasPrefix("sha256="), let bytes = Base64URL.decode(row[1].dropFirst("sha256=".count)), bytes.count == 32 else {
        throw .malformedPackage(object: filename, reason: "RECORD has no SHA-256 for '\(row[0])'")
      }
      digests[row[0]] = Digest(sha256Bytes: bytes)
    }
    return digests
  }

  /// Whether a file may be without a digest in RECORD: RECORD itself and its signatures.
  func isExemptFromRecord(_ path: String) -> Bool {
    ["RECORD", "RECORD.jws", "RECORD.p7s"].contains { path == distInfo + "/" + $0 }
  }
}

/// The CSV that RECORD is written in (RFC 4180).
enum CommaSeparated {
  static func parse(_ text: String) -> [[String]] {
    var rows: [[String]] = []
    var row: [String] = []
    var field: [UInt8] = []
    var isQuoted = false
    var bytes = Array(text.utf8)[...]
    while let byte = bytes.popFirst() {
      switch byte {
      case UInt8(ascii: "\""):
        // A doubled quote inside quotes is a quote.
        if isQuoted, bytes.first == UInt8(ascii: "\"") {
          field.append(bytes.removeFirst())
        } else {
          isQuoted.toggle()
        }
      case UInt8(ascii: ",") where !isQuoted:
        row.append(String(decoding: field, as: UTF8.self))
        field = []
      case UInt8(ascii: "\n") where !isQuoted:
        if field.last == UInt8(ascii: "\r") { field.removeLast() }
        row.append(String(decoding: field, as: UTF8.self))
        if row != [""] { rows.append(row) }
        (row, field) = ([], [])
      default: field.append(byte)
      }
    }
    if !row.isEmpty || !field.isEmpty { rows.append(row + [String(decoding: field, as: UTF8.self)]) }
    return rows
  }

  /// One line, without its end.
  static func line(_ fields: [String]) -> String {
    fields.map { field in
      guard field.contains(where: { ",\"\n\r".contains($0) }) else { return field }
      return "\"" + field.replacing("\"", with: "\"\"") + "\""
    }.joined(separator: ",")
  }
}

/// Base64 with the URL-safe alphabet and without padding (RFC 4648, section 5).
enum Base64URL {
  static func decode(_ text: some StringProtocol) -> [UInt8]? {
    guard !text.utf8.contains(where: { "+/".utf8.contains($0) }) else { return nil }
    let digits = text.utf8.prefix { $0 != UInt8(ascii: "=") }.map { swapped($0, from: "-_", to: "+/") }
    return Base64.decode(digits + [UInt8](repeating: UInt8(ascii: "="), count: (4 - digits.count % 4) % 4))
  }

  static func encode(_ bytes: [UInt8]) -> String {
    let digits = Base64.encode(bytes).utf8.prefix { $0 != UInt8(ascii: "=") }
    return String(decoding: digits.map { swapped($0, from: "+/", to: "-_") }, as: UTF8.self)
  }

  private static func swapped(_ digit: UInt8, from: String, to: String) -> UInt8 {
    zip(from.utf8, to.utf8).first { $0.0 == digit }?.1 ?? digit
  }
}

extension Digest {
  /// The digest as RECORD writes it.
  var recordText: String {
    let bytes = stride(from: 0, to: 64, by: 2).compactMap { start in UInt8(hex.dropFirst(start).prefix(2), radix: 16) }
    return "sha256=" + Base64URL.encode(bytes)
  }
}
