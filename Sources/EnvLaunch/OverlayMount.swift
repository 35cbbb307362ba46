/// A root filesystem made of an image's layers and a writable folder (kernel: Documentation/filesystems/overlayfs.rst).
import CLinux
import EnvCore
import SafeFS
import SystemPackage

/// An overlay mount. Where it becomes visible is the caller's mount namespace.
struct OverlayMount: Sendable {
  /// Unpacked layers, lowest first.
  var layers: [FilePath]
  var upper: FilePath
  var work: FilePath
  var target: FilePath
  /// The upper folder will be thrown away, so its data need not be safe on the disk when the mount ends.
  var isVolatile: Bool

  private let owners = OwnerIDs.current

  /// The options are one page at most for mount(2).
  private static let longestOptions = 4095

  func mount() throws(LaunchError) {
    try launching("mounting the root filesystem") {
      do {
        try mount(isVolatile: isVolatile)
      } catch LaunchError.systemCall(_, _, .invalidArgument) where isVolatile {
        // Kernels before 5.10 do not know the option, and it is only a saving.
        try mountLasting()
      } catch let error as LaunchError {
        try mountInUserSpace(instead: error)
      }
    }
  }

  private func mountLasting() throws {
    do {
      try mount(isVolatile: false)
    } catch let error as LaunchError {
      try mountInUserSpace(instead: error)
    }
  }

  /// What a kernel before 5.11 refuses in a user namespace, and any kernel on a file system that cannot hold an upper folder, a program does.
  private func mountInUserSpace(instead refusal: LaunchError) throws {
    guard owners != .all, case .systemCall(_, _, let errno) = refusal else { throw refusal }
    do {
      try UserSpaceOverlay(of: self).mount()
    } catch let problem as UserSpaceOverlayProblem {
      throw LaunchError.overlayRefused(target.string, errno, inUserSpace: problem)
    }
  }

  /// Folders are named by descriptors: short, so that some 200 layers fit into the options, and free of `:` and `,`.
  private func mount(isVolatile: Bool) throws {
    let folders = DescriptorList()
    // The names below stand for these descriptors, which the compiler does not know.
    defer { withExtendedLifetime(folders) {} }
    // Opened in this namespace: overlayfs refuses folders of another one.
    for path in [upper, work] + layers.reversed() { try folders.open(path) }
    let names = folders.magicLinks
    // index: off, because layers are shared by many overlays at once. metacopy: off, so that the upper folder alone holds each changed
    // file whole, and for safety with uppers written by containers. redirect_dir: off, so that a renamed folder is a copy that can be read.
    // userxattr, for a user namespace, implies the last two and refuses to be told so.
    let options =
      "lowerdir=\(names[2...].joined(separator: ":")),upperdir=\(names[0]),workdir=\(names[1]),index=off"
      + (owners == .all ? ",metacopy=off,redirect_dir=off" : ",userxattr") + (isVolatile ? ",volatile" : "")
    guard options.utf8.count <= Self.longestOptions else { throw LaunchError.tooManyLayers(layers.count) }
    guard cl_mount("overlay", target.string, "overlay", 0, options) == 0 else {
      throw LaunchError.systemCall("mount overlay", object: target.string, errno: lastErrno())
    }
  }
}

/// A folder in memory, for the few small files of a container that nobody needs after it.
enum MemoryMount {
  static func make(at folder: FilePath) throws(LaunchError) {
    guard cl_mount("tmpfs", folder.string, "tmpfs", 0, "size=16m,mode=700") == 0 else {
      throw .systemCall("mount tmpfs", object: folder.string, errno: lastErrno())
    }
  }
}

/// Open folders and the names by which the kernel finds them again.
private final class DescriptorList {
  private var descriptors: [FileDescriptor] = []

  deinit { for descriptor in descriptors { try? descriptor.close() } }

  func open(_ path: FilePath) throws {
    do {
      descriptors.append(try FileDescriptor.open(path, .readOnly, options: [.directory, .closeOnExec, .noFollow]))
    } catch let errno as Errno {
      throw FileSystemError(call: "open", path: path, errno: errno)
    }
  }

  var magicLinks: [String] { descriptors.map { "/proc/self/fd/\($0.rawValue)" } }
}
