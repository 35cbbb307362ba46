/// A person's terminal joined to a process on a pseudo-terminal, until one of them ends or the person leaves.
import CLinux
import EnvCore
import Glibc
import SystemPackage

/// How a session on a terminal ended.
public enum SessionEnding: ~Copyable, Sendable {
  case ended(ExitStatus)
  /// The person left; the process goes on. Whoever drops the terminal hangs the process up.
  case detached(PseudoTerminal)
}

/// Passes keys, output, window sizes and signals between our standard streams and a pseudo-terminal. All calls block.
public struct TerminalSession: ~Copyable {
  private let terminal: PseudoTerminal
  private let process: ChildProcess
  private let relay: SignalRelay
  private var kept: KeptSignals
  /// Our own terminal's, as long as the session lasts.
  private var mode: RawMode?
  private var filter: DetachFilter
  /// Typed, and not taken by the other side yet.
  private var pending: [UInt8] = []
  private var isInputOpen = true
  private var isOutputOpen = true
  /// When the process is hung up because our end of the session goes away.
  private var hangUp: (at: ContinuousClock.Instant, signal: CInt)?

  /// How long a process may take to end by itself after SIGTERM before its terminal is taken away, and afterwards before we leave it.
  private static let graceTime = Duration.seconds(3)
  /// Keys beyond that wait in our own terminal.
  private static let longestPending = 1 << 16

  /// - Parameters:
  ///   - process: Has `terminal` as its controlling terminal.
  ///   - relay: Made before the process was started.
  ///   - isListening: Whether the process would notice a signal yet; until then signals are kept.
  ///   - detachKeys: Leave the session; `none` where nothing could look after the process.
  public init(
    _ terminal: consuming PseudoTerminal, process: consuming ChildProcess, relay: SignalRelay,
    isListening: ((_ signal: CInt) -> Bool)? = nil,
    detachKeys: DetachKeys
  ) {
    self.terminal = terminal
    self.process = process
    self.relay = relay
    self.kept = KeptSignals(isListening: isListening)
    self.filter = DetachFilter(detachKeys)
  }

  /// Joins both sides until the process has ended, our terminal is gone, or the detach keys were typed.
  public consuming func run() -> SessionEnding {
    terminal.setNonBlocking(true)
    resize()
    mode = RawMode(STDIN_FILENO)
    while true {
      let ready = wait()
      takeSignals()
      if ready.output { passOutput() }
      if ready.input, passInput() {
        process.release()
        terminal.setNonBlocking(false)
        return .detached(terminal)
      }
      if ready.writable { flush() }
      if ready.ended {
        // What it wrote last is in the pseudo-terminal still. Others that hold it open are not waited for.
        for _ in 0..<Self.lastPieces where passOutput() {}
        return .ended(process.reap())
      }
      if let hangUp, hangUp.at <= ContinuousClock.now { return leave(hangUp.signal) }
    }
  }

  private func wait() -> (input: Bool, output: Bool, writable: Bool, ended: Bool) {
    let master = terminal.end.descriptor
    var entries = [
      pollfd(fd: isInputOpen && pending.count < Self.longestPending ? STDIN_FILENO : -1, events: Int16(POLLIN), revents: 0),
      pollfd(fd: isOutputOpen ? master : -1, events: Int16(POLLIN | (pending.isEmpty ? 0 : POLLOUT)), revents: 0),
      pollfd(fd: process.watched, events: Int16(POLLIN), revents: 0),
      pollfd(fd: relay.descriptor, events: Int16(POLLIN), revents: 0),
    ]
    let times = [hangUp.map { $0.at - ContinuousClock.now }, kept.isEmpty ? nil : KeptSignals.pause].compactMap { $0 }
    let left = times.min().map { max(0, $0.seconds) }
    let milliseconds = left.map { CInt(clamping: Int64(($0 * 1000).rounded(.up))) } ?? -1
    guard poll(&entries, nfds_t(entries.count), milliseconds) > 0 else { return (false, false, false, false) }
    let masterEvents = CInt(entries[1].revents)
    return (
      entries[0].revents != 0, masterEvents & (POLLIN | POLLHUP | POLLERR) != 0, masterEvents & POLLOUT != 0, entries[2].revents != 0
    )
  }

  /// A new size belongs to the pseudo-terminal; what else somebody sends us is for the process. Keys such as Ctrl-C are no signals here.
  private mutating func takeSignals() {
    let numbers = relay.takePending(childSharesTerminalGroup: false)
    if numbers.contains(SIGWINCH) { resize() }
    for number in kept.take(numbers.filter { $0 != SIGWINCH }) {
      process.signal(number)
      // Shells pass over SIGTERM on a terminal, but none survives the loss of it.
      if [SIGTERM, SIGHUP].contains(number) { begin(hangUp: number) }
    }
  }

  private mutating func begin(hangUp signal: CInt) {
    if hangUp == nil { hangUp = (ContinuousClock.now + (signal == SIGTERM ? Self.graceTime : .zero), signal) }
  }

  private func resize() {
    if let size = WindowSize(of: .standardInput) { terminal.resize(to: size) }
  }

  /// Passes on what is typed; true when the person leaves.
  private mutating func passInput() -> Bool {
    let typed = StreamEnd(borrowing: STDIN_FILENO).readChunk()
    guard !typed.isEmpty else {
      // A terminal that ends was hung up.
      isInputOpen = false
      begin(hangUp: SIGHUP)
      return false
    }
    let (forwarded, isDetached) = filter.take(typed)
    pending += forwarded
    flush()
    return isDetached
  }

  private mutating func flush() {
    while !pending.isEmpty {
      let count = write(terminal.end.descriptor, pending, pending.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return }
      pending.removeFirst(count)
    }
  }

  /// More pieces than a pseudo-terminal can hold; what others go on writing to it is not waited for.
  private static let lastPieces = 64

  /// Passes on one piece of what was written, so that keys and signals get their turn; false when there was none.
  @discardableResult
  private mutating func passOutput() -> Bool {
    while isOutputOpen {
      var reason: CInt = 0
      let chunk = [UInt8](unsafeUninitializedCapacity: 65536) { buffer, count in
        let result = read(terminal.end.descriptor, buffer.baseAddress, buffer.count)
        if result < 0 { reason = errno }
        count = max(0, result)
      }
      if reason == EINTR { continue }
      if reason == EAGAIN { return false }
      // EIO: no process has the other end open any more (pty(7)).
      if chunk.isEmpty { isOutputOpen = false }
      if !show(chunk) { begin(hangUp: SIGHUP) }
      return isOutputOpen
    }
    return false
  }

  private func show(_ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
      if count < 0, errno == EAGAIN {
        // Whoever shares our terminal's description may have made it non-blocking.
        var entry = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
        _ = poll(&entry, 1, -1)
      } else if count < 0, errno != EINTR {
        return false
      }
      rest = rest.dropFirst(max(0, count))
    }
    return true
  }

  /// Takes the terminal away from the process and gives it a while to end. One that ends for nobody is left to its container.
  private consuming func leave(_ signal: CInt) -> SessionEnding {
    _ = consume terminal
    guard process.hasEnded(within: Self.graceTime) else {
      process.release()
      return .ended(.signaled(signal))
    }
    return .ended(process.reap())
  }
}
