/// One check of the reference workload, of however many runs: each is recorded in the store and watched, and all end in one verdict, which is
/// kept. Running a container is `Check`'s work, comparing is EnvDrift's.
import EnvCatalog
import EnvCore
import EnvDrift
import SafeFS
import SystemPackage

struct ReferenceCheck {
  /// What a verdict was reached from, before it is kept.
  struct Judgement {
    var verdict: Verdict
    var baseline: Baseline
    /// Of the run that is shown.
    var recorder: WorkloadRecorder
    var command: [String]
    var ending: String
  }

  private let workbench: Workbench
  private let environment: ReadyEnvironment
  private let project: ProjectFile
  private let request: CheckRequest
  private let baselines: [Baseline]
  private let start: RunStart
  private let shelf: CheckShelf

  init(workbench: Workbench, environment: ReadyEnvironment, project: ProjectFile, request: CheckRequest) throws {
    self.workbench = workbench
    self.environment = environment
    self.project = project
    self.request = request
    baselines = try workbench.baselines(of: environment)
    start = RunStart(workbench)
    shelf = CheckShelf(workbench.store, project: project.folder)
  }

  /// One run of a profile; `repetition` counts from 1.
  func run(_ profile: CheckRequest.Profile, repetition: Int = 1) throws -> Judgement {
    let recorder = try recorder(repetition, against: baselines)
    let ending = try workbench.observe(environment, project, profile, request.numbered(repetition), recorder)
    let known = recorder.observation.trainings.isEmpty ? atRest() : nil
    let (verdict, baseline) = try judge(recorder.observation, ending.failure.map { "the workload \($0)" }, known)
    return Judgement(
      verdict: verdict, baseline: baseline, recorder: recorder, command: request.command(profile), ending: "\(ending)")
  }

  /// Runs the full profile several times, each in a fresh container: all must be the same, whatever the baseline says.
  func soak() throws -> Judgement {
    var runs: [Observation] = []
    var worst: Judgement?
    for repetition in 1...max(2, request.repetitions) {
      let judgement = try run(.full, repetition: repetition)
      runs.append(judgement.recorder.observation)
      // A run without a result cannot be repeated.
      if judgement.verdict.outcome == .broken { return judgement }
      worst = worst.map { $0.verdict.isAtLeastAsBad(as: judgement.verdict) ? $0 : judgement } ?? judgement
    }
    guard var worst else { throw FlowError.noBaseline(environment: environment.name) }
    worst.verdict = worst.verdict.repeated(Repeatability(runs))
    return worst
  }

  /// Trains several seeds; the first one's records stand for all.
  func seeds(_ seeds: Int) throws -> Judgement {
    // Found out before minutes of training, not after.
    let candidates = baselines.filter { ($0.population?.members.count ?? 0) >= seeds }
    guard !candidates.isEmpty else {
      throw DriftError.noPopulation(baseline: environment.name, seeds: baselines.map { $0.population?.members.count ?? 0 }.max() ?? 0)
    }
    var runs = BaselineRuns(workbench: workbench, environment: environment, project: project, folder: nil)
    // Another seed's losses are not the baseline's, so there is nothing to hold them against while they come.
    runs.recorder = { try recorder($0, against: []) }
    let (seen, sample) = try runs.population(seeds: seeds, request)
    guard let baseline = Baseline.nearest(to: sample.observation, among: candidates) else {
      throw FlowError.noBaseline(environment: environment.name)
    }
    let verdict = try workbench.reporter.stage("judge") { _ in
      let verdict = try Comparison(with: baseline).judge(seen, sample: sample.observation)
      return (verdict, verdict.outcome.rawValue)
    }
    return Judgement(
      verdict: verdict, baseline: baseline, recorder: sample, command: request.command(.quick), ending: "\(seeds) seeds trained")
  }

  /// Judges what an earlier run recorded, here or elsewhere, as if it had run now.
  func replay(_ records: FilePath) throws -> Judgement {
    let recorder = try recorder(1, against: baselines)
    // A faulty line and what is missing at the end are among the observation's faults.
    recorder.replay(try FileSystem.readFile(records))
    let (verdict, baseline) = try judge(recorder.observation, nil)
    return Judgement(verdict: verdict, baseline: baseline, recorder: recorder, command: [], ending: "replayed from \(records)")
  }

  /// Tells whoever watches, and makes this the project's last check.
  func keep(_ judgement: Judgement) throws -> ReferenceCheckResult {
    let (verdict, baseline, recorder) = (judgement.verdict, judgement.baseline, judgement.recorder)
    let run = start.facts(of: environment, command: judgement.command, ending: judgement.ending)
    recorder.conclude(verdict.outcome.rawValue, verdict.exitCode)
    try shelf.keep(.reference(verdict, baseline), run, recorder.file, workbench.reporter)
    return ReferenceCheckResult(verdict: verdict, observation: recorder.observation, baseline: baseline, run: run)
  }

  private func recorder(_ repetition: Int, against baselines: [Baseline]) throws -> WorkloadRecorder {
    let live = LiveRun(
      id: start.id, environment: environment.name, started: start.started, workload: self.baselines[0].workload.name, against: baselines)
    return WorkloadRecorder(live, file: try shelf.open(start, repetition: repetition), watcher: request.watcher)
  }

  /// What is known of the environment though nothing in it has told; where even that cannot be read, there is a verdict all the same.
  private func atRest() -> (Baseline, EnvironmentAtRest)? {
    do {
      return try workbench.atRest(environment, project, request, among: baselines)
    } catch {
      let reasons = DiagnosticChain(error).summaries.joined(separator: ": ")
      workbench.reporter.warned("what differs in the environment cannot be told: \(reasons)")
      return nil
    }
  }

  /// Judges one run by the baseline that was measured on the most similar hardware.
  private func judge(
    _ observation: Observation, _ failure: String?, _ known: (baseline: Baseline, atRest: EnvironmentAtRest)? = nil
  ) throws -> (Verdict, Baseline) {
    guard let baseline = known?.baseline ?? Baseline.nearest(to: observation, among: baselines) else {
      throw FlowError.noBaseline(environment: environment.name)
    }
    let verdict = try workbench.reporter.stage("judge") { _ in
      var comparison = Comparison(with: baseline)
      comparison.atRest = known?.atRest
      let verdict = try comparison.judge(observation, failedEnding: failure)
      return (verdict, verdict.outcome.rawValue + " to the baseline of \(baseline.environment.kind)")
    }
    return (verdict, baseline)
  }
}
