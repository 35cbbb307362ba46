/// Copies of files and whole folders into another root, by descriptors: no link on either side leads out of its root.
import EnvCore
import Glibc
import SystemPackage

/// Copies into one folder. Links inside of what is copied stay links; devices, FIFOs, sockets and what has a name that is no text are left
/// out.
public struct TreeCopy: ~Copyable {
  private var target: RootDirectory
  private let owner: (uid: UInt32, gid: UInt32)
  /// What was not copied, as paths below the folder that was.
  public private(set) var leftOut: [String] = []
  public private(set) var fileCount = 0
  /// Of the files' content.
  public private(set) var byteCount: Int64 = 0

  /// - Parameter folder: Whoever owns it will own the copies.
  public init(into folder: consuming OwnedDescriptor) throws(FileSystemError) {
    let status = try folder.status()
    owner = (status.uid, status.gid)
    target = RootDirectory(folder)
  }

  /// Copies an open file or folder to `place`. A folder that is there is added to; a file that is there is replaced in one step.
  ///
  /// - Throws: `CopyError` when the folder copied into is part of what is copied, which would have no end.
  public mutating func copy(_ source: borrowing OwnedDescriptor, to place: RelativePath) throws {
    guard try source.status().kind == .directory else { return try copyFile(source, to: place) }
    let root = FilePath("/proc/self/fd/\(source.rawValue)")
    var files = try RootDirectory(root)
    // Folders get their times last: what is made in them would change those.
    var folders: [(path: RelativePath, status: FileStatus)] = []
    let holder = try target.status(.root)
    var nameless: String?
    try FileSystem.walk(root) { node in
      if let nameless, node.path.utf8.starts(with: (nameless + "/").utf8) { return }
      nameless = nil
      guard node.hasTextName else {
        nameless = node.path
        return leftOut.append(node.path)
      }
      if let holder, node.status.isSameFile(as: holder) { throw CopyError.intoItself(folder: source.path) }
      let path = node.path.isEmpty ? place : try place.appending(node.path)
      switch node.status.kind {
      case .directory: if try makeFolder(path) { folders.append((path, node.status)) }
      case .symlink: try makeLink(path, target: try node.linkTarget(), status: node.status)
      case .file: try copyFile(try files.openFile(RelativePath(node.path)), to: path)
      default: leftOut.append(node.path)
      }
    }
    for (path, status) in folders.reversed() { try target.setAttributes(path, attributes(status), isSymlink: false) }
  }

  /// Whether it was made; false when it is there already.
  private mutating func makeFolder(_ path: RelativePath) throws(FileSystemError) -> Bool {
    if path.isRoot { return false }
    guard let present = try target.status(path) else {
      try target.makeDirectory(path)
      return true
    }
    guard present.kind == .directory else { throw FileSystemError(call: "mkdirat", path: target.full(path), errno: .fileExists) }
    return false
  }

  private mutating func makeLink(_ path: RelativePath, target destination: String, status: FileStatus) throws {
    let fresh = try beside(path)
    do {
      try target.makeSymlink(fresh, target: destination)
      try target.setAttributes(fresh, attributes(status), isSymlink: true)
      try target.rename(fresh, to: path)
    } catch {
      try? target.remove(fresh)
      throw error
    }
  }

  private mutating func copyFile(_ source: borrowing OwnedDescriptor, to path: RelativePath) throws {
    let status = try source.status()
    guard status.kind == .file else { return leftOut.append(path.string) }
    let fresh = try beside(path)
    do {
      let file = try target.createFile(fresh)
      try source.forEachChunk { chunk in
        try file.write(chunk)
        byteCount += Int64(chunk.byteCount)
      }
      try file.setAttributes(attributes(status))
      try target.rename(fresh, to: path)
    } catch {
      try? target.remove(fresh)
      throw error
    }
    fileCount += 1
  }

  /// A name of its own in the same folder.
  private func beside(_ path: RelativePath) throws -> RelativePath {
    try path.parent.appending(".\(FileSystem.uniqueSuffix()).copy")
  }

  /// Nobody becomes another user by a copy: set-user-id and set-group-id stay behind.
  private func attributes(_ status: FileStatus) -> FileAttributes {
    FileAttributes(permissions: status.permissions & 0o1777, uid: owner.uid, gid: owner.gid, modified: status.modified)
  }
}

/// Why a copy cannot be made.
public enum CopyError: Diagnostic, Equatable {
  case intoItself(folder: FilePath)

  public var summary: String {
    switch self {
    case .intoItself: "a folder cannot be copied into itself"
    }
  }
  public var hint: String? { "copy it to a place outside of it, or copy what is in it one by one" }
}
