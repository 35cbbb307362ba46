/// Folders of the host in which the container's user works as their owner, by mounts with mapped ids (mount_setattr(2), Linux 5.12).
import CLinux
import EnvBundle
import EnvCore
import Glibc
import SafeFS
import SystemPackage

/// Mounts below a bundle, in the container's mount namespace only.
struct MappedMounts {
  let bundle: FilePath
  let reporter: any StageReporter

  /// Puts a mapped mount in the place of every source whose owner is another than `user`.
  ///
  /// The two numbers change places, so that all others, and root's files above all, keep an owner both sides know. A file system that
  /// cannot do it, such as NFS, is used as it is.
  func map(_ requested: [BindMount], for user: RuntimeSpec.User, in mounts: inout [RuntimeSpec.Mount]) throws {
    for mount in requested {
      guard let owner = mount.owner, owner != FileOwner(uid: user.uid, gid: user.gid), !mount.isReadOnly,
        let index = mounts.firstIndex(where: { $0.destination == mount.destination && $0.type == "bind" })
      else { continue }
      let target = bundle.appending("mapped-\(index)")
      try FileSystem.createDirectories(target, mode: 0o700)
      let namespace = cl_user_namespace(Self.exchange(owner.uid, user.uid), Self.exchange(owner.gid, user.gid))
      defer { if namespace >= 0 { close(namespace) } }
      guard namespace >= 0, cl_bind_mapped(mount.source, target.string, namespace) == 0 else {
        reporter.warned(
          "what the container makes in \(mount.destination) will belong to user \(user.uid) and not to \(owner.uid): "
            + "'\(mount.source)' cannot be mounted with other owners (\(lastErrno()))")
        continue
      }
      mounts[index].source = target.string
    }
  }

  /// The map in which `one` and `other` have changed places and all other numbers are themselves.
  static func exchange(_ one: UInt32, _ other: UInt32) -> String {
    guard one != other else { return "0 0 4294967295\n" }
    let (low, high) = (UInt64(min(one, other)), UInt64(max(one, other)))
    // The last number is -1, which stands for no user.
    let parts = [
      (0, 0, low), (low, high, 1), (low + 1, low + 1, high - low - 1), (high, low, 1), (high + 1, high + 1, UInt64(UInt32.max) - high - 1),
    ]
    return parts.filter { $0.2 > 0 }.map { "\($0.0) \($0.1) \($0.2)\n" }.joined()
  }
}
