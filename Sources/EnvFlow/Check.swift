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

extension Workbench {
  /// Where recipes put the bundled workload.
  private static let workloadFolder = "/usr/lib/envctl/workloads/riskmodel"

  /// Runs the reference workload in a fresh container of the environment and judges its results.
  public func check(_ environment: ReadyEnvironment, _ project: ProjectFile, _ request: CheckRequest) throws -> Verdict {
    let baselines = try baselines(of: environment)
    if request.profile == .soak { return try soak(environment, project, request, baselines) }
    let (observation, status) = try observe(environment, project, request)
    return try judge(observation, status, of: environment, baselines)
  }

  /// Judges what an earlier run recorded, here or elsewhere, as if it had run now; nothing is run.
  public func judge(_ environment: ReadyEnvironment, records: FilePath) throws -> Verdict {
    var reader = ObservationReader()
    // A faulty line and what is missing at the end are among the observation's faults.
    let bytes = try FileSystem.readFile(records)
    _ = try? reader.read(bytes)
    try? reader.finish()
    return try judge(reader.observation, nil, of: environment, try baselines(of: environment))
  }

  /// Judges one run by the baseline that was measured on the most similar hardware.
  private func judge(
    _ observation: Observation, _ status: ExitStatus?, of environment: ReadyEnvironment, _ baselines: [Baseline]
  ) throws -> Verdict {
    let ending = status.flatMap { $0.isSuccess ? nil : "the workload ended with \($0)" }
    guard let baseline = Baseline.nearest(to: observation, among: baselines) else {
      throw FlowError.noBaseline(environment: environment.name)
    }
    return try reporter.stage("judge") { _ in
      let verdict = try Comparison(with: baseline).judge(observation, failedEnding: ending)
      return (verdict, verdict.outcome.rawValue + " to the baseline of \(baseline.environment.kind)")
    }
  }

  /// Runs the full profile several times, each in a fresh container: all must be the same, whatever the baseline says.
  private func soak(
    _ environment: ReadyEnvironment, _ project: ProjectFile, _ request: CheckRequest, _ baselines: [Baseline]
  ) throws -> Verdict {
    var runs: [Observation] = []
    var worst: Verdict?
    for repetition in 1...max(2, request.repetitions) {
      var request = request
      // The records of every run are kept: FILE, then FILE.2 and so on.
      if repetition > 1 { request.records = request.records.map { FilePath("\($0).\(repetition)") } }
      let (observation, status) = try observe(environment, project, request)
      let verdict = try judge(observation, status, of: environment, baselines)
      runs.append(observation)
      // A run without a result cannot be repeated.
      if verdict.outcome == .broken { return verdict }
      worst = worst.map { $0.isAtLeastAsBad(as: verdict) ? $0 : verdict } ?? verdict
    }
    guard let worst else { throw FlowError.noBaseline(environment: environment.name) }
    return worst.repeated(Repeatability(runs))
  }

  /// Runs the workload and returns what it recorded, complete or not, and how it ended.
  ///
  /// - Throws: Only what keeps the workload from running.
  func observe(
    _ environment: ReadyEnvironment, _ project: ProjectFile, _ request: CheckRequest
  ) throws -> (observation: Observation, status: ExitStatus) {
    // Found out before minutes of training, not after.
    if let records = request.records { try FileSystem.writeAtomically([], to: records) }
    defer { withExtendedLifetime(environment.holds) {} }
    let command = ["python3", "-m", "riskmodel", "--profile", request.profile.workload] + request.arguments
    var launch = LaunchRequest(hostname: environment.hostname, command: command)
    for (name, value) in project.variables + request.variables { launch.environment[name] = value }
    let path = launch.environment["PYTHONPATH"].map { ":" + $0 } ?? ""
    launch.environment["PYTHONPATH"] = Self.workloadFolder + path
    return try reporter.stage("observe") { progress in
      let recorder = WorkloadRecorder(progress)
      let launcher = ContainerLauncher(home: store.home, reporter: reporter)
      let status = try launcher.run(
        launch, image: LaunchImage(environment.image, layers: environment.layers),
        streams: .lines(output: { recorder.read($0) }, errors: { recorder.note($0) }))
      let observation = recorder.finish()
      if let records = request.records { try FileSystem.writeAtomically(recorder.bytes, to: records) }
      if !status.isSuccess { for line in recorder.lastErrors { reporter.warned("workload: " + line) } }
      let steps = observation.trainings.values.map(\.steps.count).max() ?? 0
      return (
        (observation, status),
        "riskmodel \(request.profile.workload): \(steps) steps in \(observation.trainings.count) precisions, \(status)"
      )
    }
  }
}

extension ReadyEnvironment {
  /// A catalog name is a host name; a reference, a layout's path or a triple is not.
  var hostname: String {
    name.utf8.allSatisfy { $0 == 45 || $0 == 46 || (48...57).contains($0) || (97...122).contains($0) } ? name : "envctl"
  }
}

/// Takes the workload's lines as they come and turns them into an observation and progress.
///
/// The launcher calls it from the one thread that reads the container's output.
private final class WorkloadRecorder {
  private(set) var bytes: [UInt8] = []
  private(set) var lastErrors: [String] = []
  private var reader = ObservationReader()
  private let progress: @Sendable (StageProgress) -> Void

  init(_ progress: @escaping @Sendable (StageProgress) -> Void) { self.progress = progress }

  func read(_ line: String) {
    let text = Array(line.utf8) + [UInt8(ascii: "\n")]
    bytes += text
    // A faulty line is kept in the observation, which the judge sees; the stream goes on.
    guard let records = try? reader.read(text) else { return }
    for case .step(let step) in records {
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

  func finish() -> Observation {
    try? reader.finish()  // What is missing at the end is among the observation's faults.
    return reader.observation
  }
}
