/// People without root, as whom tests run the program.
import Glibc
import SafeFS
import SystemPackage

public enum OrdinaryUser {
  /// Has subordinate ids; scripts/test makes it.
  public static let name = "envctl-test"
  /// Every Debian has it, without subordinate ids.
  public static let nameWithoutIDs = "nobody"

  static var hasIDs: Bool {
    getpwnam(name) != nil && Tool.path("newuidmap") != nil
      && ["/etc/subuid", "/etc/subgid"].allSatisfy { file in
        let bytes = (try? FileSystem.readFile(FilePath(file))) ?? []
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").contains { $0.hasPrefix(name + ":") }
      }
  }
}

/// Runs `body` with an empty folder on a disk that belongs to `user`, and removes it with all that was made there.
public func withFolder<Result>(ownedBy user: String, _ body: (FilePath) throws -> Result) throws -> Result {
  let folder = FilePath("/var/tmp/envctl-test-" + FileSystem.uniqueSuffix())
  try FileSystem.createDirectories(folder, mode: 0o755)
  defer { try? FileSystem.removeTree(folder) }
  try giveTree(folder, to: user)
  return try body(folder)
}

/// Makes `user` the owner of a folder and of everything in it.
public func giveTree(_ folder: FilePath, to user: String) throws {
  guard try Tool.run("chown", "-R", user + ":", folder.string).status == 0 else { throw Errno.notPermitted }
}
