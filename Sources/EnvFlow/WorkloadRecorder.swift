/// What comes out of the reference workload while it runs, and how its process ended. Judging it is EnvDrift's work.
import ChildProcess
import EnvCore
import EnvDrift

/// How a workload's process came to its end.
enum WorkloadEnding: CustomStringConvertible {
  case ended(ExitStatus)
  /// It was ended when its time was over.
  case overdue(Duration)

  /// What was not well about it, as the end of a sentence.
  var failure: String? {
    switch self {
    case .ended(let status) where status.isSuccess: nil
    // Runtimes report a signal as a shell does.
    case .ended(.exited(let code)) where code > 128 && code < 128 + 65: "was killed by \(ExitStatus.signaled(code - 128))"
    case .ended(let status): "ended with \(status)"
    case .overdue(let limit): "did not end within \(limit.forPeople) and was ended"
    }
  }

  var description: String {
    switch self {
    case .ended(let status): "\(status)"
    case .overdue(let limit): "deadline of \(limit.forPeople) exceeded"
    }
  }
}

/// Takes the workload's lines as they come: into an observation, into the store, and to whoever watches.
///
/// The launcher calls it from the one thread that reads the container's output.
final class WorkloadRecorder {
  private(set) var bytes: [UInt8] = []
  private(set) var lastErrors: [String] = []
  let file: RecordFile?
  var progress: @Sendable (StageProgress) -> Void = { _ in }
  private var reader = ObservationReader()
  private var live: LiveRun?
  private var memory = ProcessMemory()
  private let watcher: (any CheckWatcher)?

  init(_ live: LiveRun? = nil, file: RecordFile? = nil, watcher: (any CheckWatcher)? = nil) {
    self.live = live
    self.file = file
    self.watcher = watcher
    if let live { watcher?.changed(to: live) }
  }

  /// What was read so far.
  var observation: Observation { reader.observation }

  /// Takes a line without its newline.
  func read(_ line: String) { take(Array(line.utf8) + [UInt8(ascii: "\n")]) }

  /// Takes a whole stream that was kept, whose last line may be cut off.
  func replay(_ stream: [UInt8]) {
    var rest = stream[...]
    while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
      take(Array(rest[...end]))
      rest = rest[(end + 1)...]
    }
    if !rest.isEmpty { take(Array(rest)) }
    finish()
  }

  func note(_ line: String) {
    lastErrors.append(line)
    if lastErrors.count > 10 { lastErrors.removeFirst() }
  }

  /// The end of the stream: what is missing is among the observation's faults.
  func finish() { try? reader.finish() }

  func conclude(_ outcome: String, _ exitCode: ExitCode) {
    live?.outcome = outcome
    live?.exitCode = exitCode
    if let live { watcher?.changed(to: live) }
  }

  private func take(_ text: [UInt8]) {
    bytes += text
    file?.append(text)
    // A faulty line is kept in the observation, which the judge sees; the stream goes on.
    guard let records = try? reader.read(text) else { return }
    for record in records {
      live?.take(record)
      live?.memory = memory.sample()
      if let live { watcher?.changed(to: live) }
      guard case .step(let step) = record else { continue }
      let total = reader.observation.trainings[step.precision]?.header.steps
      progress(
        StageProgress(object: "\(step.precision) loss \(step.loss)", done: Int64(step.step), total: total.map { Int64($0) }, isBytes: false)
      )
    }
  }
}
