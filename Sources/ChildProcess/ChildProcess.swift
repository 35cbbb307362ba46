/// A running child: watching it, reading what it writes, ending it. Starting one is `Command`'s work.
import CLinux
import EnvCore
import Glibc
import SystemPackage

/// A started child process, waited for exactly once by `finish`. All calls block the caller's thread.
///
/// A child that is dropped without `finish` is killed and reaped, so that none is left behind by an error on the way.
public struct ChildProcess: ~Copyable, Sendable {
  public private(set) var pid: pid_t
  private let executable: FilePath
  private var leadsGroup: Bool
  /// The terminal's driver signals our whole foreground group, and with it this process.
  private var sharesTerminalGroup: Bool
  private var handle: StreamEnd
  private var output: StreamEnd?
  private var errors: StreamEnd?
  private var isReaped = false

  /// How long output is still read after the child has ended, when something it left running keeps the stream open.
  private static let drainTime = Duration.seconds(1)
  /// How long a child may take to end after SIGTERM before SIGKILL.
  private static let graceTime = Duration.seconds(3)

  /// Takes over a process that `adoptOrphans` has made our child.
  ///
  /// - Parameter executable: For errors.
  /// - Throws: `ProcessError.call` when it is not our child.
  public init(adopting pid: pid_t, executable: FilePath) throws(ProcessError) {
    try Self.requireChild(pid, executable: executable)
    try self.init(pid: pid, executable: executable, leadsGroup: false, output: nil, errors: nil)
    sharesTerminalGroup = false
  }

  private static func requireChild(_ pid: pid_t, executable: FilePath) throws(ProcessError) {
    var information = siginfo_t()
    // Looks only: one that has ended already stays to be reaped.
    guard waitid(P_PID, id_t(pid), &information, WEXITED | WNOHANG | WNOWAIT) == 0 else {
      throw .call("waitid", executable: executable, errno: Errno(rawValue: errno))
    }
  }

  /// From now on a process whose parent has ended becomes a child of this program, when it descends from it: a runtime that has started a
  /// container and gone leaves the container's process to us.
  public static func adoptOrphans() throws(ProcessError) {
    guard cl_adopt_orphans() == 0 else { throw .call("prctl", executable: "envctl", errno: Errno(rawValue: errno)) }
  }

  init(
    pid: pid_t, executable: FilePath, leadsGroup: Bool, output: consuming StreamEnd?, errors: consuming StreamEnd?
  ) throws(ProcessError) {
    let descriptor = cl_pidfd_open(pid)
    let reason = errno
    self.pid = pid
    self.executable = executable
    self.leadsGroup = leadsGroup
    self.sharesTerminalGroup = !leadsGroup
    self.handle = StreamEnd(owning: descriptor)
    self.output = output
    self.errors = errors
    guard descriptor >= 0 else { throw .call("pidfd_open", executable: executable, errno: Errno(rawValue: reason)) }
  }

  /// Goes on with a process that this one has started and, having ended, left to us. The streams stay as they are.
  private mutating func pass(to successor: pid_t) throws(ProcessError) {
    try Self.requireChild(successor, executable: executable)
    let descriptor = cl_pidfd_open(successor)
    guard descriptor >= 0 else { throw .call("pidfd_open", executable: executable, errno: Errno(rawValue: errno)) }
    _ = Self.reap(pid)
    pid = successor
    handle = StreamEnd(owning: descriptor)
    (leadsGroup, sharesTerminalGroup) = (false, false)
  }

  deinit {
    guard !isReaped else { return }
    _ = kill(leadsGroup ? -pid : pid, SIGKILL)
    _ = Self.reap(pid)
  }

  /// Sends a signal to the child and, when it leads a group, to all of that.
  public func signal(_ number: CInt) {
    // The child is not reaped yet, so its number cannot belong to another process.
    if leadsGroup { _ = kill(-pid, number) } else { _ = cl_pidfd_send_signal(handle.descriptor, number) }
  }

  /// Reads the output streams until they end, hands signals on, and waits for the child.
  ///
  /// - Parameters:
  ///   - deadline: after this time the child (with its group, when it leads one) gets SIGTERM, three seconds later SIGKILL.
  ///   - relay: signals that reach us and belong to the child.
  ///   - isListening: Whether whoever gets a signal would notice it yet; until then signals are kept, five seconds at most.
  ///   - successor: The process that a child which has succeeded left to us (`adoptOrphans`); it is waited for in the child's place, and
  ///     signals are for it. Those nobody has got at the end stay with the relay.
  /// - Throws: `deadlineExceeded`, `outputTooLong`, `call`; in each case the child has ended and is reaped.
  public consuming func finish(
    output outputSink: OutputSink = .capture(limit: 16 << 20), errors errorSink: OutputSink = .tail(limit: 64 << 10),
    deadline: Duration? = nil, relay: SignalRelay? = nil, isListening: ((_ signal: CInt) -> Bool)? = nil,
    successor: (() -> pid_t?)? = nil
  ) throws(ProcessError) -> Completion {
    var successor = successor
    var outputState = SinkState(outputSink)
    var errorState = SinkState(errorSink)
    var watch = Watch(deadline: deadline)
    var hasEnded = false
    var isTooLong = false
    var kept = KeptSignals(isListening: isListening)
    while !hasEnded || output != nil || errors != nil {
      let ready = poll(
        [
          hasEnded ? -1 : handle.descriptor, output?.descriptor ?? -1, errors?.descriptor ?? -1, relay?.descriptor ?? -1,
        ], for: kept.isEmpty ? watch.timeLeft : min(KeptSignals.pause, watch.timeLeft ?? KeptSignals.pause))
      // What comes while the child ends is for its successor as well.
      let hasSuccessor = successor != nil
      if ready[0] {
        if hasSucceeded(), let next = successor.take()?() {
          try pass(to: next)
        } else {
          hasEnded = true
          watch.limit(to: Self.drainTime)
        }
      }
      if ready[1], let chunk = output?.readChunk() {
        if chunk.isEmpty { output = nil }
        if !isTooLong, !outputState.take(chunk) {
          isTooLong = true
          signal(SIGKILL)
        }
      }
      if ready[2], let chunk = errors?.readChunk() {
        if chunk.isEmpty { errors = nil }
        _ = errorState.take(chunk)
      }
      let come = relay?.takePending(childSharesTerminalGroup: sharesTerminalGroup && !hasSuccessor, isListening: isListening)
      for number in kept.take(come ?? [], isForSuccessor: hasSuccessor) { signal(number) }
      guard watch.isOver else { continue }
      if hasEnded { break }
      switch watch.expire(grace: Self.graceTime) {
      case .first: signal(SIGTERM)
      case .second: signal(SIGKILL)
      }
    }
    relay?.putBack(kept.numbers)
    outputState.finish()
    errorState.finish()
    let status = reaped()
    if watch.hasExpired, let deadline { throw .deadlineExceeded(executable: executable, limit: deadline) }
    if isTooLong, case .capture(let limit) = outputSink { throw .outputTooLong(executable: executable, limit: limit) }
    return Completion(status: status, output: outputState.kept, errors: errorState.kept)
  }

  /// Whether the child has ended well. It is still to be reaped.
  private func hasSucceeded() -> Bool {
    var information = siginfo_t()
    guard waitid(P_PID, id_t(pid), &information, WEXITED | WNOHANG | WNOWAIT) == 0 else { return false }
    return information.si_code == CInt(CLD_EXITED) && information._sifields._sigchld.si_status == 0
  }

  private mutating func reaped() -> ExitStatus {
    isReaped = true
    return Self.reap(pid)
  }

  /// Waits for the child and says how it ended.
  public consuming func reap() -> ExitStatus { reaped() }

  /// Lets the child live on without us.
  public consuming func release() { isReaped = true }

  /// Whether the child has ended, or does so within `time`. It is still to be reaped.
  func hasEnded(within time: Duration) -> Bool { poll([watched], for: time)[0] }

  /// Ready to read as soon as the child has ended.
  var watched: CInt { handle.descriptor }

  private static func reap(_ pid: pid_t) -> ExitStatus {
    var status: CInt = 0
    while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
    return ExitStatus(waitStatus: status)
  }
}

/// What a finished child leaves: its status and the bytes that were kept.
public struct Completion: Sendable {
  public let status: ExitStatus
  public let output: [UInt8]
  public let errors: [UInt8]

  /// Standard error as text, without white space at its end.
  public var errorText: String {
    var bytes = errors[...]
    while let last = bytes.last, last == 10 || last == 13 || last == 32 { bytes.removeLast() }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// The clock of one `finish`: a deadline that can expire twice, once for SIGTERM and once for SIGKILL.
private struct Watch {
  enum Expiry { case first, second }
  private let clock = ContinuousClock()
  private var end: ContinuousClock.Instant?
  private(set) var hasExpired = false

  init(deadline: Duration?) { end = deadline.map { ContinuousClock().now + $0 } }

  var timeLeft: Duration? { end.map { $0 - clock.now } }
  var isOver: Bool { end.map { $0 <= clock.now } ?? false }

  mutating func limit(to time: Duration) { end = clock.now + time }

  mutating func expire(grace: Duration) -> Expiry {
    defer { hasExpired = true }
    // After SIGKILL there is nothing to add; the next look is a grace later, in case the child is stuck in the kernel.
    end = clock.now + grace
    return hasExpired ? .second : .first
  }
}

/// Signals that came before anybody could notice them.
struct KeptSignals {
  /// How long until the next look.
  static let pause = Duration.milliseconds(10)
  private static let patience = Duration.seconds(5)

  let isListening: ((CInt) -> Bool)?
  private(set) var numbers: [CInt] = []
  private var end: ContinuousClock.Instant?

  init(isListening: ((CInt) -> Bool)?) { self.isListening = isListening }

  var isEmpty: Bool { numbers.isEmpty }

  /// Those of the kept and the new signals that are to be sent now, in the order in which they came.
  ///
  /// - Parameter isForSuccessor: They are for a process that has not taken over yet.
  mutating func take(_ new: [CInt], isForSuccessor: Bool = false) -> [CInt] {
    guard isListening != nil || isForSuccessor else { return new }
    numbers += new
    guard let isListening, !numbers.isEmpty, !isForSuccessor else { return [] }
    let now = ContinuousClock.now
    let end = self.end ?? now + Self.patience
    self.end = end
    // Each by itself: nobody may ever ask for a change of the window's size.
    let due = numbers.filter { now >= end || isListening($0) }
    numbers.removeAll(where: due.contains)
    return due
  }
}

/// Which of `descriptors` have something to read or have ended; -1 stands for one that is not watched.
private func poll(_ descriptors: [CInt], for time: Duration?) -> [Bool] {
  var entries = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
  // Rounded up, so that the loop does not spin through the last millisecond.
  let milliseconds = time.map { CInt(clamping: max(0, Int64(($0.seconds * 1000).rounded(.up)))) } ?? -1
  let count = Glibc.poll(&entries, nfds_t(entries.count), milliseconds)
  return entries.map { count > 0 && $0.revents != 0 }
}
