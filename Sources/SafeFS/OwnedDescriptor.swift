/// A file descriptor with exactly one owner, and the calls envctl makes on it.
import CLinux
import Glibc
import SystemPackage

func errnoValue() -> CInt { Glibc.errno }

/// Repeats a system call that a signal interrupted; a negative result becomes an error with the call's name and path.
///
/// The path is put together only for an error: on a walk over many files that would cost as much as the calls themselves.
@discardableResult
func check<Result: SignedInteger>(
  _ call: String, _ path: @autoclosure () -> FilePath, _ body: () -> Result
) throws(FileSystemError) -> Result {
  while true {
    let result = body()
    if result >= 0 { return result }
    let error = currentErrno()
    if error != .interrupted { throw FileSystemError(call: call, path: path(), errno: error) }
  }
}

/// An open file. It closes when its owner lets go of it; `close()` is for those who need to know that closing worked.
public struct OwnedDescriptor: ~Copyable, Sendable {
  /// The descriptor's number. It is valid as long as this value lives.
  public let rawValue: CInt
  /// What was opened, for error messages.
  public let path: FilePath

  /// Takes over a descriptor that nobody else closes.
  public init(owning rawValue: CInt, path: FilePath) {
    self.rawValue = rawValue
    self.path = path
  }

  deinit { _ = Glibc.close(rawValue) }

  /// Opens an existing file for reading. A final symbolic link is not followed, and a FIFO in its place is not waited for.
  public static func read(_ path: FilePath) throws(FileSystemError) -> OwnedDescriptor {
    try open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, mode: 0)
  }

  /// Creates a file that must not exist yet, for writing and reading.
  public static func create(_ path: FilePath, mode: UInt32 = 0o644) throws(FileSystemError) -> OwnedDescriptor {
    try open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: mode)
  }

  /// Opens a folder, to resolve names below it.
  public static func directory(_ path: FilePath) throws(FileSystemError) -> OwnedDescriptor {
    try open(path, O_RDONLY | O_DIRECTORY, mode: 0)
  }

  /// `open(2)` with `O_CLOEXEC` added.
  public static func open(_ path: FilePath, _ flags: CInt, mode: UInt32) throws(FileSystemError) -> OwnedDescriptor {
    let raw = try check("open", path) { path.withPlatformString { cl_open($0, flags | O_CLOEXEC, mode) } }
    return OwnedDescriptor(owning: raw, path: path)
  }

  /// Reads up to `buffer.count` bytes; 0 at the end of the file.
  public borrowing func read(into buffer: UnsafeMutableRawBufferPointer) throws(FileSystemError) -> Int {
    let raw = rawValue
    return try check("read", path) { Glibc.read(raw, buffer.baseAddress, buffer.count) }
  }

  /// Reads up to the span's length; 0 at the end of the file.
  public borrowing func read(into span: inout MutableRawSpan) throws(FileSystemError) -> Int {
    let raw = rawValue
    return try check("read", path) { span.withUnsafeMutableBytes { Glibc.read(raw, $0.baseAddress, $0.count) } }
  }

  /// Calls `body` with consecutive pieces of the file, from the current position to the end.
  public borrowing func forEachChunk(of size: Int = 1 << 20, _ body: (RawSpan) throws -> Void) throws {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 4096)
    defer { buffer.deallocate() }
    while true {
      let count = try read(into: buffer)
      if count == 0 { return }
      // The span ends with this turn of the loop, before the buffer is written again.
      try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]).bytes)
    }
  }

  /// Writes all of `bytes`.
  public borrowing func write(_ bytes: RawSpan) throws(FileSystemError) {
    var offset = 0
    while offset < bytes.byteCount {
      let raw = rawValue
      let from = offset
      offset += try check("write", path) {
        bytes.withUnsafeBytes { Glibc.write(raw, $0.baseAddress.map { $0 + from }, $0.count - from) }
      }
    }
  }

  /// Drops all content and goes back to the start.
  public borrowing func truncate() throws(FileSystemError) {
    let raw = rawValue
    try check("ftruncate", path) { ftruncate(raw, 0) }
    try check("lseek", path) { lseek(raw, 0, SEEK_SET) }
  }

  /// Goes on reading or writing at `offset`, in bytes from the start.
  public borrowing func seek(to offset: Int64) throws(FileSystemError) {
    let raw = rawValue
    try check("lseek", path) { lseek(raw, off_t(offset), SEEK_SET) }
  }

  /// Up to `count` bytes from `offset`, wherever the current position is.
  public borrowing func read(at offset: Int64, count: Int) throws(FileSystemError) -> [UInt8] {
    let raw = rawValue
    var bytes = [UInt8](repeating: 0, count: count)
    let filled = try check("pread", path) { pread(raw, &bytes, count, off_t(offset)) }
    return Array(bytes[..<filled])
  }

  /// Waits until the file's data is on the disk.
  public borrowing func sync() throws(FileSystemError) {
    let raw = rawValue
    try check("fsync", path) { fsync(raw) }
  }

  /// Waits until everything on this file's file system is on the disk: one call for a whole tree.
  public borrowing func syncFileSystem() throws(FileSystemError) {
    let raw = rawValue
    try check("syncfs", path) { cl_syncfs(raw) }
  }

  public borrowing func status() throws(FileSystemError) -> FileStatus {
    let raw = rawValue
    var value = stat()
    try check("fstat", path) { fstat(raw, &value) }
    return FileStatus(value)
  }
}

/// What `stat(2)` says of a file.
public struct FileStatus: Sendable, Equatable {
  /// The kinds of file a layer can hold.
  public enum Kind: Sendable, Equatable, CustomStringConvertible {
    case file, directory, symlink, characterDevice, blockDevice, fifo, socket

    /// For the end of a sentence: `a folder`.
    public var description: String {
      switch self {
      case .file: "a regular file"
      case .directory: "a folder"
      case .symlink: "a symbolic link"
      case .characterDevice, .blockDevice: "a device"
      case .fifo: "a FIFO"
      case .socket: "a socket"
      }
    }
  }

  public let kind: Kind
  /// Permission bits incl. set-user-id, set-group-id and sticky (`07777`).
  public let permissions: UInt32
  public let uid: UInt32
  public let gid: UInt32
  public let size: Int64
  /// Major and minor number of a device node.
  public let device: (major: UInt32, minor: UInt32)
  public let inode: UInt64
  /// Which file system the inode is of; the two together tell whether two names lead to one file (stat(3type), `st_dev`).
  public let fileSystem: UInt64
  public let linkCount: Int
  /// Last change of the content, in nanoseconds since the epoch.
  public let modified: Int64
  /// Last change of the inode, in nanoseconds since the epoch: nobody but the kernel sets it.
  public let changed: Int64

  init(_ value: stat) {
    kind =
      switch value.st_mode & S_IFMT {
      case S_IFDIR: .directory
      case S_IFLNK: .symlink
      case S_IFCHR: .characterDevice
      case S_IFBLK: .blockDevice
      case S_IFIFO: .fifo
      case S_IFSOCK: .socket
      default: .file
      }
    permissions = value.st_mode & 0o7777
    uid = value.st_uid
    gid = value.st_gid
    size = Int64(value.st_size)
    device = (cl_major(value.st_rdev), cl_minor(value.st_rdev))
    inode = UInt64(value.st_ino)
    fileSystem = UInt64(value.st_dev)
    linkCount = Int(value.st_nlink)
    modified = Self.nanoseconds(value.st_mtim)
    changed = Self.nanoseconds(value.st_ctim)
  }

  /// A time beyond the year 2262, which some file systems can hold, is the last one that fits.
  private static func nanoseconds(_ time: timespec) -> Int64 {
    let (nanoseconds, isTooFar) = Int64(time.tv_sec).multipliedReportingOverflow(by: 1_000_000_000)
    guard !isTooFar else { return time.tv_sec < 0 ? .min : .max }
    return nanoseconds.addingReportingOverflow(Int64(time.tv_nsec)).overflow ? .max : nanoseconds + Int64(time.tv_nsec)
  }

  /// Whether both are the status of one file, whatever the names that led to it.
  public func isSameFile(as other: FileStatus) -> Bool { (fileSystem, inode) == (other.fileSystem, other.inode) }

  public static func == (left: FileStatus, right: FileStatus) -> Bool {
    left.kind == right.kind && left.permissions == right.permissions && left.uid == right.uid && left.gid == right.gid
      && left.size == right.size && left.device == right.device && left.inode == right.inode && left.modified == right.modified
      && left.changed == right.changed
  }
}
