/// The process a runtime has started, as its PID file names it: whether it is more than the runtime's own stub yet.
import ChildProcess
import EnvCore
import Glibc
import SafeFS
import SystemPackage

/// A process of a container on its way from the runtime's stub to the user's program.
struct StartedProcess: Sendable {
  let pidFile: FilePath
  let runtime: Runtime
  /// It is process 1 of its PID namespace, which gets only the signals it has asked for (pid_namespaces(7)).
  let isFirst: Bool

  /// The process's number; nil before the runtime has written it.
  var pid: Int32? { (try? FileSystem.readFile(pidFile, limit: 64)).flatMap { Int32(String(decoding: $0, as: UTF8.self)) } }

  /// Whether `signal` would have an effect. Until then a runtime that passes it on loses it.
  func notices(_ signal: CInt) -> Bool {
    guard let pid else { return false }
    let arguments = (try? FileSystem.readFile(FilePath("/proc/\(pid)/cmdline"), limit: 1 << 20))?.split(separator: 0) ?? []
    // One that has ended has no arguments any more, and no use for a signal.
    guard let program = arguments.first else { return true }
    // The runtime's own second stage, under its path, its name or the name of a copy of itself.
    let isOfRuntime = program.elementsEqual(runtime.name.utf8) || program.starts(with: "/proc/self/".utf8)
    let isStub =
      program.elementsEqual(runtime.path.utf8) || (arguments.count == 2 && arguments[1].elementsEqual("init".utf8) && isOfRuntime)
    return !isStub && (!isFirst || handles(signal, pid: pid))
  }

  /// Whether a handler waits for it, or the process collects it by signalfd(2) and so blocks it (proc_pid_status(5), masks of signals).
  private func handles(_ signal: CInt, pid: Int32) -> Bool {
    ["SigBlk:", "SigCgt:", "SigIgn:"].contains { Self.signals($0, of: pid)?.contains(signal) ?? true }
  }

  /// The signals in one of a process's masks, such as `SigIgn:` (proc_pid_status(5)); nil when the process is gone.
  static func signals(_ mask: String, of pid: Int32) -> Set<CInt>? {
    guard let bytes = try? FileSystem.readFile(FilePath("/proc/\(pid)/status"), limit: 1 << 16) else { return nil }
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    guard let line = lines.first(where: { $0.hasPrefix(mask) }),
      let bits = UInt64(line.dropFirst(mask.utf8.count).drop { $0 == "\t" }, radix: 16)
    else { return nil }
    return Set((0..<64).filter { bits & (1 << UInt64($0)) != 0 }.map { CInt($0 + 1) })
  }
}
