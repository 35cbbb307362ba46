/// The overlay that fuse-overlayfs(1) makes for an ordinary user where the kernel makes none. When it is wanted is `OverlayMount`'s business.
import CLinux
import ChildProcess
import EnvCore
import Glibc
import SafeFS
import SystemPackage

/// Why fuse-overlayfs is no way out.
public enum UserSpaceOverlayProblem: Error, Sendable, Equatable {
  case notInstalled
  /// `/dev/fuse` cannot be opened.
  case device(Errno)
  /// The kernel refused a call that comes before the program or after it.
  case systemCall(String, Errno)
  /// The program ended with this message.
  case refused(String)
}

/// An overlay served by a process, which ends when nobody sees the mount any more.
struct UserSpaceOverlay {
  private let overlay: OverlayMount

  init(of overlay: OverlayMount) { self.overlay = overlay }

  /// Mounts it in a new mount namespace of the calling thread.
  ///
  /// A process that serves a mount must not keep it by being in the namespace that has it: both would stay for ever. So the mount is made
  /// nowhere, the process is started on the kernel's end of it, and only a namespace without that process gets to see it. Whenever envctl is
  /// killed, the kernel ends what nobody can reach.
  func mount() throws {
    guard let program = try? Executable.find("fuse-overlayfs") else { throw UserSpaceOverlayProblem.notInstalled }
    let device = try openDevice()
    let raw = cl_fuse_mount("fuse-overlayfs", device.rawValue)
    guard raw >= 0 else { throw UserSpaceOverlayProblem.systemCall("fsmount", lastErrno()) }
    let mount = OwnedDescriptor(owning: raw, path: overlay.target)
    try serve(with: program, device)
    guard cl_unshare_mount_namespace() == 0 else { throw UserSpaceOverlayProblem.systemCall("unshare", lastErrno()) }
    guard cl_attach_mount(mount.rawValue, overlay.target.string) == 0 else {
      throw UserSpaceOverlayProblem.systemCall("move_mount", lastErrno())
    }
  }

  private func openDevice() throws -> OwnedDescriptor {
    do {
      return try OwnedDescriptor.open("/dev/fuse", O_RDWR, mode: 0)
    } catch {
      throw UserSpaceOverlayProblem.device(error.errno)
    }
  }

  /// Starts the program, which goes on in the background as soon as it is ready.
  private func serve(with program: FilePath, _ device: borrowing OwnedDescriptor) throws {
    let folder = Self.commonFolder(of: overlay.layers + [overlay.upper, overlay.work])
    // Its own descriptor 3 in the place of a mount point: libfuse's sign that the mount is made already (fuse_session_mount).
    var command = Command(program, ["-o", Self.options(of: overlay, in: folder), "/dev/fd/3"], environment: ["PATH": "/usr/bin:/bin"])
    command.workingDirectory = folder
    command.keptDescriptor = FileDescriptor(rawValue: device.rawValue)
    command.standardOutput = .null
    command.processGroup = .newSession
    let completion = try command.run(deadline: .seconds(30))
    guard completion.status.isSuccess else {
      let message = completion.errorText.split(separator: "\n").last.map(String.init)
      throw UserSpaceOverlayProblem.refused(message ?? "it ended with \(completion.status)")
    }
  }

  /// Paths are relative to `folder`: what the user has chosen of them may hold a comma or a colon, which no version before 1.15 takes.
  static func options(of overlay: OverlayMount, in folder: FilePath) -> String {
    func name(_ path: FilePath) -> String {
      var path = path
      _ = path.removePrefix(folder)
      return path.string
    }
    return "lowerdir=\(overlay.layers.reversed().map(name).joined(separator: ":")),upperdir=\(name(overlay.upper)),"
      + "workdir=\(name(overlay.work))" + (overlay.isVolatile ? ",volatile" : "")
  }

  /// The nearest folder that all of `paths` lie in.
  static func commonFolder(of paths: [FilePath]) -> FilePath {
    var folder = paths.first?.removingLastComponent() ?? "/"
    while !folder.components.isEmpty, !paths.allSatisfy({ $0.starts(with: folder) }) { folder.removeLastComponent() }
    return folder
  }
}

extension UserSpaceOverlayProblem {
  var summary: String {
    switch self {
    case .notInstalled: "fuse-overlayfs is not installed"
    case .device(let errno): "/dev/fuse, which fuse-overlayfs needs, cannot be opened: \(errno)"
    case .systemCall(let call, let errno): "\(call) for fuse-overlayfs failed: \(errno)"
    case .refused(let message): "fuse-overlayfs cannot either: \(message)"
    }
  }

  var hint: String {
    let otherwise = "set ENVCTL_HOME to a folder on a local disk"
    switch self {
    case .notInstalled: return otherwise + "; or apt install fuse-overlayfs"
    case .device(.noSuchFileOrDirectory), .device(.noSuchAddressOrDevice), .device(.operationNotSupportedByDevice):
      return otherwise + "; or, as root: modprobe fuse"
    case .device: return otherwise + "; or, as root: chmod 666 /dev/fuse"
    case .systemCall, .refused: return otherwise
    }
  }
}
