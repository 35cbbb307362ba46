/// A folder for work whose files are not content, such as the state of a resolver.
import SafeFS
import SystemPackage

extension Store {
  /// Calls `body` with a new, empty folder and removes it afterwards; after a crash the next command does.
  public func withTemporaryFolder<Value>(_ name: String, _ body: (FilePath) throws -> Value) throws -> Value {
    let folder = try temporaryPath(name)
    try FileSystem.createDirectories(folder, mode: 0o700)
    // The body's error is the one to tell; what stays is swept up with the session.
    defer { try? FileSystem.removeTree(folder) }
    return try body(folder)
  }
}
