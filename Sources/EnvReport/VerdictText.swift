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
    if verdict.exitCode != .asExpected {
      lines += verdict.differences.prefix(10).map { "  differs: \($0)" }
      if verdict.differences.count > 10 { lines.append("  … and \(verdict.differences.count - 10) more differences of the environment") }
    }
    self.lines = lines
  }
}
