/// `envctl bisect`: from a good lock and a bad one to the package or variable that makes the difference.
import EnvBundle
import EnvCore
import EnvDrift
import EnvImage
import EnvLaunch
import EnvStore
import SafeFS
import SystemPackage

/// What a bisection is asked.
public struct BisectRequest: Sendable {
  public var good: FilePath
  public var bad: FilePath
  /// Whether the cause of any other bit is looked for, however small the difference is.
  public var countsBits: Bool
  /// After this time a run is ended.
  public var deadline: Duration

  public init(good: FilePath, bad: FilePath, countsBits: Bool = false, deadline: Duration = .seconds(600)) {
    self.good = good
    self.bad = bad
    self.countsBits = countsBits
    self.deadline = deadline
  }
}

extension Workbench {
  /// Measures the good and the bad environment and, when the second drifts from the first, those in between until the cause is known.
  ///
  /// All are measured by the workload of the catalog, whatever the recipes bundle: an instrument that changes shows nothing.
  /// - Throws: `FlowError` for locks that cannot be compared, and for a good environment that gives no result or does not repeat it.
  public func bisect(_ request: BisectRequest) throws -> BisectResult {
    let instrument = catalog.root.appending("images/workloads/riskmodel/riskmodel")
    guard let place = RecipePath(Self.workloadFolder + "/riskmodel") else { throw ImageError.invalidImagePath(Self.workloadFolder) }
    let good = try pinnedRecipe(of: request.good).replacing(place, by: instrument)
    let bad = try pinnedRecipe(of: request.bad).replacing(place, by: instrument)
    let difference = LockDifference(from: good, to: bad)
    guard !difference.changes.isEmpty else { throw FlowError.sameLocks(request.good, request.bad) }
    try ContainerLauncher(home: store.home).requireRoot()
    return try Bisection(self, request, difference).result()
  }
}

/// One bisection.
private struct Bisection {
  private let workbench: Workbench
  private let request: BisectRequest
  private let difference: LockDifference
  private let runs: BisectRuns
  /// What differs among the variables that the workload clears.
  private let keptVariables: [String]
  private let start = ContinuousClock.now
  private var all: Set<Int> { Set(difference.changes.indices) }

  init(_ workbench: Workbench, _ request: BisectRequest, _ difference: LockDifference) {
    self.workbench = workbench
    self.request = request
    self.difference = difference
    let variables = difference.changes.filter { $0.kind == .variable || $0.kind == .setting }.map(\.name)
    keptVariables = Set(variables.filter(WorkloadVariables.clears)).sorted()
    // What is cleared could never show.
    let arguments = keptVariables.isEmpty ? [] : [WorkloadVariables.keeping]
    runs = BisectRuns(workbench, difference, arguments: arguments, deadline: request.deadline)
  }

  func result() throws -> BisectResult {
    workbench.reporter.stage("compare") { _ in
      let count = "\(difference.changes.count) change\(difference.changes.count == 1 ? "" : "s")"
      let kept = keptVariables.isEmpty ? "" : "; the workload, which clears such variables, keeps \(keptVariables.joined(separator: ", "))"
      return ((), "\(count) from '\(request.good)' to '\(request.bad)'\(kept)")
    }
    // Everything is fetched before anything is measured: what is gone is known at once.
    try fetch(difference.good, request.good)
    try fetch(difference.bad, request.bad)
    // Most of what drifts shows in a single operator, in a third of the time of 50 steps; 200 steps and inference show the rest.
    var result = try self.result(of: .operators)
    for workload in [BisectRuns.Workload.quick, .full] where result.symptom == nil { result = try self.result(of: workload) }
    result.seconds = (ContinuousClock.now - start).seconds
    return result
  }

  /// Compares the two ends by one profile of the workload, and searches between them if the bad one shows something.
  private func result(of workload: BisectRuns.Workload) throws -> BisectResult {
    var comparison = Comparison(with: try goodResults(workload))
    comparison.expectsSteps = workload != .operators
    let verdict = try judge(try end(all, request.bad, workload), comparison)
    var result = BisectResult(
      good: request.good.string, bad: request.bad.string, outcome: verdict.outcome == .identical ? .identical : .equivalent,
      symptom: Symptom(verdict, countsBits: request.countsBits), reading: verdict.reading, changes: difference.changes,
      keptVariables: keptVariables)
    guard let symptom = result.symptom else { return result }
    try requireRepeatable(workload)
    result.outcome = .causeFound
    try search(symptom, workload, comparison, &result)
    return result
  }

  private func fetch(_ pinned: PinnedRecipe, _ lock: FilePath) throws {
    do {
      try ImageBuilder(store: workbench.store, reporter: workbench.reporter).fetch(pinned.recipe, pinned.lock)
    } catch {
      throw FlowError.cannotMakeEnvironment(lock, underlying: error)
    }
  }

  /// One of the two ends, in full view.
  private func end(_ applied: Set<Int>, _ lock: FilePath, _ workload: BisectRuns.Workload, repetition: Int = 1) throws -> BisectRuns.Run {
    do {
      let run = try runs.run(applied, workload, repetition: repetition, reporter: workbench.reporter)
      if run.isRemembered { workbench.reporter.stage("observe") { _ in ((), "'\(lock)' was measured before") } }
      return run
    } catch let error where error is ImageError || error is StoreError {
      throw FlowError.cannotMakeEnvironment(lock, underlying: error)
    }
  }

  private func goodResults(_ workload: BisectRuns.Workload) throws -> Baseline {
    let run = try end([], request.good, workload)
    if let failure = run.failure {
      let told = run.observation.earlyFailures.first ?? run.observation.trainings.values.compactMap(\.failure).first
      throw FlowError.goodIsBroken(request.good, reason: told?.message ?? "the workload \(failure)")
    }
    do {
      return try Baseline(
        name: request.good.string, image: run.image, observation: run.observation, bands: Workbench.referenceBands)
    } catch {
      throw FlowError.goodIsBroken(request.good, reason: error.summary)
    }
  }

  private func judge(_ run: BisectRuns.Run, _ comparison: Comparison) throws -> Verdict {
    try comparison.judge(run.observation, failedEnding: run.failure.map { "the workload \($0)" })
  }

  /// Runs the good environment a second time; where it differs from itself, no difference means anything.
  private func requireRepeatable(_ workload: BisectRuns.Workload) throws {
    let observations = try (1...2).map { repetition in
      let run = try end([], request.good, workload, repetition: repetition)
      if let failure = run.failure { throw FlowError.goodIsBroken(request.good, reason: "the workload \(failure)") }
      return run.observation
    }
    if let first = Repeatability(observations).differing.first {
      throw FlowError.goodDoesNotRepeat(request.good, place: first.place)
    }
  }

  private func search(
    _ symptom: Symptom, _ workload: BisectRuns.Workload, _ comparison: Comparison, _ result: inout BisectResult
  ) throws {
    let needs = try difference.needs(in: workbench.store)
    let search = ChangeSearch(count: difference.changes.count, needs: needs.map { ($0.change, $0.needed) })
    var verdicts: [Set<Int>: Verdict] = [:]
    var probes: [BisectResult.Probe] = []
    let finding = try search.causes { applied in
      let (probe, verdict) = try self.probe(applied, symptom, workload, comparison, number: probes.count + 1)
      probes.append(probe)
      verdicts[applied] = verdict
      return probe.outcome
    }
    result.probes = probes
    result.isComplete = finding.isComplete
    result.leftOut = finding.leftOut.map { difference.changes[$0] }
    result.causes = finding.causes.map { cause in
      let verdict = verdicts[cause.applied]
      return BisectResult.Cause(
        changes: cause.changes.map { difference.changes[$0] }, needed: cause.needed.map { difference.changes[$0] },
        isMinimal: cause.isMinimal, firstOperator: verdict?.cause?.firstOperator ?? symptom.firstOperator,
        reading: verdict.map(Self.line) ?? result.reading)
    }
  }

  /// Tries one environment in between, and tells in one line what was changed and what came of it.
  private func probe(
    _ applied: Set<Int>, _ symptom: Symptom, _ workload: BisectRuns.Workload, _ comparison: Comparison, number: Int
  ) throws -> (BisectResult.Probe, Verdict?) {
    let changes = applied.sorted().map { difference.changes[$0] }
    return try workbench.reporter.stage("probe \(number)") { progress in
      let start = ContinuousClock.now
      var (outcome, reading, isRemembered) = (ChangeSearch.Outcome.unresolved, "", false)
      var (verdict, measurement): (Verdict?, Double?)
      do {
        let run = try runs.run(applied, workload, reporter: ProgressOnly(progress: progress))
        measurement = run.seconds
        let judged = try judge(run, comparison)
        (outcome, reading, isRemembered, verdict) = (symptom.outcome(of: judged), Self.line(judged), run.isRemembered, judged)
      } catch let error as ImageError where error.isIncompatibility {
        reading = error.summary
      } catch let error as DriftError {
        // What it wrote cannot be judged.
        reading = error.summary
      } catch let error as LaunchError where error.isOfTheEnvironment {
        reading = error.summary
      }
      let probe = BisectResult.Probe(
        applied: changes, outcome: outcome, reading: reading, seconds: (ContinuousClock.now - start).seconds,
        measurementSeconds: measurement, isRemembered: isRemembered)
      let names = changes.map { $0.name.isEmpty ? $0.kind.rawValue : $0.name }
      let listed = names.prefix(4).joined(separator: ", ") + (names.count > 4 ? " and \(names.count - 4) more" : "")
      return ((probe, verdict), "\(outcome.rawValue) with \(listed): \(reading)\(isRemembered ? " (measured before)" : "")")
    }
  }

  /// A verdict in one line: the cheapest tier that says something.
  private static func line(_ verdict: Verdict) -> String {
    if verdict.outcome == .broken || verdict.outcome == .identical { return verdict.reading }
    let tiers = verdict.tiers ?? []
    return (tiers.first { $0.state == .drift } ?? tiers.first { $0.tier != .integrity && $0.state != .identical })?.description
      ?? verdict.reading
  }
}

extension LaunchError {
  /// Whether a container of this environment cannot start, and others may.
  fileprivate var isOfTheEnvironment: Bool {
    switch self {
    case .commandNotFound, .commandNotExecutable, .runtime: true
    case .underlying(_, let error): error is BundleError
    default: false
    }
  }
}

/// Shows that a probe is alive; its stages are not told.
private struct ProgressOnly: StageReporter {
  let progress: @Sendable (StageProgress) -> Void

  func began(_ stage: String) {}
  func progressed(_ stage: String, _ progress: StageProgress) { self.progress(progress) }
  func ended(_ stage: String, summary: String, duration: Duration) {}
  func warned(_ message: String) {}
}
