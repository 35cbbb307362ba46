/// A name from outside, made harmless before anything is done with it.
import EnvCore

/// A path below a root: no leading slash, no `.` or empty components, never `..`. The root itself is the empty path.
public struct RelativePath: Hashable, Sendable, CustomStringConvertible {
  /// The components joined by single slashes.
  public let string: String

  /// The root itself.
  public static let root = RelativePath(unchecked: "")

  /// Reads a name as an archive carries it. A leading `/` or `./` is dropped, as every tar program does; `..` is refused.
  public init(_ text: String) throws(PathError) {
    guard text.utf8.count <= 4096 else { throw .tooLong(String(text.prefix(60))) }
    guard !text.utf8.contains(0) else { throw .containsNUL }
    let components = text.split(separator: "/").filter { $0 != "." }
    guard !components.contains("..") else { throw .escapes(text) }
    guard components.allSatisfy({ $0.utf8.count <= 255 }) else { throw .tooLong(String(text.prefix(60))) }
    string = components.joined(separator: "/")
  }

  private init(unchecked string: String) { self.string = string }

  public var isRoot: Bool { string.isEmpty }

  /// The last component; empty for the root.
  public var name: String { string.lastIndex(of: "/").map { String(string[string.index(after: $0)...]) } ?? string }

  /// The folder above; the root for names at the top.
  public var parent: RelativePath { RelativePath(unchecked: string.lastIndex(of: "/").map { String(string[..<$0]) } ?? "") }

  /// The path of `name` in this folder.
  public func appending(_ name: String) throws(PathError) -> RelativePath {
    try RelativePath(isRoot ? name : string + "/" + name)
  }

  public var description: String { "/" + string }
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
