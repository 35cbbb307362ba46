/// The report of a training of one's own.
import EnvCore
import EnvDrift

extension CheckReport {
  public init(_ verdict: ProgramVerdict, _ observed: ProgramRun, against comparison: ProgramComparison, run: RunFacts) {
    let expected = comparison.baseline.run
    // A replay ran nothing.
    let command = run.command.isEmpty ? comparison.baseline.command : run.command
    self.init(
      standing: Standing(verdict.outcome), outcome: verdict.outcome.rawValue, sentence: verdict.reading, exitCode: verdict.exitCode,
      subject: "\(command.joined(separator: " ")), against \(ProgramBaseline.fileName)", lines: Self.lines(verdict))
    for (name, series) in expected.series.sorted(by: { ($0.key == "loss" ? 0 : 1, $0.key) < ($1.key == "loss" ? 0 : 1, $1.key) }) {
      guard let extent = verdict.measurements.first(where: { $0.name == name }), let actual = observed.series[name] else { continue }
      curves.append(Curve(name: name, baseline: series.points, run: actual.points, band: .even(extent.band.value)))
    }
    for scores in expected.scores {
      guard let actual = observed.scores.first(where: { $0.key == scores.key }), actual.values.count == scores.values.count,
        let extent = verdict.measurements.first(where: { $0.name == "scores \(scores.key)" })
      else { continue }
      scatters.append(
        Scatter(
          name: "scores \(scores.key.name)", step: scores.key.step, pairs: zip(scores.values, actual.values).map { Plot.Point($0, $1) },
          band: extent.band.value))
    }
    rows = verdict.measurements.map(Row.init)
    breakages = verdict.breakages.map(\.description)
    differences = verdict.differences
    add(run)
    facts += observed.metrics.prefix(12).map { ("Metric \($0.key)", "\($0.value)") }
    facts += comparison.baseline.host.sorted { $0.key < $1.key }.map { ("Baseline recorded on, \($0.key)", $0.value) }
  }

  private static func lines(_ verdict: ProgramVerdict) -> [String] {
    var lines = ["verdict: \(verdict.outcome.rawValue)", "  " + verdict.reading]
    lines += verdict.measurements.map { extent in
      let count = extent.count == 1 ? "" : ", \(extent.count) values"
      guard let largest = extent.largest else { return "  \(extent.name): \(extent.agreement == .equalBits ? "equal" : "differs")" }
      return "  \(extent.name): within \(scientific(largest)) (band \(scientific(extent.band.value)))\(count)"
    }
    lines += verdict.breakages.map { "  broken: \($0)" }
    if verdict.exitCode != .asExpected { lines += verdict.differences.prefix(10).map { "  differs: \($0)" } }
    return lines
  }
}

extension CheckReport.Standing {
  fileprivate init(_ outcome: ProgramVerdict.Outcome) {
    switch outcome {
    case .identical: self = .identical
    case .equivalent: self = .equivalent
    case .drift: self = .drift
    case .broken: self = .broken
    }
  }
}

extension CheckReport.Row {
  fileprivate init(_ extent: ProgramExtent) {
    let agreement: Agreement =
      switch extent.agreement {
      case .equalBits: .equalBits
      case .withinBand: .withinBand
      case .otherBits: .otherBits
      case .beyondBand: .beyondBand
      }
    self.init(
      name: extent.name, largest: extent.largest, step: extent.step,
      band: extent.largest == nil ? nil : extent.band.value, agreement: agreement)
  }
}

extension ProgramRun.Series {
  fileprivate var points: [Plot.Point] { zip(steps, values).map { Plot.Point(Double($0), $1) } }
}
