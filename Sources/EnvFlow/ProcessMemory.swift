/// How much memory the processes this one has started take, now. It follows /proc; where that is not to be had, nothing is known.
import EnvCore
import Glibc
import SafeFS
import SystemPackage

/// Samples the resident memory of all descendants, at most once a second: a walk through /proc costs.
struct ProcessMemory {
  private var last: (time: ContinuousClock.Instant, bytes: Int64?)?

  /// Bytes, with what processes share counted for each; nil where there is no descendant.
  mutating func sample() -> Int64? {
    let now = ContinuousClock.now
    if let last, now - last.time < .seconds(1) { return last.bytes }
    let resident = Self.descendants(of: getpid()).compactMap(Self.residentPages)
    let bytes = resident.isEmpty ? nil : resident.reduce(0, +) * Int64(sysconf(CInt(_SC_PAGESIZE)))
    last = (now, bytes)
    return bytes
  }

  /// proc_pid_children(5): each thread has its own children.
  private static func descendants(of process: pid_t) -> [pid_t] {
    var found: [pid_t] = []
    var waiting = [process]
    while let next = waiting.popLast(), found.count < 4096 {
      for thread in (try? FileSystem.list(FilePath("/proc/\(next)/task"))) ?? [] {
        let children = words(of: FilePath("/proc/\(next)/task/\(thread)/children")).compactMap { pid_t($0) }
        found += children
        waiting += children
      }
    }
    return found
  }

  /// proc_pid_statm(5), second field.
  private static func residentPages(_ process: pid_t) -> Int64? {
    let fields = words(of: FilePath("/proc/\(process)/statm"))
    return fields.count > 1 ? Int64(fields[1]) : nil
  }

  /// A process may end while it is looked at.
  private static func words(of file: FilePath) -> [Substring] {
    guard let bytes = try? FileSystem.readFile(file, limit: 1 << 16) else { return [] }
    return String(decoding: bytes, as: UTF8.self).split { $0.isWhitespace }
  }
}
