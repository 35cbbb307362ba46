/// Reading below a root as a process that lives there would see it: absolute links lead back into the root.
import CLinux
import Glibc
import SystemPackage

extension RootDirectory {
  /// The content of a regular file of at most `limit` bytes, or nil when there is none. Links are followed within the root.
  public borrowing func readFile(_ path: RelativePath, limit: Int = 4 << 20) throws(FileSystemError) -> [UInt8]? {
    guard let file = try openFollowing(path, flags: O_RDONLY | O_NONBLOCK), try file.status().kind == .file else { return nil }
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

  /// What a path leads to when links are followed within the root, or nil when that is nothing.
  public borrowing func statusFollowing(_ path: RelativePath) throws(FileSystemError) -> FileStatus? {
    try openFollowing(path, flags: CInt(CL_O_PATH))?.status()
  }

  /// Opens a file or folder for reading, links followed within the root; nil when there is nothing.
  ///
  /// - Throws: `ENOTSUP` for devices, FIFOs and sockets: opening one can have effects, so it is not done.
  public borrowing func openFollowing(_ path: RelativePath) throws(FileSystemError) -> OwnedDescriptor? {
    guard let found = try openFollowing(path, flags: CInt(CL_O_PATH)) else { return nil }
    let kind = try found.status().kind
    guard kind == .file || kind == .directory else { throw FileSystemError(call: "open", path: found.path, errno: .notSupported) }
    // By the descriptor, so that it is what was looked at.
    let raw = try check("open", found.path) { cl_open("/proc/self/fd/\(found.rawValue)", O_RDONLY | O_CLOEXEC, 0) }
    return OwnedDescriptor(owning: raw, path: found.path)
  }

  /// All extended attributes of a file or folder; none for what cannot have any. A final link is not followed.
  public borrowing func extendedAttributes(_ path: RelativePath) throws(FileSystemError) -> [String: [UInt8]] {
    let object = path.isRoot ? root.path : root.path.appending(path.string)
    let folder = root.rawValue
    let raw = try check("openat2", object) {
      cl_openat2(
        folder, path.isRoot ? "." : path.string, UInt64(CL_O_PATH) | UInt64(O_NOFOLLOW | O_CLOEXEC), 0,
        UInt64(CL_RESOLVE_IN_ROOT | CL_RESOLVE_NO_MAGICLINKS))
    }
    let node = OwnedDescriptor(owning: raw, path: object)
    if try node.status().kind == .symlink { return [:] }
    // Extended attributes have no *at() calls; the magic link of an O_PATH descriptor names the very inode.
    return try readExtendedAttributes("/proc/self/fd/\(node.rawValue)", object: object, list: listxattr, get: getxattr)
  }

  /// Where a symbolic link points.
  public mutating func linkTarget(_ path: RelativePath) throws(FileSystemError) -> String {
    let folder = try parent(of: path, creating: false)
    let buffer = UnsafeMutablePointer<CChar>.allocate(capacity: Int(PATH_MAX))
    defer { buffer.deallocate() }
    let count = try check("readlinkat", full(path)) { readlinkat(folder, path.name, buffer, Int(PATH_MAX)) }
    return String(decoding: UnsafeRawBufferPointer(start: buffer, count: count), as: UTF8.self)
  }

  private borrowing func openFollowing(_ path: RelativePath, flags: CInt) throws(FileSystemError) -> OwnedDescriptor? {
    let object = path.isRoot ? root.path : root.path.appending(path.string)
    let folder = root.rawValue
    do {
      let raw = try check("openat2", object) {
        cl_openat2(
          folder, path.isRoot ? "." : path.string, UInt64(flags | O_CLOEXEC), 0, UInt64(CL_RESOLVE_IN_ROOT | CL_RESOLVE_NO_MAGICLINKS))
      }
      return OwnedDescriptor(owning: raw, path: object)
    } catch  where [.noSuchFileOrDirectory, .notDirectory, .tooManySymbolicLinkLevels, .noSuchAddressOrDevice].contains(error.errno) {
      return nil
    }
  }
}
