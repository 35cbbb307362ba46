/// Removal of whole trees by descriptors, so that a link planted half-way cannot lead the removal outside.
import Glibc
import SystemPackage

extension FileSystem {
  /// Below this depth folders are moved up before they are removed, so that no tree needs more descriptors than a process may have.
  private static let deepestRemoval = 64

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
    let name = Array(name.utf8CString)
    let top = try openDirectory(name, in: parent, path: path)
    while try removeContents(of: top.rawValue, depth: 0, top: top.rawValue, path: path) {}
    try changing(parent, "unlinkat", path) { unlinkat(parent, name, AT_REMOVEDIR) }
  }

  /// Returns whether a folder was moved up to `top`, which is then not empty yet.
  private static func removeContents(of folder: CInt, depth: Int, top: CInt, path: FilePath) throws(FileSystemError) -> Bool {
    var hasMoved = false
    for name in try names(in: folder, path: path) {
      let child = path.appending(text(of: name))
      do {
        try changing(folder, "unlinkat", child) { unlinkat(folder, name, 0) }
      } catch  where error.errno == .isDirectory {
        let opened = try openDirectory(name, in: folder, path: child)
        if depth == deepestRemoval {
          let target = uniqueSuffix()
          _ = fchmod(opened.rawValue, 0o700)  // Moving a folder writes its `..`.
          try changing(folder, "renameat", child) { renameat(folder, name, top, target) }
          hasMoved = true
        } else {
          hasMoved = try removeContents(of: opened.rawValue, depth: depth + 1, top: top, path: child) || hasMoved
          try changing(folder, "unlinkat", child) { unlinkat(folder, name, AT_REMOVEDIR) }
        }
      }
    }
    return hasMoved
  }

  private static func openDirectory(_ name: [CChar], in parent: CInt, path: FilePath) throws(FileSystemError) -> OwnedDescriptor {
    let open = { Glibc.openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) }
    do {
      return OwnedDescriptor(owning: try check("openat", path, open), path: path)
    } catch  where error.errno == .permissionDenied {
      _ = fchmodat(parent, name, 0o700, 0)
      return OwnedDescriptor(owning: try check("openat", path, open), path: path)
    }
  }

  /// Makes a call that changes the entries of `folder`, once more with the folder made writable when that was what it lacked.
  /// An entry that somebody else has removed is as good as removed.
  private static func changing(_ folder: CInt, _ call: String, _ path: FilePath, _ body: () -> CInt) throws(FileSystemError) {
    do {
      try check(call, path, body)
    } catch  where error.errno == .permissionDenied {
      _ = fchmod(folder, 0o700)
      try check(call, path, body)
    } catch  where error.errno == .noSuchFileOrDirectory {}
  }
}
