/// A hold on a process that is not our child, safe against the reuse of its number.
import CLinux
import EnvCore
import Glibc
import SystemPackage

/// A process found by its number and start time; signals go to that process or to none.
public struct ProcessHandle: ~Copyable, Sendable {
  public let pid: pid_t
  private let handle: StreamEnd

  /// Nil when there is no such process, or when it did not start at `startTime` and so is another.
  public init?(pid: pid_t, startTime: UInt64? = nil) {
    let descriptor = cl_pidfd_open(pid)
    guard descriptor >= 0 else { return nil }
    let handle = StreamEnd(owning: descriptor)
    // Asked after the handle is had: from here on the number cannot pass to another process unnoticed.
    guard let found = Self.startTime(of: pid), startTime == nil || startTime == found else { return nil }
    self.pid = pid
    self.handle = handle
  }

  /// When a process started, in clock ticks after boot (proc_pid_stat(5), field 22); nil when it is gone or a zombie.
  public static func startTime(of pid: pid_t) -> UInt64? { state(of: pid).flatMap { UInt64($0[19]) } }

  /// Whether a process has a controlling terminal (proc_pid_stat(5), field 7).
  public static func hasTerminal(_ pid: pid_t) -> Bool { state(of: pid).map { $0[4] != "0" } ?? false }

  /// The fields of `/proc/PID/stat` from the third on; nil for a process that is gone or a zombie.
  private static func state(of pid: pid_t) -> [Substring]? {
    guard let file = try? FileDescriptor.open("/proc/\(pid)/stat", .readOnly) else { return nil }
    defer { try? file.close() }
    let text = String(unsafeUninitializedCapacity: 1024) { (try? file.read(into: UnsafeMutableRawBufferPointer($0))) ?? 0 }
    // The name in parentheses may hold anything, so the fields are counted from the last parenthesis.
    guard let end = text.lastIndex(of: ")") else { return nil }
    let fields = text[text.index(after: end)...].split(separator: " ")
    guard fields.count > 19, fields[0] != "Z", fields[0] != "X" else { return nil }
    return fields
  }

  /// Sends a signal; one to a process that has ended goes nowhere.
  public func signal(_ number: CInt) { _ = cl_pidfd_send_signal(handle.descriptor, number) }

  /// Waits until the process has ended; false when it has not within `time`.
  public func waitForEnd(within time: Duration) -> Bool {
    let end = ContinuousClock.now + time
    while true {
      var entry = pollfd(fd: handle.descriptor, events: Int16(POLLIN), revents: 0)
      let left = max(0, (end - ContinuousClock.now).seconds)
      if poll(&entry, 1, CInt(clamping: Int64((left * 1000).rounded(.up)))) > 0 { return true }
      if ContinuousClock.now >= end { return false }
    }
  }
}
