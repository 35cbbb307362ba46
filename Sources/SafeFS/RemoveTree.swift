/// Removal of whole trees by descriptors, so that a link planted half-way cannot lead the removal outside.
import EnvCore
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

  /// Removes all files below the folder `path` and puts its folders, now empty, into the folder `shelf` of the same file system.
  ///
  /// For those who cannot wait for rmdir(2); `sweep` removes what lies on the shelf when there is time.
  public static func removeFiles(of path: FilePath, shelvingFoldersIn shelf: FilePath) throws(FileSystemError) {
    let parent = try OwnedDescriptor.directory(path.removingLastComponent())
    let name = path.lastComponent?.string ?? "."
    let target = try OwnedDescriptor.directory(shelf)
    var removal = TreeRemoval(shelf: target.rawValue)
    try removal.empty(try openWritable(name, in: parent.rawValue, path: path), path: path)
    try removal.shelve(name, from: parent.rawValue, path: path)
  }

  /// Removes the empty folders on a shelf. Several processes may do so at once, and others may put folders there.
  public static func sweep(shelf: FilePath) throws(FileSystemError) {
    let folder = try OwnedDescriptor.directory(shelf)
    for name in try list(shelf) { try removeEntry(name, in: folder.rawValue, flags: AT_REMOVEDIR, path: shelf.appending(name)) }
  }

  static func removeDirectory(_ name: String, in parent: CInt, path: FilePath) throws(FileSystemError) {
    let top = try openWritable(name, in: parent, path: path)
    var removal = TreeRemoval(shelf: top.rawValue)
    try removal.empty(top, path: path)
    try removal.removeFolders(path: path)
    try removeEntry(name, in: parent, flags: AT_REMOVEDIR, path: path)
  }

  fileprivate static func openWritable(_ name: String, in parent: CInt, path: FilePath) throws(FileSystemError) -> OwnedDescriptor {
    do {
      return try openDirectory(name, in: parent, path: path)
    } catch  where error.errno == .permissionDenied {
      _ = fchmodat(parent, name, 0o700, 0)
      return try openDirectory(name, in: parent, path: path)
    }
  }

  private static func openDirectory(_ name: String, in parent: CInt, path: FilePath) throws(FileSystemError) -> OwnedDescriptor {
    let raw = try check("openat", path) { Glibc.openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) }
    return OwnedDescriptor(owning: raw, path: path)
  }

  fileprivate static func removeEntry(_ name: String, in parent: CInt, flags: CInt, path: FilePath) throws(FileSystemError) {
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

/// One removal: files go at once; emptied folders are moved side by side into one folder, the shelf, and removed there at the same time.
///
/// rmdir(2) can wait milliseconds for the kernel without working (2.3 ms each on ext4, Linux 6.18), and a rename does not;
/// one after another, the folders of an unpacked layer would take seconds.
private struct TreeRemoval {
  private static let width = 16
  private let prefix = ".removed-\(FileSystem.uniqueSuffix())-"
  private let shelf: CInt
  private var emptied: [String] = []

  init(shelf: CInt) { self.shelf = shelf }

  mutating func empty(_ folder: borrowing OwnedDescriptor, path: FilePath) throws(FileSystemError) {
    let raw = folder.rawValue
    for child in try entries(of: raw, path: path) {
      let childPath = path.appending(child.name)
      guard child.isDirectory else {
        try FileSystem.removeEntry(child.name, in: raw, flags: 0, path: childPath)
        continue
      }
      try empty(try FileSystem.openWritable(child.name, in: raw, path: childPath), path: childPath)
      try shelve(child.name, from: raw, path: childPath)
    }
  }

  func removeFolders(path: FilePath) throws(FileSystemError) {
    let shelf = shelf
    do {
      _ = try concurrentMap(emptied, width: Self.width) { name in
        try FileSystem.removeEntry(name, in: shelf, flags: AT_REMOVEDIR, path: path.appending(name))
      }
    } catch let error as FileSystemError {
      throw error
    } catch {
      preconditionFailure("removeEntry throws FileSystemError only: \(error)")
    }
  }

  mutating func shelve(_ name: String, from folder: CInt, path: FilePath) throws(FileSystemError) {
    let newName = prefix + String(emptied.count)
    let shelf = shelf
    do {
      try check("renameat", path) { renameat(folder, name, shelf, newName) }
    } catch  where error.errno == .permissionDenied {
      // Moving a folder changes its "..", so it must be writable itself as well as the one it leaves.
      _ = fchmod(folder, 0o700)
      _ = fchmodat(folder, name, 0o700, 0)
      try check("renameat", path) { renameat(folder, name, shelf, newName) }
    }
    emptied.append(newName)
  }

  private func entries(of folder: CInt, path: FilePath) throws(FileSystemError) -> [(name: String, isDirectory: Bool)] {
    let copy = try check("fcntl", path) { fcntl(folder, F_DUPFD_CLOEXEC, 0) }
    guard let stream = fdopendir(copy) else {
      let error = currentErrno()
      close(copy)
      throw FileSystemError(call: "fdopendir", path: path, errno: error)
    }
    defer { closedir(stream) }
    var children: [(name: String, isDirectory: Bool)] = []
    while let entry = readdir(stream) {
      // d_name is a NUL-terminated array inside the entry, which lives until the next readdir.
      let child = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if child != "." && child != ".." { children.append((child, entry.pointee.d_type == UInt8(DT_DIR))) }
    }
    return children
  }
}
