/// The limits of a process as /proc/PID/limits shows them (proc_pid_limits(5)).

enum ProcessLimits {
  /// The names in that file by those of setrlimit(2).
  private static let names = [
    "as": "Max address space", "core": "Max core file size", "cpu": "Max cpu time", "data": "Max data size", "fsize": "Max file size",
    "locks": "Max file locks", "memlock": "Max locked memory", "msgqueue": "Max msgqueue size", "nice": "Max nice priority",
    "nofile": "Max open files", "nproc": "Max processes", "rss": "Max resident set", "rtprio": "Max realtime priority",
    "rttime": "Max realtime timeout", "sigpending": "Max pending signals", "stack": "Max stack size",
  ]

  /// The hard limits, by the names of setrlimit(2); those that are unlimited are left out.
  static func hard(_ text: String) -> [String: UInt64] {
    var limits: [String: UInt64] = [:]
    for (name, title) in names {
      guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(title + " ") }) else { continue }
      let fields = line.dropFirst(title.count).split(separator: " ")
      if fields.count >= 2, let hard = UInt64(fields[1]) { limits[name] = hard }
    }
    return limits
  }
}
