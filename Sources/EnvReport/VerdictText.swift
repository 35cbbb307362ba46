/// A verdict in the few lines a person reads in a terminal.
import EnvCore
import EnvDrift

/// The verdict's outcome and reading first, then the evidence, then what of the environment differs.
public struct VerdictText: Sendable {
  public let lines: [String]

  /// - Parameter isRemembered: The verdict was reached by an earlier run on this host.
  public init(_ verdict: Verdict, isRemembered: Bool) {
    var lines = ["verdict: \(verdict.outcome.rawValue)" + (isRemembered ? " (measured earlier on this host)" : "")]
    lines.append("  " + verdict.reading)
    lines += (verdict.tiers ?? []).map { "  \($0)" }
    for measurement in verdict.measurements {
      lines.append(
        "  \(measurement.precision): loss within \(scientific(measurement.loss.largest)) (band \(scientific(measurement.loss.band))), "
          + "scores within \(scientific(measurement.score.largest)) (band \(scientific(measurement.score.band))), "
          + "\(measurement.steps) steps")
    }
    for measurement in verdict.measurements {
      if let first = measurement.firstBeyondBand { lines.append("  first beyond its band: \(first)") }
    }
    lines += verdict.breakages.map { "  broken: \($0)" }
    lines += (verdict.statistics ?? []).map { "  \($0)" }
    if let repeatability = verdict.repeatability { lines.append("  repeated: \(repeatability)") }
    if let measuredOn = verdict.measuredOn { lines.append("  baseline measured on \(measuredOn)") }
    if verdict.exitCode != .asExpected {
      if let first = verdict.cause?.firstOperator { lines.append("  first operator: \(first)") }
      lines += (verdict.cause?.suspects ?? []).prefix(5).enumerated().map { "  suspect \($0 + 1): \($1)" }
      lines += verdict.differences.prefix(10).map { "  differs: \($0)" }
      if verdict.differences.count > 10 { lines.append("  … and \(verdict.differences.count - 10) more differences of the environment") }
    }
    self.lines = lines
  }
}
