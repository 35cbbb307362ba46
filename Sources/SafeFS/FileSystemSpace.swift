/// How much room a file system has (statvfs(3)).
import Glibc
import SystemPackage

/// The room of the file system that holds a path.
public struct FileSystemSpace: Sendable, Equatable {
  /// Bytes an ordinary user can still write.
  public var freeBytes: Int64
  /// Files that can still be made; nil where the file system has no fixed number.
  public var freeFiles: Int64?

  public init(freeBytes: Int64, freeFiles: Int64?) {
    self.freeBytes = freeBytes
    self.freeFiles = freeFiles
  }
}

extension FileSystem {
  public static func space(at path: FilePath) throws(FileSystemError) -> FileSystemSpace {
    var value = statvfs()
    try check("statvfs", path) { path.withPlatformString { statvfs($0, &value) } }
    return FileSystemSpace(
      freeBytes: Int64(clamping: UInt64(value.f_bavail).multipliedReportingOverflow(by: UInt64(value.f_frsize)).partialValue),
      freeFiles: value.f_files == 0 ? nil : Int64(clamping: value.f_favail))
  }
}

extension FileSystem {
  /// Those of `ro`, `nosuid`, `nodev` and `noexec` with which the file system is mounted that holds `path`.
  ///
  /// In a user namespace they are locked: a bind mount must repeat them (mount_namespaces(7), "Restrictions on mount namespaces").
  public static func lockedOptions(at path: FilePath) throws(FileSystemError) -> [String] {
    var value = statvfs()
    try check("statvfs", path) { path.withPlatformString { statvfs($0, &value) } }
    // ST_RDONLY, ST_NOSUID, ST_NODEV and ST_NOEXEC of statvfs(3).
    let flags: [(UInt, String)] = [(1, "ro"), (2, "nosuid"), (4, "nodev"), (8, "noexec")]
    return flags.filter { UInt(value.f_flag) & $0.0 != 0 }.map(\.1)
  }
}
