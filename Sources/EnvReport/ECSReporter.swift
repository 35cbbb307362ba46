/// The story as JSON lines in the Elastic Common Schema 8 (ECS logging, "required and recommended fields"): one object a line, joined by a trace id.
import EnvCore
import Glibc
import Synchronization

/// Writes the story to a stream, normally stderr.
public final class ECSReporter: StageReporter {
  /// The fields of one line; names as in the schema, with the dots that ECS logging allows at the top level.
  private struct Entry: Encodable {
    var timestamp: String
    var level: String
    var message: String
    var version = "8.11.0"
    var program: String
    var programVersion: String
    var trace: String
    var pid: Int32
    var kind = "event"
    var dataset: String
    var action: String?
    var outcome: String?
    /// Nanoseconds.
    var duration: Int64?
    var error: String?
    var code: String?

    enum CodingKeys: String, CodingKey {
      case timestamp = "@timestamp"
      case level = "log.level"
      case message
      case version = "ecs.version"
      case program = "service.name"
      case programVersion = "service.version"
      case trace = "trace.id"
      case pid = "process.pid"
      case kind = "event.kind"
      case dataset = "event.dataset"
      case action = "event.action"
      case outcome = "event.outcome"
      case duration = "event.duration"
      case error = "error.message"
      case code = "error.code"
    }
  }

  private let program: String
  private let programVersion: String
  private let traceID: String
  private let tellsAll: Bool
  private let descriptor: CInt
  private let clock = ContinuousClock()
  private let lastProgress = Mutex<ContinuousClock.Instant?>(nil)
  /// Lines of several threads do not mix.
  private let isWriting = Mutex(())

  /// - Parameters:
  ///   - tellsAll: Otherwise only warnings and errors are told.
  ///   - descriptor: Where to write; it stays open.
  public init(program: String, version: String, traceID: String, tellsAll: Bool = true, descriptor: CInt = STDERR_FILENO) {
    self.program = program
    programVersion = version
    self.traceID = traceID
    self.tellsAll = tellsAll
    self.descriptor = descriptor
  }

  public func began(_ stage: String) { if tellsAll { tell("debug", "\(stage) begins", action: stage) } }

  public func progressed(_ stage: String, _ progress: StageProgress) {
    let now = clock.now
    let isDue = lastProgress.withLock { last in
      if let last, now - last < .seconds(10) { return false }
      last = now
      return true
    }
    guard tellsAll, isDue else { return }
    let total = progress.total.map { " of \($0)" } ?? ""
    tell("info", "\(progress.done)\(total)\(progress.isBytes ? " bytes" : "") \(progress.object)", action: stage)
  }

  public func ended(_ stage: String, summary: String, duration: Duration) {
    guard tellsAll else { return }
    let (seconds, attoseconds) = duration.components
    tell("info", summary, action: stage, outcome: "success", duration: seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
  }

  public func warned(_ message: String) { tell("warn", message) }

  /// The error a command ends with.
  public func failed(_ text: ErrorText) {
    let error = text.document.error
    let causes = error.causes.map { "; because: \($0)" }.joined()
    tell(
      "error", error.message + causes + (error.hint.map { "; hint: \($0)" } ?? ""), outcome: "failure", error: error.message,
      code: "\(error.exitCode)")
  }

  private func tell(
    _ level: String, _ message: String, action: String? = nil, outcome: String? = nil, duration: Int64? = nil, error: String? = nil,
    code: String? = nil
  ) {
    let entry = Entry(
      timestamp: Self.timestamp(), level: level, message: message, program: program, programVersion: programVersion, trace: traceID,
      pid: getpid(), dataset: "\(program).story", action: action, outcome: outcome, duration: duration, error: error, code: code)
    // A line that cannot be encoded does not exist: all its parts are text and numbers.
    guard let bytes = try? CanonicalJSON.encode(entry) else { return }
    isWriting.withLock { _ in writeAll(bytes + [UInt8(ascii: "\n")], to: descriptor) }
  }

  /// RFC 3339 in UTC with milliseconds.
  private static func timestamp() -> String {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    let milliseconds = String(1000 + time.tv_nsec / 1_000_000).dropFirst()
    return Timestamp(secondsSinceEpoch: Int64(time.tv_sec)).description.dropLast() + "." + milliseconds + "Z"
  }
}

/// Writes all of it. A reader that has gone away must not stop the work; the result on stdout is what counts.
func writeAll(_ bytes: [UInt8], to descriptor: CInt) {
  var rest = bytes[...]
  while !rest.isEmpty {
    let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    if count < 0 && errno != EINTR { return }
    rest = rest.dropFirst(max(0, count))
  }
}
