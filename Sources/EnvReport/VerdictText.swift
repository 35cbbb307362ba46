/// A verdict in the few lines a person reads in a terminal.
import EnvCore
import EnvDrift

/// The verdict's outcome and reading first, then the evidence, then what of the environment differs.
public struct VerdictText: Sendable {
  public let text: String

  /// - Parameter isRemembered: The verdict was reached by an earlier run on this host.
  public init(_ verdict: Verdict, isRemembered: Bool) {
    var lines = ["verdict: \(verdict.outcome.rawValue)" + (isRemembered ? " (measured earlier on this host)" : "")]
    lines.append("  " + verdict.reading)
    for measurement in verdict.measurements {
      lines.append(
        "  \(measurement.precision): loss within \(Self.scientific(measurement.loss.largest)) (band \(Self.scientific(measurement.loss.band))), "
          + "scores within \(Self.scientific(measurement.score.largest)) (band \(Self.scientific(measurement.score.band))), "
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
    text = lines.joined(separator: "\n")
  }

  /// Two significant digits: `0`, `1.3e-06`.
  private static func scientific(_ value: Double) -> String {
    guard value != 0, value.isFinite else { return value == 0 ? "0" : "\(value)" }
    var exponent = 0
    var mantissa = value.magnitude
    while mantissa >= 9.95 {
      mantissa /= 10
      exponent += 1
    }
    while mantissa < 0.995 {
      mantissa *= 10
      exponent -= 1
    }
    return "\((mantissa * 10).rounded() / 10)e\(exponent)"
  }
}
