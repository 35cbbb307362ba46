/// Advisory locks between envctl processes. The kernel drops them when their holder dies, however it dies.
import Glibc
import SystemPackage

/// An exclusive `flock(2)` on a file, held as long as this value lives.
public struct FileLock: ~Copyable, Sendable {
  private let file: OwnedDescriptor

  /// Waits for the lock. The file is made when it is not there, and stays: removing a lock file would let two holders in.
  public init(_ path: FilePath) throws(FileSystemError) {
    let file = try FileLock.open(path)
    try check("flock", path) { flock(file.rawValue, LOCK_EX) }
    self.file = file
  }

  /// Waits until nobody holds the lock exclusively, and shares it with others who do not either.
  public static func shared(_ path: FilePath) throws(FileSystemError) -> FileLock {
    let file = try open(path)
    try check("flock", path) { flock(file.rawValue, LOCK_SH) }
    return FileLock(holding: file)
  }

  /// Takes the lock if nobody holds it.
  public static func attempt(_ path: FilePath) throws(FileSystemError) -> FileLock? {
    let file = try open(path)
    do {
      try check("flock", path) { flock(file.rawValue, LOCK_EX | LOCK_NB) }
    } catch  where error.errno == .wouldBlock {
      return nil
    }
    return FileLock(holding: file)
  }

  /// The locked file. A child that is started with it keeps the lock until it ends as well, whatever becomes of this process.
  public var descriptor: FileDescriptor { FileDescriptor(rawValue: file.rawValue) }

  private init(holding file: consuming OwnedDescriptor) { self.file = file }

  private static func open(_ path: FilePath) throws(FileSystemError) -> OwnedDescriptor {
    try OwnedDescriptor.open(path, O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
  }
}
