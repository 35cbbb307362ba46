/// The story on stderr: one line a finished stage; progress in place on a terminal, now and then as a plain line elsewhere.
import EnvCore
import Glibc
import Synchronization

/// Writes the story to a stream, normally stderr.
public final class StreamReporter: StageReporter {
  private struct State {
    var lastShown: ContinuousClock.Instant?
    var hasProgressLine = false
  }

  private let isTerminal: Bool
  private let threshold: Duration
  private let descriptor: CInt
  private let state = Mutex(State())
  private let clock = ContinuousClock()

  /// - Parameters:
  ///   - threshold: Stages that took less time stay untold.
  ///   - descriptor: Where to write; it stays open.
  public init(telling threshold: Duration = .zero, descriptor: CInt = STDERR_FILENO) {
    self.threshold = threshold
    self.descriptor = descriptor
    let isDumb = getenv("TERM").map { String(cString: $0) == "dumb" } ?? false
    isTerminal = isatty(descriptor) == 1 && !isDumb
  }

  public func began(_ stage: String) {
    state.withLock { $0.lastShown = clock.now }
  }

  public func progressed(_ stage: String, _ progress: StageProgress) {
    // A terminal is redrawn ten times a second; a log gets a line every ten seconds, so that a job is seen to live.
    let interval: Duration = isTerminal ? .milliseconds(100) : .seconds(10)
    state.withLock { state in
      let now = clock.now
      if let last = state.lastShown, now - last < interval { return }
      state.lastShown = now
      if isTerminal {
        write("\r\u{1B}[K" + String(line(stage, progress).prefix(width - 1)))
        state.hasProgressLine = true
      } else {
        write(line(stage, progress) + "\n")
      }
    }
  }

  public func ended(_ stage: String, summary: String, duration: Duration) {
    guard duration >= threshold else { return }
    tell(Self.column(stage) + summary + "  (\(duration.forPeople))")
  }

  public func warned(_ message: String) { tell("warning: " + message) }

  /// Writes one line of the story.
  public func tell(_ line: String) {
    state.withLock { state in
      if state.hasProgressLine { write("\r\u{1B}[K") }
      state.hasProgressLine = false
      write(printable(line) + "\n")
    }
  }

  private var width: Int {
    var size = winsize()
    return ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 20 ? Int(size.ws_col) : 80
  }

  private func line(_ stage: String, _ progress: StageProgress) -> String {
    let numbers: String
    if progress.isBytes {
      numbers = "\(ByteCount(progress.done))" + (progress.total.map { " of \(ByteCount($0))" } ?? "")
    } else {
      numbers = "\(progress.done)" + (progress.total.map { " of \($0)" } ?? "")
    }
    let percent = progress.total.flatMap { $0 > 0 ? " (\(min(100, progress.done * 100 / $0)) %)" : nil } ?? ""
    return Self.column(stage) + numbers + percent + (progress.object.isEmpty ? "" : "  " + printable(progress.object))
  }

  /// Stage names are padded to one width, so that the summaries stand in a column.
  private static func column(_ stage: String) -> String { stage + String(repeating: " ", count: max(1, 9 - stage.count)) }

  private func write(_ text: String) { writeAll(Array(text.utf8), to: descriptor) }
}
