/// Whole-file operations below trusted folders: read with a cap, write atomically, list, remove. Untrusted names go through `RootDirectory`.
import CLinux
import EnvCore
import Glibc
import SystemPackage

/// Operations on paths that envctl itself made up.
public enum FileSystem {
  /// The content of a file of at most `limit` bytes; a longer one is `EFBIG`.
  public static func readFile(_ path: FilePath, limit: Int = 64 << 20) throws(FileSystemError) -> [UInt8] {
    let file = try OwnedDescriptor.open(path, O_RDONLY | O_NONBLOCK, mode: 0)
    var bytes: [UInt8] = []
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
    defer { buffer.deallocate() }
    while true {
      let count = try file.read(into: buffer)
      if count == 0 { return bytes }
      bytes.append(contentsOf: buffer[..<count])
      if bytes.count > limit { throw FileSystemError(call: "read", path: path, errno: .fileTooLarge) }
    }
  }

  /// Replaces a file so that a crash leaves either the old content or the new one: temporary file, fsync, rename, fsync of the folder.
  ///
  /// - Parameter ownedByFolder: Root's file belongs to the folder's owner then, for one that people go on with under their own name.
  public static func writeAtomically(
    _ bytes: [UInt8], to path: FilePath, mode: UInt32 = 0o644, ownedByFolder: Bool = false
  ) throws(FileSystemError) {
    let folder = path.removingLastComponent()
    let temporary = folder.appending(".\(path.lastComponent?.string ?? "file").\(uniqueSuffix())")
    do {
      let file = try OwnedDescriptor.create(temporary, mode: mode)
      if ownedByFolder, geteuid() == 0, let owner = try status(folder.isEmpty ? "." : folder, followingLink: true) {
        let raw = file.rawValue
        try check("fchown", path) { fchown(raw, owner.uid, owner.gid) }
      }
      try file.write(bytes.span.bytes)
      try file.sync()
      try rename(temporary, to: path)
    } catch {
      _ = temporary.withPlatformString { Glibc.unlink($0) }
      throw error
    }
    try syncDirectory(folder)
  }

  /// Renames within one file system, replacing a file that is there.
  public static func rename(_ source: FilePath, to target: FilePath) throws(FileSystemError) {
    try check("rename", target) { source.withPlatformString { from in target.withPlatformString { Glibc.rename(from, $0) } } }
  }

  /// Waits until the folder's entries are on the disk, which makes a rename in it durable.
  public static func syncDirectory(_ path: FilePath) throws(FileSystemError) {
    try OwnedDescriptor.directory(path.isEmpty ? "." : path).sync()
  }

  /// Makes a folder and those above it; one that is there stays as it is.
  public static func createDirectories(_ path: FilePath, mode: UInt32 = 0o755) throws(FileSystemError) {
    guard !path.isEmpty else { return }  // The current folder is there.
    if let status = try status(path, followingLink: true) {
      guard status.kind == .directory else { throw FileSystemError(call: "mkdir", path: path, errno: .notDirectory) }
      return
    }
    let parent = path.removingLastComponent()
    if parent != path, !parent.isEmpty { try createDirectories(parent, mode: mode) }
    do {
      try check("mkdir", path) { path.withPlatformString { Glibc.mkdir($0, mode) } }
    } catch  where error.errno == .fileExists {}  // Somebody was faster, which is as good.
  }

  /// The names in a folder, sorted by their bytes, without `.` and `..`.
  public static func list(_ path: FilePath) throws(FileSystemError) -> [String] {
    let folder = try OwnedDescriptor.directory(path)
    return try names(in: folder.rawValue, path: path).map(text(of:))
  }

  /// What is at `path`, or nil when nothing is. A final symbolic link is described itself unless it is to be followed.
  public static func status(_ path: FilePath, followingLink: Bool = false) throws(FileSystemError) -> FileStatus? {
    var value = stat()
    do {
      try check("stat", path) {
        path.withPlatformString { fstatat(AT_FDCWD, $0, &value, followingLink ? 0 : AT_SYMLINK_NOFOLLOW) }
      }
    } catch  where error.errno == .noSuchFileOrDirectory || error.errno == .notDirectory {
      return nil
    }
    return FileStatus(value)
  }

  public static func exists(_ path: FilePath) -> Bool {
    path.withPlatformString { access($0, F_OK) } == 0
  }

  /// Where a symbolic link points.
  public static func linkTarget(_ path: FilePath) throws(FileSystemError) -> String {
    let buffer = UnsafeMutablePointer<CChar>.allocate(capacity: Int(PATH_MAX))
    defer { buffer.deallocate() }
    let count = try check("readlink", path) { path.withPlatformString { readlink($0, buffer, Int(PATH_MAX)) } }
    return String(decoding: UnsafeRawBufferPointer(start: buffer, count: count), as: UTF8.self)
  }

  /// The path with every symbolic link resolved, as the kernel sees it.
  public static func canonicalPath(_ path: FilePath) throws(FileSystemError) -> FilePath {
    guard let resolved = path.withPlatformString({ realpath($0, nil) }) else {
      throw FileSystemError(call: "realpath", path: path, errno: currentErrno())
    }
    defer { free(resolved) }
    return FilePath(platformString: resolved)
  }

  /// Removes a file; one that is not there is no error.
  public static func removeFile(_ path: FilePath) throws(FileSystemError) {
    do {
      try check("unlink", path) { path.withPlatformString { Glibc.unlink($0) } }
    } catch  where error.errno == .noSuchFileOrDirectory {}
  }

  /// Sets the permission bits of a file or folder, whatever the umask.
  public static func setPermissions(_ path: FilePath, _ permissions: UInt32) throws(FileSystemError) {
    try check("chmod", path) { path.withPlatformString { Glibc.chmod($0, permissions) } }
  }

  /// A name no other process uses.
  public static func uniqueSuffix() -> String {
    String(UInt64.random(in: 0...UInt64.max), radix: 36)
  }
}
