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
