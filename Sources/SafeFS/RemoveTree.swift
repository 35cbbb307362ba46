/// Removal of whole trees by descriptors, so that a link planted half-way cannot lead the removal outside.
import Glibc
import SystemPackage

extension FileSystem {
  /// Removes `path` and everything below it. Links are removed, never followed; nothing there is no error.
  ///
  /// Folders without write permission are made writable first, because a layer may carry them.
  public static func removeTree(_ path: FilePath) throws(FileSystemError) {
    guard let status = try status(path) else { return }
    guard status.kind == .directory else { return try removeFile(path) }
    let parent = path.removingLastComponent()
    let folder = try OwnedDescriptor.directory(parent.isEmpty ? "." : parent)
    try removeDirectory(path.lastComponent?.string ?? ".", in: folder.rawValue, path: path)
  }

  static func removeDirectory(_ name: String, in parent: CInt, path: FilePath) throws(FileSystemError) {
    let raw: CInt
    do {
      raw = try openDirectory(name, in: parent, path: path)
    } catch  where error.errno == .permissionDenied {
      _ = fchmodat(parent, name, 0o700, 0)
      raw = try openDirectory(name, in: parent, path: path)
    }
    guard let stream = fdopendir(raw) else {
      let error = currentErrno()
      close(raw)
      throw FileSystemError(call: "fdopendir", path: path, errno: error)
    }
    defer { closedir(stream) }
    var children: [(name: String, isDirectory: Bool)] = []
    while let entry = readdir(stream) {
      let child = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if child != "." && child != ".." { children.append((child, entry.pointee.d_type == UInt8(DT_DIR))) }
    }
    for child in children {
      if child.isDirectory {
        try removeDirectory(child.name, in: raw, path: path.appending(child.name))
      } else {
        try removeEntry(child.name, in: raw, flags: 0, path: path.appending(child.name))
      }
    }
    try removeEntry(name, in: parent, flags: AT_REMOVEDIR, path: path)
  }

  private static func openDirectory(_ name: String, in parent: CInt, path: FilePath) throws(FileSystemError) -> CInt {
    try check("openat", path) { Glibc.openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) }
  }

  private static func removeEntry(_ name: String, in parent: CInt, flags: CInt, path: FilePath) throws(FileSystemError) {
    do {
      try check("unlinkat", path) { unlinkat(parent, name, flags) }
    } catch  where error.errno == .noSuchFileOrDirectory {
      return
    } catch  where error.errno == .permissionDenied {
      _ = fchmod(parent, 0o700)
      try check("unlinkat", path) { unlinkat(parent, name, flags) }
    }
  }
}
