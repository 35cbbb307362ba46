/// Signals sent to this process while a child works in the foreground, handed on to that child.
import CLinux
import EnvCore
import Glibc
import Synchronization
import SystemPackage

/// Catches SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH, SIGUSR1 and SIGUSR2 as long as it lives, so that they end the child and not us.
///
/// Made before the child is started, so that no signal falls between. Only one can exist at a time in a process.
public final class SignalRelay: Sendable {
  private let reading: StreamEnd
  private let writing: StreamEnd
  /// The first signal that asked for the end.
  private let interruption = Mutex<CInt?>(nil)
  private let onInterruption: (@Sendable (CInt) -> Void)?

  /// - Parameter onInterruption: Called with the first signal that asks for the end, when it is taken.
  public init(onInterruption: (@Sendable (CInt) -> Void)? = nil) throws(ProcessError) {
    var ends: [CInt] = [-1, -1]
    guard cl_pipe(&ends, 1) == 0 else {
      throw .call("pipe2", executable: "the signal relay", errno: Errno(rawValue: errno))
    }
    let reading = StreamEnd(owning: ends[0])
    let writing = StreamEnd(owning: ends[1])
    guard cl_signal_relay_begin(ends[1]) == 0 else {
      throw .call("sigaction", executable: "the signal relay", errno: Errno(rawValue: errno))
    }
    self.reading = reading
    self.writing = writing
    self.onInterruption = onInterruption
  }

  deinit { cl_signal_relay_end() }

  var descriptor: CInt { reading.descriptor }

  /// The numbers of the signals that have come and that the child has not got from the terminal itself.
  ///
  /// The terminal's driver signals the whole foreground group, so a child of our group has those already.
  ///
  /// - Parameter isListening: The child has a signal of the terminal only if it noticed it.
  func takePending(childSharesTerminalGroup: Bool, isListening: ((_ signal: CInt) -> Bool)? = nil) -> [CInt] {
    var numbers: [CInt] = []
    var record = cl_signal_record()
    while read(reading.descriptor, &record, MemoryLayout<cl_signal_record>.size) == MemoryLayout<cl_signal_record>.size {
      if [SIGINT, SIGTERM, SIGHUP, SIGQUIT].contains(record.number) { note(record.number) }
      let hasCome = record.from_terminal != 0 && childSharesTerminalGroup && isListening?(record.number) ?? true
      if !hasCome { numbers.append(record.number) }
    }
    return numbers
  }

  /// Keeps signals that nobody has got, as if they had come just now.
  func putBack(_ numbers: [CInt]) {
    for number in numbers {
      var record = cl_signal_record(number: number, from_terminal: 0)
      _ = write(writing.descriptor, &record, MemoryLayout<cl_signal_record>.size)
    }
  }

  /// The signal that asked us to end since the relay was made, wherever it came from.
  public func interruptingSignal() -> CInt? {
    _ = takePending(childSharesTerminalGroup: true)
    return interruption.withLock { $0 }
  }

  private func note(_ number: CInt) {
    let isFirst = interruption.withLock { first in
      defer { first = first ?? number }
      return first == nil
    }
    if isFirst { onInterruption?(number) }
  }
}
