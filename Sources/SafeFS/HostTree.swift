/// A host's file system seen from a root: the machine's own, or a tree that describes another one. It only reads.
import CLinux
import Glibc
import SystemPackage

/// The files of one host. Every path is absolute and resolved as a process whose root this is would resolve it: links and `..` lead
/// back into the tree.
public final class HostTree: Sendable {
  /// Where the tree lies; `/` is the machine itself.
  public let root: FilePath
  private let descriptor: OwnedDescriptor

  public init(root: FilePath = "/") throws(FileSystemError) {
    self.root = root
    descriptor = try OwnedDescriptor.directory(root)
  }

  /// The content of a regular file of at most `limit` bytes; nil when there is none.
  public func read(_ path: String, limit: Int = 4 << 20) throws(FileSystemError) -> [UInt8]? {
    guard let file = try open(path, O_RDONLY | O_NONBLOCK), try file.status().kind == .file else { return nil }
    var bytes: [UInt8] = []
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
    defer { buffer.deallocate() }
    while true {
      let count = try file.read(into: buffer)
      if count == 0 { return bytes }
      bytes.append(contentsOf: buffer[..<count])
      if bytes.count > limit { throw FileSystemError(call: "read", path: file.path, errno: .fileTooLarge) }
    }
  }

  /// The content of a short text file, as `/proc` and `/sys` have many; nil when there is none.
  public func text(_ path: String) throws(FileSystemError) -> String? {
    try read(path, limit: 1 << 20).map { String(decoding: $0, as: UTF8.self) }
  }

  /// What a path leads to; nil when that is nothing.
  public func status(_ path: String) throws(FileSystemError) -> FileStatus? {
    try open(path, CInt(CL_O_PATH))?.status()
  }

  public func exists(_ path: String) throws(FileSystemError) -> Bool { try status(path) != nil }

  /// The names in a folder, sorted by their bytes; none when there is no such folder.
  public func list(_ path: String) throws(FileSystemError) -> [String] {
    guard let folder = try open(path, O_RDONLY | O_DIRECTORY) else { return [] }
    return try FileSystem.names(in: folder.rawValue, path: folder.path).map(FileSystem.text(of:))
  }

  /// The path without links, below the root; nil when it leads to nothing.
  public func canonicalPath(_ path: String) throws(FileSystemError) -> String? {
    guard let file = try open(path, CInt(CL_O_PATH)) else { return nil }
    let full = try FileSystem.linkTarget(FilePath("/proc/self/fd/\(file.rawValue)"))
    let base = try FileSystem.linkTarget(FilePath("/proc/self/fd/\(descriptor.rawValue)"))
    guard base != "/" else { return full }
    return full.utf8.count == base.utf8.count ? "/" : String(full.dropFirst(base.count))
  }

  private func open(_ path: String, _ flags: CInt) throws(FileSystemError) -> OwnedDescriptor? {
    let relative = String(path.drop { $0 == "/" })
    let object = root.appending(relative)
    guard !path.utf8.contains(0) else { throw FileSystemError(call: "openat2", path: object, errno: .invalidArgument) }
    let folder = descriptor.rawValue
    var attempts = 0
    while true {
      do {
        let raw = try check("openat2", object) {
          cl_openat2(
            folder, relative.isEmpty ? "." : relative, UInt64(flags | O_CLOEXEC), 0,
            UInt64(CL_RESOLVE_IN_ROOT | CL_RESOLVE_NO_MAGICLINKS))
        }
        return OwnedDescriptor(owning: raw, path: object)
      } catch  where Self.meansNothing.contains(error.errno) {
        return nil
      } catch  where error.errno == .resourceTemporarilyUnavailable && attempts < 64 {
        // A rename anywhere on the machine while `..` was resolved: the kernel asks for another try (openat2(2), EAGAIN).
        attempts += 1
      }
    }
  }

  private static let meansNothing: [Errno] = [
    .noSuchFileOrDirectory, .notDirectory, .tooManySymbolicLinkLevels, .noSuchAddressOrDevice,
  ]
}
