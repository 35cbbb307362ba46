/// A walk over a tree in the order of the names' bytes, by descriptors, following no link.
import CLinux
import Glibc
import SystemPackage

/// One file met on a walk. It is valid during the call it is given to.
public struct TreeNode: ~Copyable {
  /// Path below the root without a leading slash; empty for the root itself.
  public let path: String
  public let status: FileStatus
  /// 0 for the root, 1 for what lies in it.
  public let depth: Int
  private let folder: CInt
  /// The bytes of the name with their NUL; `path` shows those that are not UTF-8 as U+FFFD.
  private let name: [CChar]
  private let root: FilePath

  fileprivate init(path: String, status: FileStatus, depth: Int, folder: CInt, name: [CChar], root: FilePath) {
    self.path = path
    self.status = status
    self.depth = depth
    self.folder = folder
    self.name = name
    self.root = root
  }

  /// Whether `path` names the file as it is: a name need not be UTF-8.
  public var hasTextName: Bool { name.dropLast().elementsEqual(FileSystem.text(of: name).utf8.lazy.map { CChar(bitPattern: $0) }) }

  /// The bytes of the name with their NUL; of the root there is only that.
  borrowing func withNameBytes(_ body: (UnsafeRawBufferPointer) -> Void) {
    if depth == 0 { withUnsafeBytes(of: UInt8(0)) { body($0) } } else { name.withUnsafeBytes { body($0) } }
  }

  private var fullPath: FilePath { path.isEmpty ? root : root.appending(path) }

  /// Where a symbolic link points.
  public borrowing func linkTarget() throws(FileSystemError) -> String {
    let buffer = UnsafeMutablePointer<CChar>.allocate(capacity: Int(PATH_MAX))
    defer { buffer.deallocate() }
    let (folder, name, path) = (folder, name, fullPath)
    let count = try check("readlinkat", path) { readlinkat(folder, name, buffer, Int(PATH_MAX)) }
    return String(decoding: UnsafeRawBufferPointer(start: buffer, count: count), as: UTF8.self)
  }

  /// All extended attributes this process may see.
  public borrowing func extendedAttributes() throws(FileSystemError) -> [String: [UInt8]] {
    // The l-variants take paths only; the magic link makes the path relative to the folder that was really opened.
    let path = Array("/proc/self/fd/\(folder)/".utf8CString.dropLast()) + name
    let object = fullPath
    return try path.withUnsafeBufferPointer { path throws(FileSystemError) in
      guard let base = path.baseAddress else { return [:] }
      return try readExtendedAttributes(base, object: object, list: llistxattr, get: lgetxattr)
    }
  }
}

/// Names and values of all extended attributes of the file at `path`, by the calls that follow its last link or by those that do not.
func readExtendedAttributes(
  _ path: UnsafePointer<CChar>, object: FilePath,
  list: (UnsafePointer<CChar>?, UnsafeMutablePointer<CChar>?, Int) -> Int,
  get: (UnsafePointer<CChar>?, UnsafePointer<CChar>?, UnsafeMutableRawPointer?, Int) -> Int
) throws(FileSystemError) -> [String: [UInt8]] {
  let count: Int
  do {
    count = try check("listxattr", object) { list(path, nil, 0) }
  } catch  where error.errno == .notSupportedOnSocket || error.errno == .notSupported {
    return [:]
  }
  guard count > 0 else { return [:] }
  var names = [CChar](repeating: 0, count: count)
  let filled = try check("listxattr", object) { list(path, &names, names.count) }
  var attributes: [String: [UInt8]] = [:]
  for name in names[..<filled].split(separator: 0) {
    let key = String(decoding: name.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let size = try check("getxattr", object) { get(path, key, nil, 0) }
    var value = [UInt8](repeating: 0, count: size)
    let read = try check("getxattr", object) { get(path, key, &value, value.count) }
    attributes[key] = Array(value[..<read])
  }
  return attributes
}

extension FileSystem {
  /// Calls `body` for the root and everything below it, folders before what they hold, siblings in the order of their bytes.
  public static func walk(_ root: FilePath, _ body: (borrowing TreeNode) throws -> Void) throws {
    let folder = try OwnedDescriptor.directory(root)
    try body(TreeNode(path: "", status: folder.status(), depth: 0, folder: folder.rawValue, name: [46, 0], root: root))
    try walk(folder.rawValue, path: "", depth: 1, root: root, body)
  }

  private static func walk(
    _ folder: CInt, path: String, depth: Int, root: FilePath, _ body: (borrowing TreeNode) throws -> Void
  ) throws {
    for name in try names(in: folder, path: root.appending(path)) {
      let text = text(of: name)
      let childPath = path.isEmpty ? text : path + "/" + text
      var value = stat()
      try check("fstatat", root.appending(childPath)) { fstatat(folder, name, &value, AT_SYMLINK_NOFOLLOW) }
      let status = FileStatus(value)
      try body(TreeNode(path: childPath, status: status, depth: depth, folder: folder, name: name, root: root))
      guard status.kind == .directory else { continue }
      let raw = try check("openat", root.appending(childPath)) {
        Glibc.openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
      }
      let child = OwnedDescriptor(owning: raw, path: root.appending(childPath))
      try walk(child.rawValue, path: childPath, depth: depth + 1, root: root, body)
    }
  }

  /// The names in an open folder in the order of their bytes, each with its NUL, without `.` and `..`.
  static func names(in folder: CInt, path: FilePath) throws(FileSystemError) -> [[CChar]] {
    // Without opendir(3), which takes six system calls more for each folder.
    try check("lseek", path) { lseek(folder, 0, SEEK_SET) }
    var names: [[CChar]] = []
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 15, alignment: 8)
    defer { buffer.deallocate() }
    while true {
      let count = try records(in: folder, path: path, buffer)
      // strcmp(3) compares bytes as unsigned, whatever the locale.
      if count == 0 { return names.sorted { strcmp($0, $1) < 0 } }
      var record = 0
      while record < count {
        // The kernel's record (getdents(2)): its length at 16, the name with its NUL from 19 on.
        let length = Int(buffer.loadUnaligned(fromByteOffset: record + 16, as: UInt16.self))
        let name = UnsafeRawBufferPointer(rebasing: buffer[(record + 19)..<(record + length)]).bindMemory(to: CChar.self)
        let bytes = Array(name[...(name.firstIndex(of: 0) ?? name.endIndex - 1)])
        if bytes != [46, 0], bytes != [46, 46, 0] { names.append(bytes) }
        record += length
      }
    }
  }

  /// Bytes of the next records; 0 at the end, which is also that of a folder that has been removed (readdir(3) tells no difference).
  private static func records(in folder: CInt, path: FilePath, _ buffer: UnsafeMutableRawBufferPointer) throws(FileSystemError) -> Int {
    do {
      return try check("getdents64", path) { cl_getdents(folder, buffer.baseAddress, buffer.count) }
    } catch  where error.errno == .noSuchFileOrDirectory {
      return 0
    }
  }

  /// A name as text; bytes that are not UTF-8 become U+FFFD.
  static func text(of name: [CChar]) -> String {
    name.withUnsafeBytes { String(decoding: $0.dropLast(), as: UTF8.self) }
  }
}
