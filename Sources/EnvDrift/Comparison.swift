/// Judges an observation against a baseline. It measures nothing itself (`Measurement` does) and prints nothing.
import EnvCore

/// A baseline, ready to be compared with.
public struct Comparison: Sendable {
  /// What results are held against.
  public let baseline: Baseline
  /// Whether a run that trained nothing is cut short. It is not where only operators were asked for.
  public var expectsSteps = true
  /// What is known of the environment of a run that broke before it told; nil where nothing is.
  public var atRest: EnvironmentAtRest?

  /// A comparison with `baseline`.
  public init(with baseline: Baseline) { self.baseline = baseline }

  /// The verdict on a run. A run that failed or was cut short is judged too: it is broken.
  ///
  /// - Throws: `foreignWorkload`, `foreignSchema` or `notCovered` where results cannot be compared at all, so that any verdict would mislead.
  ///
  /// - Parameter failedEnding: How the workload's process ended, when it did not end well. Whatever it wrote, the run is broken then.
  public func judge(_ observation: Observation, failedEnding: String? = nil) throws(DriftError) -> Verdict {
    if let fault = observation.faults.first(where: \.forbidsVerdict) { throw fault }
    try requireOwnWorkload(of: observation)
    for training in observation.trainings.values { try checkCoverage(of: training) }

    let differences = differences(of: observation)
    let evidence = Evidence(observation, against: baseline, measurements: measurements(of: observation), differences: differences)
    var breakages = breakages(of: observation) + evidence.breakages
    if let failedEnding, !hasToldWhy(observation) {
      // What is missing is missing because of the ending.
      let step = observation.trainings.values.map(\.steps.count).min() ?? 0
      breakages = [Breakage(step: step > 0 ? step : nil, message: failedEnding)] + breakages.filter { $0.precision != nil }
    }
    let outcome = breakages.isEmpty ? evidence.outcome : .broken
    let tiers = TierResults(
      observation: observation, measurements: evidence.measurements, operators: evidence.operators, inferences: evidence.inferences,
      breakages: breakages
    ).all
    let cause = cause(of: outcome, evidence, tiers, differences, observation)
    let reading = Reading(outcome: outcome, evidence: evidence, breakages: breakages, cause: cause)
    return Verdict(
      schema: Verdict.currentSchema, outcome: outcome, reading: reading.sentence, baseline: baseline.name, workload: baseline.workload,
      profile: observation.trainings.values.first?.header.profile, measurements: evidence.measurements, breakages: breakages,
      differences: differences, measuredOn: baseline.environment.kind, tiers: tiers,
      operators: evidence.operators.filter { $0.agreement != .equalBits }, inferences: evidence.inferences, cause: cause)
  }

  /// The verdict on several seeds, where bits cannot be compared; `sample` is the run of one of them. Its operators, whose inputs no seed
  /// changes, are judged by their limits.
  ///
  /// - Throws: `foreignWorkload`, `noPopulation` or `foreignPopulation` where results cannot be compared at all.
  public func judge(_ seen: Population, sample: Observation) throws(DriftError) -> Verdict {
    try requireOwnWorkload(of: sample)
    guard let population = baseline.population else { throw .noPopulation(baseline: baseline.name, seeds: 0) }
    // The seeds of the population are other ones on purpose.
    let differences = differences(of: sample).filter { !$0.isOfSeed }
    let operators = sample.trainings.sorted { $0.key < $1.key }.flatMap { OperatorFinding.all($0.value, against: baseline, choice: .any) }
    return Verdict(
      statistics: try population.compare(seen.members, baseline: baseline.name), baseline: baseline, differences: differences
    ).adding(operators)
  }

  private func requireOwnWorkload(of observation: Observation) throws(DriftError) {
    guard let workload = observation.workload, workload != baseline.workload else { return }
    throw .foreignWorkload(baseline: baseline.name, expected: baseline.workload, actual: workload)
  }

  /// Whether the workload itself said what went wrong, which is more than its ending tells.
  private func hasToldWhy(_ observation: Observation) -> Bool {
    !observation.earlyFailures.isEmpty || observation.trainings.values.contains { $0.failure != nil }
      || observation.faults.contains { !$0.followsFromEnding }
  }

  private func cause(
    of outcome: Verdict.Outcome, _ evidence: Evidence, _ tiers: [TierResult], _ differences: [EnvironmentDifference],
    _ observation: Observation
  ) -> Cause? {
    let pattern: Cause.Pattern
    switch outcome {
    case .identical: return nil
    case .broken: pattern = .breakage
    case .equivalent: pattern = .rounding
    case .driftPrecision: pattern = .precision
    case .driftNondeterminism: pattern = .nondeterminism
    case .driftSemantics:
      pattern = evidence.measurements.contains { $0.agreement == .otherInputs } ? .inputs : .semantics
    }
    let states: [TierResult.State] = pattern == .breakage ? [.broken] : [.drift, .equivalent]
    let worst = states.lazy.compactMap { state in tiers.first { $0.state == state } }.first
    let cause = Cause(
      pattern: pattern, tier: worst?.tier, operators: evidence.operators, differences: differences, packages: evidence.packages)
    return pattern == .breakage && cause.suspects.isEmpty ? nil : cause
  }

  /// How far a run under a harmless variation lies from the baseline: the material bands are made of.
  public func measure(variation: String, _ observation: Observation) -> [BandMeasurement] {
    measurements(of: observation).map {
      BandMeasurement(
        variation: variation, cpu: observation.trainings[$0.precision]?.header.environment.cpu.model ?? "", precision: $0.precision,
        steps: $0.steps, loss: $0.loss.largest, score: $0.score.largest)
    }
  }

  private func measurements(of observation: Observation) -> [Measurement] {
    Precision.allCases.compactMap { precision in
      guard let training = observation.trainings[precision], let expected = baseline.trajectories[precision],
        let bands = baseline.bands(of: precision)
      else { return nil }
      return Measurement(training, against: expected, bands: bands)
    }
  }

  private func checkCoverage(of training: Observation.Training) throws(DriftError) {
    let precision = training.header.precision
    guard let expected = baseline.trajectories[precision] else {
      throw .notCovered(baseline: baseline.name, precision: precision, reason: "it has no such trajectory")
    }
    guard training.header.steps <= expected.loss.count else {
      let reason = "it holds \(expected.loss.count) steps, the run has \(training.header.steps)"
      throw .notCovered(baseline: baseline.name, precision: precision, reason: reason)
    }
    let known = expected.evaluations.map(\.step)
    if let foreign = training.evaluations.first(where: { !known.contains($0.step) }) {
      throw .notCovered(baseline: baseline.name, precision: precision, reason: "it has no evaluation after step \(foreign.step)")
    }
  }

  /// Everything that keeps the run from being comparable; what the workload itself says first, as it knows most.
  private func breakages(of observation: Observation) -> [Breakage] {
    let failures = observation.earlyFailures + Precision.allCases.compactMap { observation.trainings[$0]?.failure }
    var found = failures.map {
      Breakage(precision: $0.precision, step: $0.step, operator: $0.operator, message: $0.message)
    }
    found += observation.faults.map { Breakage(message: $0.summary) }
    for precision in Precision.allCases where !failures.contains(where: { $0.precision == precision }) {
      guard let training = observation.trainings[precision] else {
        found.append(Breakage(precision: precision, message: "the \(precision) training is missing"))
        continue
      }
      found += missing(from: training)
    }
    return found
  }

  /// What a training that did not fail lacks all the same.
  private func missing(from training: Observation.Training) -> [Breakage] {
    let precision = training.header.precision
    func breakage(_ step: Int, _ message: String) -> Breakage { Breakage(precision: precision, step: step, message: message) }
    guard training.end != nil else {
      return [breakage(training.steps.count, "the training has no end")]
    }
    if training.header.steps == 0, !expectsSteps, !training.operators.isEmpty { return [] }
    let due = (baseline.trajectories[precision]?.evaluations ?? []).filter { $0.step <= training.header.steps }
    guard !due.isEmpty else { return [breakage(training.header.steps, "the run ends before there is anything to compare")] }
    return due.compactMap { expected in
      guard let actual = training.evaluations.first(where: { $0.step == expected.step }) else {
        return breakage(expected.step, "the evaluation is missing")
      }
      guard actual.scores.count == expected.scores.count else {
        return breakage(expected.step, "\(actual.scores.count) scores where the baseline has \(expected.scores.count)")
      }
      return nil
    }
  }

  /// Hyperparameters first, as they explain most; each difference once, though both precisions show it.
  private func differences(of observation: Observation) -> [EnvironmentDifference] {
    var found: [EnvironmentDifference] = []
    for (precision, training) in observation.trainings.sorted(by: { $0.key < $1.key }) {
      guard let expected = baseline.trajectories[precision] else { continue }
      let header = training.header
      found += compare(.hyperparameter, expected.hyperparameters.mapValues(\.description), header.hyperparameters.mapValues(\.description))
      found += compare(.hyperparameter, ["parameters": "\(expected.parameters)"], ["parameters": "\(header.parameters)"])
      if let seeds = expected.seeds, let actual = header.seeds {
        found += compare(.hyperparameter, EnvironmentDifference.named(seeds: seeds), EnvironmentDifference.named(seeds: actual))
      }
      found += baseline.environment(comparableTo: training.environment).differences(to: training.environment)
    }
    if observation.trainings.isEmpty, let atRest { found = atRest.differences(from: baseline.environment) }
    var seen: Set<EnvironmentDifference> = []
    let order = EnvironmentDifference.Kind.allCases
    return found.filter { seen.insert($0).inserted }.enumerated()
      .sorted { (order.firstIndex(of: $0.1.kind) ?? 0, $0.0) < (order.firstIndex(of: $1.1.kind) ?? 0, $1.0) }
      .map(\.1)
  }
}
