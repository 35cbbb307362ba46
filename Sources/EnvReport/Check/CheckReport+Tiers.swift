/// What the tiers of the reference workload add to a report: why, the single operators, inference, seeds and repetitions.
import EnvCore
import EnvDrift

extension CheckReport {
  static func sections(_ verdict: Verdict, _ observation: Observation, _ baseline: Baseline) -> [Section] {
    var sections: [Section] = []
    if let statistics = verdict.statistics {
      let rows = statistics.map {
        [
          $0.metric, scientific($0.meanDifference), "±" + scientific($0.margin), scientific($0.risk), decimal($0.power, digits: 2),
          $0.conclusion.rawValue,
        ]
      }
      let head = ["Metric", "Mean difference", "Margin", "p", "Power", "Conclusion"]
      sections.append(Section(title: "Over \(statistics.first?.seeds ?? 0) seeds", blocks: [.table(head: head, rows: rows)]))
    }
    if let repeatability = verdict.repeatability {
      sections.append(Section(title: "Run after run", blocks: [.text("\(repeatability).")]))
    }
    let profiles = observation.trainings.sorted { $0.key > $1.key }.map { OperatorProfiles($0.value, baseline, verdict) }
    let measured = profiles.filter { !$0.pairs.isEmpty }
    if !measured.isEmpty {
      let table = Section.Block.table(
        head: ["Operator", "Mean error, ULP", "99 % within, ULP", "Largest, ULP", "Verdict"], rows: measured.flatMap(\.rows))
      sections.append(Section(title: "Operators, one at a time", blocks: [.plots(measured.map(\.plot)), table]))
    }
    if let inferences = verdict.inferences, !inferences.isEmpty {
      let rows = inferences.map { finding in
        [
          finding.configuration, finding.deviation.map(scientific) ?? finding.error ?? "–", scientific(finding.band),
          finding.relative?["p50_seconds"].map { "× \(decimal($0, digits: 2))" } ?? "–", finding.agreement.rawValue,
        ]
      }
      let head = ["Inference with", "Scores off the dynamic graph's", "Band", "Median latency", "Verdict"]
      sections.append(Section(title: "The saved model, served", blocks: [.table(head: head, rows: rows)]))
    }
    return sections
  }
}

/// The errors of one precision's operators beside the baseline's.
private struct OperatorProfiles {
  let precision: Precision
  var pairs: [(expected: OperatorProfile, actual: OperatorProfile)]
  private let findings: [String: OperatorFinding]

  init(_ training: Observation.Training, _ baseline: Baseline, _ verdict: Verdict) {
    precision = training.header.precision
    let expected = baseline.trajectories[training.header.precision]?.operators ?? []
    pairs = training.operators.compactMap { actual in
      expected.first { $0.operator == actual.operator }.map { ($0, actual) }
    }
    let own = (verdict.operators ?? []).filter { $0.precision == training.header.precision }
    findings = Dictionary(own.map { ($0.operator, $0) }) { first, _ in first }
  }

  var rows: [[String]] {
    pairs.map { pair in
      let values = [\OperatorProfile.mean, \.p99, \.max].map { Self.change(pair.expected[keyPath: $0], pair.actual[keyPath: $0]) }
      let agreement = findings[pair.actual.operator]?.agreement ?? (pair.expected.digest == pair.actual.digest ? .equalBits : .otherBits)
      return ["\(precision) \(pair.actual.operator)"] + values + [agreement.rawValue]
    }
  }

  /// Mean errors; what lies above the diagonal is less accurate than it was.
  var plot: Plot {
    let points = pairs.map { (Plot.Point($0.expected.mean, $0.actual.mean), findings[$0.actual.operator]?.isBeyondBand ?? false) }
    let values = points.flatMap { [$0.0.x, $0.0.y] }
    let moved = pairs.filter { $0.expected.digest != $0.actual.digest }.map(\.actual.operator)
    let beyond = points.count { $0.1 }
    let summary =
      moved.isEmpty
      ? "All \(pairs.count) operators give the same bits as the baseline."
      : "\(moved.count) of \(pairs.count) operators give other bits, \(beyond) of them beyond what another kernel explains."
    return Plot(
      title: "\(precision) operators: mean error", summary: summary, x: .logarithmic("baseline, ULP", covering: values),
      y: .logarithmic("this run, ULP", covering: values),
      marks: [
        .diagonal(.guide), .dots(points.filter { !$0.1 }.map(\.0), .run), .dots(points.filter(\.1).map(\.0), .beyond),
      ])
  }

  private static func change(_ was: Double, _ now: Double) -> String { was == now ? short(now) : "\(short(was)) → \(short(now))" }

  private static func short(_ value: Double) -> String { value < 1000 ? decimal(value, digits: 2) : scientific(value) }
}

extension CheckReport.Reason {
  init(_ cause: Cause) {
    var parts = ["Pattern: \(cause.pattern.rawValue)"]
    if let tier = cause.tier { parts.append("lowest tier that shows it: \(tier)") }
    if let name = cause.firstOperator { parts.append("first operator whose errors moved: \(name)") }
    self.init(sentence: parts.joined(separator: "; ") + ".", suspects: cause.suspects)
  }
}

extension CheckReport.Standing {
  init(_ state: TierResult.State) {
    switch state {
    case .identical: self = .identical
    case .equivalent: self = .equivalent
    case .drift: self = .drift
    case .broken: self = .broken
    }
  }
}
