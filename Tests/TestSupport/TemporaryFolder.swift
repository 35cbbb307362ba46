/// Folders that last as long as one test, and threads that see the file system differently.
import CLinux
import EnvCore
import Glibc
import SafeFS
import Synchronization
import SystemPackage

/// Runs `body` with an empty folder and removes it afterwards. In memory, because the store waits for a disk's whole file system.
public func withTemporaryFolder<Result>(_ body: (FilePath) throws -> Result) throws -> Result {
  let memory = "/dev/shm"
  let base = getenv("TMPDIR").map { String(cString: $0) } ?? (access(memory, W_OK) == 0 ? memory : "/tmp")
  let folder = FilePath(base).appending("envctl-test-" + FileSystem.uniqueSuffix())
  try FileSystem.createDirectories(folder, mode: 0o755)
  defer { try? FileSystem.removeTree(folder) }
  return try body(folder)
}

/// Runs `body` on a thread of its own that the kernel treats as an ordinary user when it touches files. Needs root.
public func asOrdinaryUser<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) throws -> Result {
  try onThread {
    // setfsuid(2) acts on one thread and takes its file capabilities away; Swift's Glibc module does not show it.
    typealias SetFileSystemUser = @convention(c) (uid_t) -> CInt
    guard let symbol = dlsym(nil, "setfsuid") else { throw Errno.notSupported }
    _ = unsafeBitCast(symbol, to: SetFileSystemUser.self)(65534)
    return try body()
  }
}

/// Runs `body` under a umask that only the calling thread has. Needs root, and a thread that ends afterwards.
public func withPrivateUmask<Result>(_ mask: mode_t, _ body: () throws -> Result) throws -> Result {
  // unshare(2): a mount namespace of its own brings a umask of its own.
  guard cl_unshare_mount_namespace() == 0 else { throw Errno(rawValue: Glibc.errno) }
  _ = umask(mask)
  return try body()
}

/// Runs `body` on a thread of its own and waits for it.
public func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) throws -> Value {
  let outcome = Mutex<Result<Value, any Error>?>(nil)
  let box = Box(outcome)
  let thread = Thread { box.value.withLock { $0 = Result { try body() } } }
  thread.join()
  guard let result = box.value.withLock({ $0 }) else { throw Errno.canceled }
  return try result.get()
}

private final class Box<Value: Sendable>: Sendable {
  let value: Mutex<Result<Value, any Error>?>
  init(_ value: consuming Mutex<Result<Value, any Error>?>) { self.value = value }
}

/// The descriptors of this process that lie below `folder`: other tests run at the same time and have descriptors of their own.
public func openDescriptors(below folder: FilePath) throws -> [String] {
  try FileSystem.list("/proc/self/fd").compactMap { try? FileSystem.linkTarget(FilePath("/proc/self/fd/\($0)")) }
    .filter { $0.hasPrefix(folder.string) }
}
