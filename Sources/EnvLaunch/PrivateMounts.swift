/// Mounts that exist only for the container: made in a mount namespace of one thread and gone with the last process in it.
import CLinux
import EnvCore
import Glibc
import Synchronization
import SystemPackage

/// Work in a mount namespace of its own.
///
/// The host never sees these mounts, so there is nothing to unmount, not even after a kill -9.
enum PrivateMounts {
  /// Runs `body` on a thread of its own; processes it starts stay in the namespace.
  static func run<Value: ~Copyable & Sendable>(_ body: @escaping @Sendable () throws -> Value) throws(LaunchError) -> Value {
    let outcome = Handoff<Value>()
    let thread = EnvCore.Thread {
      do {
        try enterNamespace()
        outcome.put(try body())
      } catch {
        outcome.fail(error)
      }
    }
    thread.join()
    return try launching("preparing the container's mounts") { try outcome.take() }
  }

  private static func enterNamespace() throws(LaunchError) {
    guard cl_unshare_mount_namespace() == 0 else { throw .systemCall("unshare", object: "a mount namespace", errno: lastErrno()) }
    guard cl_make_root_private() == 0 else { throw .systemCall("mount rprivate", object: "/", errno: lastErrno()) }
  }
}

/// The errno of the last failed call of this thread.
func lastErrno() -> Errno { Errno(rawValue: errno) }

/// One value on its way from one thread to another.
private final class Handoff<Value: ~Copyable & Sendable>: Sendable {
  private let value = Mutex<Value?>(nil)
  private let error = Mutex<(any Error)?>(nil)

  func put(_ newValue: consuming sending Value) {
    var newValue: Value? = newValue
    value.withLock { $0 = newValue.take() }
  }

  func fail(_ newError: any Error) { error.withLock { $0 = newError } }

  func take() throws -> Value {
    if let error = error.withLock({ $0 }) { throw error }
    guard let value = value.withLock({ $0.take() }) else { preconditionFailure("the thread left neither value nor error") }
    return value
  }
}
