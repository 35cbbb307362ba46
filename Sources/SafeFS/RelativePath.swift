/// A name from outside, made harmless before anything is done with it.
import EnvCore

/// A path below a root: no leading slash, no `.` or empty components, never `..`. The root itself is the empty path.
///
/// It is taken apart and compared by bytes, as the kernel does. Swift's characters would not do: a combining mark after a slash
/// makes one character with it, and two spellings of `é` are equal as strings but are two files.
public struct RelativePath: Hashable, Sendable, CustomStringConvertible {
  /// The components joined by single slashes.
  public let string: String

  /// The most bytes a path may have: what the kernel takes in one call (`PATH_MAX`).
  public static let longest = 4096

  /// The root itself.
  public static let root = RelativePath(unchecked: "")

  /// Reads a name as an archive carries it. A leading `/` or `./` is dropped, as every tar program does; `..` is refused.
  public init(_ text: String) throws(PathError) {
    guard text.utf8.count <= Self.longest else { throw .tooLong(String(text.prefix(60))) }
    guard !text.utf8.contains(0) else { throw .containsNUL }
    let components = text.utf8.split(separator: Self.slash).filter { !$0.elementsEqual(".".utf8) }
    guard !components.contains(where: { $0.elementsEqual("..".utf8) }) else { throw .escapes(text) }
    guard components.allSatisfy({ $0.count <= 255 }) else { throw .tooLong(String(text.prefix(60))) }
    string = components.map { Substring($0) }.joined(separator: "/")
  }

  private init(unchecked string: String) { self.string = string }

  private static let slash = UInt8(ascii: "/")

  public var isRoot: Bool { string.isEmpty }

  /// The last component; empty for the root.
  public var name: String { lastSlash.map { String(string[string.utf8.index(after: $0)...]) } ?? string }

  /// The folder above; the root for names at the top.
  public var parent: RelativePath { RelativePath(unchecked: lastSlash.map { String(string[..<$0]) } ?? "") }

  private var lastSlash: String.Index? { string.utf8.lastIndex(of: Self.slash) }

  /// The path of `name` in this folder.
  public func appending(_ name: String) throws(PathError) -> RelativePath {
    try RelativePath(isRoot ? name : string + "/" + name)
  }

  public var description: String { "/" + string }

  public static func == (left: RelativePath, right: RelativePath) -> Bool { left.string.utf8.elementsEqual(right.string.utf8) }

  public func hash(into hasher: inout Hasher) {
    for byte in string.utf8 { hasher.combine(byte) }
  }
}

/// Why a name from outside is refused.
public enum PathError: Diagnostic, Equatable {
  case escapes(String)
  case tooLong(String)
  case containsNUL

  public var summary: String {
    switch self {
    case .escapes(let path): "path '\(path)' leads out of its root"
    case .tooLong(let start): "path '\(start)…' is longer than a file system allows"
    case .containsNUL: "a path contains a NUL byte"
    }
  }
  public var exitCode: ExitCode { .verification }
}
