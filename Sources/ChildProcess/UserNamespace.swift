/// User namespaces made, opened and entered (user_namespaces(7)). Which ids they map is decided elsewhere.
import CLinux
import Glibc
import SystemPackage

/// A child process that only holds a new user namespace, so that its ids can be mapped from outside. It ends with this value.
public struct UserNamespaceHolder: ~Copyable {
  public let pid: pid_t
  private let release: CInt

  /// - Throws: why the kernel made no namespace, such as `EPERM` or `ENOSPC`.
  public init() throws(Errno) {
    var release: CInt = -1
    let pid = cl_hold_new_user_namespace(&release)
    guard pid > 0 else { throw Errno(rawValue: errno) }
    self.pid = pid
    self.release = release
  }

  deinit {
    close(release)
    // Another holder may have inherited the descriptor, and then this one would never see its end.
    _ = kill(pid, SIGKILL)
    while waitpid(pid, nil, 0) < 0 && errno == EINTR {}
  }
}

/// A user namespace that stays as long as this value or a process in it.
public struct UserNamespace: ~Copyable {
  private let descriptor: StreamEnd

  /// The namespace a process is in.
  /// - Throws: `ENOENT` when the process is gone, `EACCES` when it is somebody else's.
  public init(of pid: pid_t) throws(Errno) {
    let descriptor = cl_open("/proc/\(pid)/ns/user", O_RDONLY | O_CLOEXEC, 0)
    guard descriptor >= 0 else { throw Errno(rawValue: errno) }
    self.descriptor = StreamEnd(owning: descriptor)
  }

  /// The number by which the kernel tells namespaces apart as long as they live; a later one may get it again.
  public var number: UInt64 {
    var value = stat()
    return fstat(descriptor.descriptor, &value) == 0 ? UInt64(value.st_ino) : 0
  }

  /// Moves this process, which has one thread only, into the namespace, where it holds all capabilities.
  /// - Throws: `EPERM` when the namespace is another user's, `EINVAL` when it is our own or when there are more threads.
  public borrowing func enter() throws(Errno) {
    guard cl_enter_user_namespace(descriptor.descriptor) == 0 else { throw Errno(rawValue: errno) }
  }
}
