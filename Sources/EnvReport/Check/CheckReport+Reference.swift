/// The report of the reference workload's check.
import EnvCore
import EnvDrift

extension CheckReport {
  /// - Parameter run: nil where only the verdict is known, as for one that is remembered.
  public init(_ verdict: Verdict, _ observation: Observation, against baseline: Baseline, run: RunFacts?) {
    let profile = verdict.profile.map { ", profile \($0)" } ?? ""
    self.init(
      standing: Standing(verdict.outcome), outcome: verdict.outcome.rawValue, sentence: verdict.reading, exitCode: verdict.exitCode,
      subject: "\(verdict.workload)\(profile), against the baseline of \(verdict.baseline)",
      lines: VerdictText(verdict, isRemembered: false).lines)
    // float64 first: it says whether the computation is the same, float32 only how it was carried out.
    let trainings = observation.trainings.sorted { $0.key > $1.key }.map(\.value)
    // Another seed's losses and scores are not the baseline's.
    for training in trainings where verdict.statistics == nil {
      guard let expected = baseline.trajectories[training.header.precision] else { continue }
      curves.append(Curve(training, expected, baseline.lossBands(of: training.header.precision)))
      if let scatter = Scatter(training, expected, baseline) { scatters.append(scatter) }
    }
    tiers = (verdict.tiers ?? []).map { Tier(name: $0.tier.rawValue, standing: Standing($0.state), summary: $0.summary) }
    if verdict.exitCode != .asExpected { reason = verdict.cause.map(Reason.init) }
    sections = Self.sections(verdict, observation, baseline)
    rows = verdict.measurements.sorted { $0.precision > $1.precision }.flatMap { measurement in
      // A run that broke before its first evaluation has no scores that could agree.
      Row.rows(of: measurement, hasScores: observation.trainings[measurement.precision]?.evaluations.isEmpty == false)
    }
    breakages = verdict.breakages.map(\.description)
    differences = verdict.differences
    if let run { add(run) }
    for training in trainings { facts += Self.facts(of: training) }
    if let environment = trainings.first?.header.environment { facts += Self.facts(of: environment) }
    facts.append(("Baseline measured on", Self.machine(of: baseline.environment)))
  }

  private static func facts(of training: Observation.Training) -> [(name: String, value: String)] {
    let precision = training.header.precision.rawValue
    var facts: [(name: String, value: String)] = []
    if let last = training.evaluations.last {
      let metrics = "AUC \(decimal(last.auc, digits: 4)), KS \(decimal(last.ks, digits: 4))"
      facts.append(("Test scores, \(precision)", "\(metrics) after step \(last.step)"))
    }
    let seconds = training.steps.map(\.seconds).sorted()
    if !seconds.isEmpty {
      let memory = training.end.map { ", \(ByteCount($0.peakMemoryBytes)) at most" } ?? ""
      let milliseconds = decimal(seconds[seconds.count / 2] * 1000, digits: 0)
      facts.append(
        ("Steps, \(precision)", "\(training.steps.count) of \(training.header.steps), \(milliseconds) ms each (median)\(memory)"))
    }
    return facts
  }

  private static func facts(of environment: Environment) -> [(name: String, value: String)] {
    let packages = ["paddlepaddle", "paddlepaddle-gpu", "numpy"].compactMap { name in environment.packages[name].map { "\(name) \($0)" } }
    return [
      ("Measured on", machine(of: environment)), ("Python", ([environment.python] + packages).joined(separator: ", ")),
    ]
  }

  private static func machine(of environment: Environment) -> String {
    "\(environment.cpu.model), Linux \(environment.platform.kernel), \(environment.platform.libc)"
  }
}

extension CheckReport.Standing {
  init(_ outcome: Verdict.Outcome) {
    switch outcome {
    case .identical: self = .identical
    case .equivalent: self = .equivalent
    case .driftPrecision, .driftSemantics, .driftNondeterminism: self = .drift
    case .broken: self = .broken
    }
  }
}

extension CheckReport.Curve {
  fileprivate init(_ training: Observation.Training, _ expected: Baseline.Trajectory, _ bands: [Double]) {
    let shown = expected.loss.prefix(max(training.header.steps, 1))
    self.init(
      name: "\(training.header.precision) loss",
      baseline: shown.enumerated().map { Plot.Point(Double($0.offset + 1), $0.element) },
      run: training.steps.map { Plot.Point(Double($0.step), $0.loss) },
      band: Set(bands).count == 1 ? .even(bands[0]) : .steps(bands))
  }
}

extension CheckReport.Scatter {
  /// Of the last evaluation; nil where there is none to compare.
  fileprivate init?(_ training: Observation.Training, _ expected: Baseline.Trajectory, _ baseline: Baseline) {
    guard let actual = training.evaluations.last, let match = expected.evaluations.first(where: { $0.step == actual.step }),
      match.scores.count == actual.scores.count,
      let band = baseline.scoreBand(of: training.header.precision, after: actual.step)
    else { return nil }
    self.init(
      name: "\(training.header.precision) scores", step: actual.step, pairs: zip(match.scores, actual.scores).map { Plot.Point($0, $1) },
      band: band)
  }
}

extension CheckReport.Row {
  /// Losses and scores, and what else differs where that alone decides.
  fileprivate static func rows(of measurement: Measurement, hasScores: Bool) -> [Self] {
    let beyond = measurement.firstBeyondBand
    var rows = measurement.steps > 0 ? [Self("\(measurement.precision) loss", measurement.loss, beyond, .loss)] : []
    if hasScores { rows.append(Self("\(measurement.precision) scores", measurement.score, beyond, .scores)) }
    if let first = measurement.firstBeyondBand, first.place != .loss, first.place != .scores {
      rows.append(
        Self(
          name: "\(measurement.precision) \(first.place.rawValue)", largest: first.magnitude, step: first.step, band: first.band,
          agreement: .beyondBand))
    }
    return rows
  }

  /// Where bands are narrow at first, a small deviation may be beyond its band and the largest within: then the former is told.
  private init(_ name: String, _ extent: Extent, _ beyond: Deviation?, _ place: Deviation.Place) {
    if let beyond, beyond.place == place, extent.largest <= extent.band {
      self.init(name: name, largest: beyond.magnitude, step: beyond.step, band: beyond.band, agreement: .beyondBand)
      return
    }
    let agreement: Agreement = extent.largest == 0 ? .equalBits : extent.largest <= extent.band ? .withinBand : .beyondBand
    self.init(
      name: name, largest: extent.largest, step: extent.step == 0 ? nil : extent.step, band: extent.band, agreement: agreement)
  }
}
