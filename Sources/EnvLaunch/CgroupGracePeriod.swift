/// A wait of the kernel's that is begun before a runtime needs it to be over.
import EnvCore
import Glibc
import SafeFS

/// The time the kernel takes before a process may change its cgroup.
///
/// For the first move it waits until no processor is still in an older section of code (a grace period of RCU: some 10 ms in which nobody
/// works), and for those that come soon after it does not wait again (Linux, kernel/rcu/sync.c, kernel/cgroup/cgroup.c,
/// `cgroup_procs_write_start`). A runtime makes its first move some 15 ms after its own start.
enum CgroupGracePeriod {
  /// Begins the wait beside the work of a runtime that is being started: moves this process to where it is.
  ///
  /// Whoever may not write there, such as an ordinary user, has the runtime wait as before.
  static func begin() {
    Thread.aside {
      guard let file = try? ContainerCgroups(of: getpid()).deviceProcesses else { return }
      try? OwnedDescriptor.open(file, O_WRONLY, mode: 0).write(Array("0".utf8).span.bytes)
    }
  }
}
