/// Which packages an image holds, read from the package managers' own databases in its layers, and how two images differ in them.
import EnvCore
import EnvStore
import SafeFS
import SystemPackage

/// The packages of an image: Debian's from dpkg's database, Python's from the metadata beside each installed project.
public struct PackageInventory: Sendable, Equatable {
  /// Whose database a package stands in.
  public enum Manager: String, Sendable, Codable, CaseIterable { case dpkg, python }

  public struct Package: Hashable, Sendable {
    public let manager: Manager
    /// Python's names are normalised (PEP 503).
    public let name: String
  }

  /// The versions of each package, sorted: a Python project may be installed in several places.
  public private(set) var versions: [Package: [String]] = [:]
  /// Package managers whose databases are there and are not read.
  public private(set) var unread: [String] = []

  /// Reads the databases in the unpacked layers of an image, lowest first.
  ///
  /// - Throws: `FileSystemError` when a database cannot be read. What is not a package's record in it is passed over.
  public init(of layers: [MaterialisedLayer]) throws { try self.init(roots: layers.map(\.root)) }

  /// The versions of one manager's packages by name; of several of a name the last.
  public func versions(by manager: Manager) -> [String: String] {
    Dictionary(versions.filter { $0.key.manager == manager }.map { ($0.key.name, $0.value.last ?? "") }) { first, _ in first }
  }

  init(roots: [FilePath]) throws {
    var unread: Set<String> = []
    let files = try LayerStack(roots: roots).files { Database(of: $0) != nil }
    for (path, root) in files {
      switch Database(of: path) {
      case .dpkg: try readDpkg(try Self.read(path, below: root))
      case .python: try readPython(try Self.read(path, below: root))
      case .unread(let manager): unread.insert(manager)
      case nil: break
      }
    }
    for package in versions.keys { versions[package]?.sort() }
    self.unread = unread.sorted()
  }

  private static func read(_ path: String, below root: FilePath) throws -> [UInt8] {
    try RootDirectory(root).readFile(try RelativePath(path), limit: 64 << 20) ?? []
  }

  private mutating func readDpkg(_ bytes: [UInt8]) throws {
    for paragraph in Self.paragraphs(bytes) {
      guard let name = paragraph["package"], let version = paragraph["version"] else { continue }
      // An image without dpkg keeps one file a package and no status (`status.d`).
      guard paragraph["status"].map({ $0.hasSuffix(" installed") }) ?? true else { continue }
      versions[Package(manager: .dpkg, name: name), default: []].append(version)
    }
  }

  private mutating func readPython(_ bytes: [UInt8]) throws {
    guard let fields = Self.paragraphs(bytes).first, let name = fields["name"], let version = fields["version"] else { return }
    versions[Package(manager: .python, name: normalizedProject(name)), default: []].append(version)
  }

  /// Paragraphs of `Field: value` lines, names in lowercase (deb822; core metadata begins with one). Continuation lines are left out.
  private static func paragraphs(_ bytes: [UInt8]) -> [[String: String]] {
    var paragraphs: [[String: String]] = [[:]]
    for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      let text = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
      if text.isEmpty {
        if paragraphs[paragraphs.count - 1].isEmpty == false { paragraphs.append([:]) }
        continue
      }
      guard let colon = text.firstIndex(of: UInt8(ascii: ":")), text.first != UInt8(ascii: " "), text.first != UInt8(ascii: "\t")
      else { continue }
      let name = String(decoding: text[..<colon], as: UTF8.self).lowercased()
      guard ["package", "version", "status", "name"].contains(name) else { continue }
      let value = text[(colon + 1)...].drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
      paragraphs[paragraphs.count - 1][name] = String(decoding: value, as: UTF8.self)
    }
    return paragraphs
  }
}

extension PackageInventory {
  /// A package that is not the same in two images. Empty lists where it is not there.
  public struct Change: Sendable, Equatable, Codable {
    public var manager: Manager
    public var name: String
    public var before: [String]
    public var after: [String]
  }

  /// What differs in `other`, by manager and name.
  public func changes(to other: PackageInventory) -> [Change] {
    Set(versions.keys).union(other.versions.keys)
      .map { Change(manager: $0.manager, name: $0.name, before: versions[$0] ?? [], after: other.versions[$0] ?? []) }
      .filter { $0.before != $0.after }
      .sorted { ($0.manager.rawValue, $0.name) < ($1.manager.rawValue, $1.name) }
  }
}

/// What a file is to package managers.
private enum Database {
  case dpkg
  case python
  case unread(String)

  /// Nil for a file that is none of a package manager's.
  init?(of path: String) {
    if path == "var/lib/dpkg/status" || path.hasPrefix("var/lib/dpkg/status.d/") {
      self = .dpkg
    } else if path.hasSuffix(".dist-info/METADATA") {
      self = .python
    } else if path.hasPrefix("var/lib/rpm/") || path.hasPrefix("usr/lib/sysimage/rpm/") {
      self = .unread("rpm")
    } else if path == "lib/apk/db/installed" || path == "usr/lib/apk/db/installed" {
      self = .unread("apk")
    } else if path.hasSuffix(".json"), path.contains("conda-meta/") {
      self = .unread("conda")
    } else {
      return nil
    }
  }
}
