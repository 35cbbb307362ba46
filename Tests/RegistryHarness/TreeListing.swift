/// A tree as lines that two unpackers must agree on, and the overlay that shows layers as a container sees them.
import CLinux
import EnvCore
import Glibc
import Hashing
import SafeFS
import SystemPackage
import TestSupport

public enum TreeListing {
  /// One line for each file: kind, mode, owner, time, size and content or target or device, attributes, and which names share an inode.
  /// The root itself is not listed: in a container it is the folder of the workspace.
  public static func lines(_ root: FilePath) throws -> [String] {
    var firstNames: [UInt64: String] = [:]
    var lines: [String] = []
    try FileSystem.walk(root) { node in
      guard !node.path.isEmpty else { return }
      let status = node.status
      var line = "/\(node.path) \(status.kind) \(String(status.permissions, radix: 8)) \(status.uid):\(status.gid) \(status.modified)"
      switch status.kind {
      case .file:
        // A hardlink's first name depends on the order of the walk, which is that of the names.
        let first = firstNames[status.inode, default: node.path]
        firstNames[status.inode] = first
        line += " \(status.size) links=\(status.linkCount) same=/\(first) "
        line += Digest.sha256(of: try FileSystem.readFile(root.appending(node.path), limit: 1 << 28)).short
      case .symlink: line += " -> " + (try node.linkTarget())
      case .characterDevice, .blockDevice: line += " \(status.device.major):\(status.device.minor)"
      default: break
      }
      let attributes = try node.extendedAttributes().filter { !$0.key.hasPrefix("trusted.overlay.") && $0.key != "security.selinux" }
      lines.append(line + attributes.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined())
    }
    return lines.sorted()
  }

  /// The lines of `layers`, lowest first, mounted over one another. Needs root.
  public static func mounted(_ layers: [FilePath]) throws -> [String] {
    try onThread {
      try withTemporaryFolder { folder in
        // This thread's own mount namespace: nobody else sees the mount, and it ends with the thread.
        guard cl_unshare_mount_namespace() == 0 else { throw Errno(rawValue: errno) }
        let (target, empty) = (folder.appending("merged"), folder.appending("empty"))
        for path in [target, empty] { try FileSystem.createDirectories(path) }
        // overlayfs wants two lower folders where there is no upper one; an empty one at the bottom adds nothing.
        let lower = (layers.reversed() + [empty]).map(\.string).joined(separator: ":")
        for arguments in [["--make-rprivate", "/"], ["-t", "overlay", "overlay", "-o", "lowerdir=\(lower)", target.string]] {
          let output = try Tool.run("mount", arguments)
          guard output.status == 0 else { throw HarnessError.toolFailed("mount", output.text) }
        }
        defer { _ = try? Tool.run("umount", target.string) }
        return try lines(target)
      }
    }
  }

  /// What umoci makes of an image in a layout.
  public static func umoci(layout: FilePath, tag: String = "v1") throws -> [String] {
    try withTemporaryFolder { folder in
      let bundle = folder.appending("bundle")
      let output = try Tool.run("umoci", "unpack", "--image", "\(layout):\(tag)", bundle.string)
      guard output.status == 0 else { throw HarnessError.toolFailed("umoci", output.text) }
      return try lines(bundle.appending("rootfs"))
    }
  }

  /// What GNU tar makes of one archive.
  public static func tar(_ archive: [UInt8]) throws -> [String] {
    try withTemporaryFolder { folder in
      let (file, tree) = (folder.appending("layer.tar"), folder.appending("tree"))
      try FileSystem.writeAtomically(archive, to: file)
      try FileSystem.createDirectories(tree)
      let output = try Tool.run("tar", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-xpf", file.string, "-C", tree.string)
      guard output.status == 0 else { throw HarnessError.toolFailed("tar", output.text) }
      return try lines(tree)
    }
  }

  /// The lines only one of the two has, for a message.
  public static func difference(ours: [String], theirs: [String]) -> String {
    let (ours, theirs) = (Set(ours), Set(theirs))
    return (ours.subtracting(theirs).map { "ours   " + $0 } + theirs.subtracting(ours).map { "theirs " + $0 }).sorted().joined(
      separator: "\n")
  }
}
