/// Replacing a file that somebody else may be editing: only when it still holds what was read, keeping mode and owner.
import Glibc
import SystemPackage

extension FileSystem {
  /// Replaces the content of a regular file atomically. A final symbolic link is not followed.
  ///
  /// - Throws: `FileSystemError`; `ESTALE` when the file does not hold `old` any more.
  public static func replaceFile(_ path: FilePath, expecting old: [UInt8], with new: [UInt8]) throws(FileSystemError) {
    let before = try OwnedDescriptor.read(path).status()
    guard before.kind == .file else { throw FileSystemError(call: "open", path: path, errno: .invalidArgument) }
    let folder = path.removingLastComponent()
    let temporary = folder.appending(".\(path.lastComponent?.string ?? "file").\(uniqueSuffix())")
    do throws(FileSystemError) {
      let file = try OwnedDescriptor.create(temporary, mode: 0o600)
      try file.write(new.span.bytes)
      let raw = file.rawValue
      // chown before chmod, because chown clears set-user-id. An ordinary user replacing somebody else's file becomes its owner.
      if before.uid != geteuid() || before.gid != getegid() { _ = fchown(raw, before.uid, before.gid) }
      try check("fchmod", temporary) { fchmod(raw, before.permissions) }
      try file.sync()
      // As late as can be: what others write from here on is lost, as with every editor that renames.
      let now = try status(path)
      guard now?.inode == before.inode, now?.changed == before.changed, try readFile(path) == old else {
        throw FileSystemError(call: "rename", path: path, errno: .staleNFSFileHandle)
      }
      try rename(temporary, to: path)
    } catch {
      _ = temporary.withPlatformString { Glibc.unlink($0) }
      throw error
    }
    try syncDirectory(folder)
  }
}
