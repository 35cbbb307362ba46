/// A folder that untrusted names are resolved below, by descriptors and never by string (FACTS: openat2 with RESOLVE_IN_ROOT).
import CLinux
import Glibc
import SystemPackage

/// A root for extraction. No name given to it, and no symbolic link found on the way, leads outside.
public struct RootDirectory: ~Copyable {
  let root: OwnedDescriptor
  /// The parent folder of the last entry: archives list a folder's files one after the other.
  private var cachedParent: (path: RelativePath, descriptor: CInt)?

  public init(_ path: FilePath) throws(FileSystemError) {
    root = try OwnedDescriptor.directory(path)
  }

  /// An open folder as the root.
  public init(_ folder: consuming OwnedDescriptor) { root = folder }

  deinit { if let cachedParent { close(cachedParent.descriptor) } }

  /// What is at `path`; the last component is not followed when it is a link.
  public mutating func status(_ path: RelativePath) throws(FileSystemError) -> FileStatus? {
    guard !path.isRoot else { return try root.status() }
    var value = stat()
    do {
      let folder = try parent(of: path, creating: false)
      try check("fstatat", full(path)) { fstatat(folder, path.name, &value, AT_SYMLINK_NOFOLLOW) }
    } catch  where error.errno == .noSuchFileOrDirectory || error.errno == .notDirectory {
      return nil
    }
    return FileStatus(value)
  }

  public mutating func makeDirectory(_ path: RelativePath) throws(FileSystemError) {
    try makeDirectory(path, in: try parent(of: path, creating: true))
  }

  private func makeDirectory(_ path: RelativePath, in folder: CInt) throws(FileSystemError) {
    try check("mkdirat", full(path)) { mkdirat(folder, path.name, 0o755) }
    // Once more, because mkdirat leaves out what the user's umask forbids.
    try check("fchmodat", full(path)) { fchmodat(folder, path.name, 0o755, AT_SYMLINK_NOFOLLOW) }
  }

  /// Opens a regular file for reading; a link is not followed.
  public mutating func openFile(_ path: RelativePath) throws(FileSystemError) -> OwnedDescriptor {
    let folder = try parent(of: path, creating: false)
    let raw = try check("openat", full(path)) {
      Glibc.openat(folder, path.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    }
    return OwnedDescriptor(owning: raw, path: full(path))
  }

  /// Creates a new file for writing.
  public mutating func createFile(_ path: RelativePath) throws(FileSystemError) -> OwnedDescriptor {
    let folder = try parent(of: path, creating: true)
    let name = path.name
    let raw = try check("openat", full(path)) { cl_openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600) }
    return OwnedDescriptor(owning: raw, path: full(path))
  }

  public mutating func makeSymlink(_ path: RelativePath, target: String) throws(FileSystemError) {
    let folder = try parent(of: path, creating: true)
    try check("symlinkat", full(path)) { symlinkat(target, folder, path.name) }
  }

  /// Gives the file at `target` a second name.
  public mutating func makeHardlink(_ path: RelativePath, target: RelativePath) throws(FileSystemError) {
    // Duplicated, because looking up the new name's parent may replace the cached descriptor.
    let targetFolder = OwnedDescriptor(owning: try duplicate(parent(of: target, creating: false), target), path: full(target))
    let folder = try parent(of: path, creating: true)
    try check("linkat", full(path)) { linkat(targetFolder.rawValue, target.name, folder, path.name, 0) }
  }

  /// Makes a device node, FIFO or socket; `type` is one of `S_IFCHR`, `S_IFBLK`, `S_IFIFO`.
  public mutating func makeNode(_ path: RelativePath, kind: FileStatus.Kind, major: UInt32, minor: UInt32) throws(FileSystemError) {
    let type: UInt32 =
      switch kind {
      case .characterDevice: S_IFCHR
      case .blockDevice: S_IFBLK
      case .fifo: S_IFIFO
      default: S_IFREG
      }
    let folder = try parent(of: path, creating: true)
    try check("mknodat", full(path)) { mknodat(folder, path.name, type | 0o600, cl_makedev(major, minor)) }
  }

  /// Gives what is at `source` another name, in place of what has that name. Links are renamed themselves.
  public mutating func rename(_ source: RelativePath, to target: RelativePath) throws(FileSystemError) {
    let from = OwnedDescriptor(owning: try duplicate(parent(of: source, creating: false), source), path: full(source))
    let folder = try parent(of: target, creating: false)
    try check("renameat", full(target)) { renameat(from.rawValue, source.name, folder, target.name) }
  }

  /// Sets owner, then mode (chown clears set-user-id, so it comes first), then extended attributes (chown drops capabilities), then time.
  public mutating func setAttributes(_ path: RelativePath, _ attributes: FileAttributes, isSymlink: Bool) throws(FileSystemError) {
    let folder = path.isRoot ? root.rawValue : try parent(of: path, creating: false)
    let name = path.isRoot ? "." : path.name
    try check("fchownat", full(path)) { fchownat(folder, name, attributes.uid, attributes.gid, AT_SYMLINK_NOFOLLOW) }
    // In a tree that others write to, a link may have taken the place of what was made.
    if !isSymlink { try check("fchmodat", full(path)) { fchmodat(folder, name, attributes.permissions, AT_SYMLINK_NOFOLLOW) } }
    for (key, value) in attributes.extended { try setExtendedAttribute(path, name: key, value: value) }
    try setModified(path, nanoseconds: attributes.modified)
  }

  /// Sets one extended attribute.
  public mutating func setExtendedAttribute(_ path: RelativePath, name: String, value: [UInt8]) throws(FileSystemError) {
    let folder = path.isRoot ? root.rawValue : try parent(of: path, creating: false)
    let object = full(path)
    // Extended attributes have no *at() calls; the magic link of an O_PATH descriptor names the very inode.
    let node = try check("openat2", object) {
      cl_openat2(folder, path.isRoot ? "." : path.name, UInt64(CL_O_PATH) | UInt64(O_NOFOLLOW | O_CLOEXEC), 0, 0)
    }
    defer { close(node) }
    try check("setxattr \(name)", object) { setxattr("/proc/self/fd/\(node)", name, value, value.count, 0) }
  }

  /// Sets access and modification time.
  public mutating func setModified(_ path: RelativePath, nanoseconds: Int64) throws(FileSystemError) {
    let folder = path.isRoot ? root.rawValue : try parent(of: path, creating: false)
    let name = path.isRoot ? "." : path.name
    try check("utimensat", full(path)) { utimensat(folder, name, timespec.both(nanoseconds), AT_SYMLINK_NOFOLLOW) }
  }

  /// Removes whatever is at `path`, a folder with all it holds.
  public mutating func remove(_ path: RelativePath) throws(FileSystemError) {
    let folder = try parent(of: path, creating: false)
    let object = full(path)
    do {
      try check("unlinkat", object) { unlinkat(folder, path.name, 0) }
    } catch  where error.errno == .isDirectory || error.errno == .notPermitted {
      try FileSystem.removeDirectory(path.name, in: folder, path: object)
    }
    forgetParent()
  }

  /// A descriptor of the folder that holds `path`, owned by this value and valid until the next call.
  mutating func parent(of path: RelativePath, creating: Bool) throws(FileSystemError) -> CInt {
    let folder = path.parent
    if let cachedParent, cachedParent.path == folder { return cachedParent.descriptor }
    let flags = UInt64(O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    let resolve = UInt64(CL_RESOLVE_IN_ROOT | CL_RESOLVE_NO_MAGICLINKS)
    let object = full(folder)
    let open: (CInt) throws(FileSystemError) -> CInt = { root throws(FileSystemError) in
      try check("openat2", object) { cl_openat2(root, folder.isRoot ? "." : folder.string, flags, 0, resolve) }
    }
    let descriptor: CInt
    do {
      descriptor = try open(root.rawValue)
    } catch  where error.errno == .noSuchFileOrDirectory && creating {
      let above = try parent(of: folder, creating: true)
      do {
        try makeDirectory(folder, in: above)
      } catch  where error.errno == .fileExists {
        // A dangling link stands where a folder is needed.
        throw FileSystemError(call: "mkdirat", path: object, errno: .notDirectory)
      }
      descriptor = try open(root.rawValue)
    }
    if let cachedParent { close(cachedParent.descriptor) }
    cachedParent = (folder, descriptor)
    return descriptor
  }

  /// Drops the cached parent: what was removed may have been above it, under this name or another that a link gives it.
  private mutating func forgetParent() {
    guard let cached = cachedParent else { return }
    close(cached.descriptor)
    cachedParent = nil
  }

  private func duplicate(_ descriptor: CInt, _ path: RelativePath) throws(FileSystemError) -> CInt {
    try check("fcntl", full(path)) { fcntl(descriptor, F_DUPFD_CLOEXEC, 0) }
  }

  func full(_ path: RelativePath) -> FilePath { path.isRoot ? root.path : root.path.appending(path.string) }
}

extension OwnedDescriptor {
  /// Sets the attributes of an open file in the order `RootDirectory.setAttributes` gives the reasons for.
  public borrowing func setAttributes(_ attributes: FileAttributes) throws(FileSystemError) {
    let (file, path) = (rawValue, path)
    try check("fchown", path) { fchown(file, attributes.uid, attributes.gid) }
    try check("fchmod", path) { fchmod(file, attributes.permissions) }
    for (key, value) in attributes.extended {
      try check("fsetxattr \(key)", path) { fsetxattr(file, key, value, value.count, 0) }
    }
    try check("futimens", path) { futimens(file, timespec.both(attributes.modified)) }
  }
}

extension timespec {
  /// Access and modification time, the same.
  fileprivate static func both(_ nanoseconds: Int64) -> [timespec] {
    let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
    let time = timespec(tv_sec: Int(rest < 0 ? seconds - 1 : seconds), tv_nsec: Int(rest < 0 ? rest + 1_000_000_000 : rest))
    return [time, time]
  }
}

/// Owner, mode, times and extended attributes of a file that is being made.
public struct FileAttributes: Sendable, Equatable {
  public var permissions: UInt32
  public var uid: UInt32
  public var gid: UInt32
  /// Nanoseconds since the epoch.
  public var modified: Int64
  public var extended: [String: [UInt8]]

  public init(permissions: UInt32, uid: UInt32, gid: UInt32, modified: Int64, extended: [String: [UInt8]] = [:]) {
    self.permissions = permissions
    self.uid = uid
    self.gid = gid
    self.modified = modified
    self.extended = extended
  }
}
