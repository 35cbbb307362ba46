/// launch → observe → judge: the reference workload runs in a fresh container and its results meet the baseline.
import ChildProcess
import EnvBundle
import EnvCatalog
import EnvCore
import EnvDrift
import EnvLaunch
import EnvStore
import SafeFS
import SystemPackage

/// Watches a check while it runs.
public protocol CheckWatcher: Sendable {
  /// Called for every record and for the verdict, from the thread that reads the workload's output.
  func changed(to run: LiveRun)
}

/// What a check runs.
public struct CheckRequest: Sendable {
  /// How long the workload trains: 50 steps or 200.
  public enum Profile: String, Sendable, CaseIterable { case quick, full }

  public var profile: Profile
  /// Further arguments for the workload.
  public var arguments: [String]
  /// Variables for the workload's container, over the project's.
  public var variables: [(name: String, value: String)]
  /// Where the workload's records are kept besides the store, when they are to be kept.
  public var records: FilePath?
  /// After this time the workload is ended; nil lets it run.
  public var deadline: Duration?
  public var watcher: (any CheckWatcher)?

  public init(
    profile: Profile, arguments: [String] = [], variables: [(name: String, value: String)] = [], records: FilePath? = nil,
    deadline: Duration? = nil, watcher: (any CheckWatcher)? = nil
  ) {
    self.profile = profile
    self.arguments = arguments
    self.variables = variables
    self.records = records
    self.deadline = deadline
    self.watcher = watcher
  }
}

/// A check's verdict and all it was reached from.
public struct CheckResult: Sendable {
  public var verdict: Verdict
  public var observation: Observation
  public var baseline: Baseline
  public var run: RunFacts
}

extension Workbench {
  /// Where recipes put the bundled workload.
  private static let workloadFolder = "/usr/lib/envctl/workloads/riskmodel"

  /// Runs the reference workload in a fresh container of the environment and judges its results.
  public func check(_ environment: ReadyEnvironment, _ project: ProjectFile, _ request: CheckRequest) throws -> CheckResult {
    let baseline = try baseline(of: environment)
    let start = RunStart(self)
    let shelf = CheckShelf(store, project: project.folder)
    let recorder = WorkloadRecorder(
      LiveRun(id: start.id, environment: environment.name, started: start.started, against: baseline), file: try shelf.open(start),
      watcher: request.watcher)
    let status = try observe(environment, project, request, recorder)
    let run = start.facts(of: environment, command: request.command, ending: "\(status)")
    let observation = recorder.observation
    let verdict = try reporter.stage("judge") { _ in
      let ending = status.failure.map { "the workload \($0)" }
      let verdict = try Comparison(with: baseline).judge(observation, failedEnding: ending)
      return (verdict, verdict.outcome.rawValue)
    }
    recorder.conclude(verdict.outcome.rawValue, verdict.exitCode)
    if let failure = recorder.file?.failure { reporter.warned("the records are not kept: \(failure)") }
    if let name = recorder.file?.name {
      try shelf.keep(KeptCheck(schema: KeptCheck.currentSchema, run: run, records: name, judged: .reference(verdict, baseline)))
    }
    return CheckResult(verdict: verdict, observation: observation, baseline: baseline, run: run)
  }

  /// The last check of a project that came to a verdict, and what its workload wrote.
  ///
  /// - Throws: `FlowError.noCheck` or `.foreignCheck`.
  public func lastCheck(of project: FilePath) throws -> (check: KeptCheck, records: [UInt8]) {
    guard let kept = try CheckShelf(store, project: project).recall() else { throw FlowError.noCheck(folder: project) }
    return kept
  }

  /// The expected results of the environment.
  func baseline(of environment: ReadyEnvironment) throws -> Baseline {
    guard let path = environment.baseline, environment.hasBaseline else { throw FlowError.noBaseline(environment: environment.name) }
    return try Baseline(decoding: try FileSystem.readFile(path), object: "baseline '\(path)'")
  }

  /// Runs the workload, which the recorder listens to, and returns how it ended.
  ///
  /// - Throws: Only what keeps the workload from running.
  func observe(
    _ environment: ReadyEnvironment, _ project: ProjectFile, _ request: CheckRequest, _ recorder: WorkloadRecorder
  ) throws -> WorkloadEnding {
    // Found out before minutes of training, not after.
    if let records = request.records { try FileSystem.writeAtomically([], to: records) }
    defer { withExtendedLifetime(environment.holds) {} }
    var launch = LaunchRequest(hostname: environment.hostname, command: request.command)
    for (name, value) in project.variables + request.variables { launch.environment[name] = value }
    let path = launch.environment["PYTHONPATH"].map { ":" + $0 } ?? ""
    launch.environment["PYTHONPATH"] = Self.workloadFolder + path
    return try reporter.stage("observe") { progress in
      recorder.progress = progress
      let status = try listen(to: launch, in: environment, deadline: request.deadline, recorder.read, recorder.note)
      recorder.finish()
      if let records = request.records { try FileSystem.writeAtomically(recorder.bytes, to: records) }
      if status.failure != nil { for line in recorder.lastErrors { reporter.warned("workload: " + line) } }
      let trainings = recorder.observation.trainings
      let steps = trainings.values.map(\.steps.count).max() ?? 0
      return (status, "riskmodel \(request.profile.rawValue): \(steps) steps in \(trainings.count) precisions, \(status)")
    }
  }

  /// Runs a container to its end, its output line by line.
  func listen(
    to launch: LaunchRequest, in environment: ReadyEnvironment, deadline: Duration?, _ output: @escaping (String) -> Void,
    _ errors: @escaping (String) -> Void
  ) throws -> WorkloadEnding {
    let launcher = ContainerLauncher(home: store.home, reporter: reporter)
    do {
      let image = LaunchImage(environment.image, layers: environment.layers)
      return .ended(try launcher.run(launch, image: image, streams: .lines(output: output, errors: errors), deadline: deadline))
    } catch LaunchError.deadlineExceeded(let limit) {
      return .overdue(limit)
    }
  }
}

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

extension CheckRequest {
  /// The workload and its arguments.
  fileprivate var command: [String] { ["python3", "-m", "riskmodel", "--profile", profile.rawValue] + arguments }
}

extension ReadyEnvironment {
  /// A catalog name is a host name; a reference, a layout's path or a triple is not.
  var hostname: String {
    name.utf8.allSatisfy { $0 == 45 || $0 == 46 || (48...57).contains($0) || (97...122).contains($0) } ? name : "envctl"
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

  func read(_ line: String) {
    let text = Array(line.utf8) + [UInt8(ascii: "\n")]
    bytes += text
    file?.append(line)
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
}
