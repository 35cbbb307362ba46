/// The axes of a plot: ranges, round ticks and their labels. Where they lie on paper is the drawing's business.
import Glibc

/// One axis of a plot.
public struct Axis: Sendable, Hashable {
  /// How values become distances.
  public enum Scale: Sendable, Hashable { case linear, logarithmic }

  /// A marked value.
  public struct Tick: Sendable, Hashable {
    /// Where it stands.
    public let value: Double
    /// What is written beside it.
    public let label: String
  }

  /// What is measured, with its unit.
  public let label: String
  public let scale: Scale
  /// The smallest and the largest value shown. Of a logarithmic axis both are powers of ten.
  public let lower: Double
  public let upper: Double
  /// In ascending order, all within the range.
  public let ticks: [Tick]
  /// A logarithmic axis cannot show zero; with this it has a row for it below its range.
  public let hasZeroRow: Bool

  /// An even axis that holds all finite `values`, with about `count` ticks at multiples of 1, 2 or 5 times a power of ten.
  public static func linear(_ label: String, covering values: [Double], ticks count: Int = 5) -> Axis {
    let finite = values.filter(\.isFinite)
    var (low, high) = (finite.min() ?? 0, finite.max() ?? 1)
    if low == high {
      let room = low == 0 ? 1 : abs(low) * 0.1
      (low, high) = (low - room, high + room)
    }
    let step = niceStep((high - low) / Double(max(1, count)))
    let (first, last) = ((low / step).rounded(.down), (high / step).rounded(.up))
    guard step > 0, first.isFinite, last.isFinite, last - first <= 100 else {
      // Values so large or so close together that no round number lies between them.
      return Axis(label: label, scale: .linear, lower: low, upper: high, ticks: [], hasZeroRow: false)
    }
    let digits = fractionDigits(of: step)
    let ticks = stride(from: first, through: last, by: 1).map { Tick(value: $0 * step, label: decimal($0 * step, digits: digits)) }
    return Axis(label: label, scale: .linear, lower: first * step, upper: last * step, ticks: ticks, hasZeroRow: false)
  }

  /// An axis of whole decades that holds all positive `values`, and a row for zero below.
  public static func logarithmic(_ label: String, covering values: [Double], ticks count: Int = 6) -> Axis {
    let exponents = values.filter { $0 > 0 && $0.isFinite }.map(decade)
    let low = max(-307, (exponents.min() ?? -1) - 1)
    let high = max(low + 2, min(307, (exponents.max() ?? 0) + 1))
    let step = max(1, (high - low + count - 1) / max(1, count))
    let ticks = stride(from: low, through: high, by: step).map { Tick(value: power(ofTen: $0), label: decadeLabel($0)) }
    return Axis(label: label, scale: .logarithmic, lower: power(ofTen: low), upper: power(ofTen: high), ticks: ticks, hasZeroRow: true)
  }

  /// How far along the axis a value lies, 0 at its lower and 1 at its upper end; nil for what it cannot show.
  public func position(of value: Double) -> Double? {
    guard value.isFinite else { return nil }
    switch scale {
    case .linear: return (value - lower) / (upper - lower)
    case .logarithmic:
      guard value > 0 else { return nil }
      return (log10(value) - log10(lower)) / (log10(upper) - log10(lower))
    }
  }
}

extension Axis {
  /// The smallest of 1, 2, 5 and 10 times a power of ten that is not below `step`.
  static func niceStep(_ step: Double) -> Double {
    guard step > 0, step.isFinite else { return 0 }
    let base = power(ofTen: decade(step))
    return [1, 2, 5, 10].map { $0 * base }.first { $0 >= step * (1 - 1e-9) } ?? step
  }

  /// The exponent of the power of ten at or below a positive value.
  static func decade(_ value: Double) -> Int {
    // The logarithm of a power of ten may be rounded to just below its exponent.
    Int((log10(value) + 1e-9).rounded(.down))
  }

  static func power(ofTen exponent: Int) -> Double { Double("1e\(exponent)") ?? 0 }

  private static func fractionDigits(of step: Double) -> Int { max(0, -decade(step)) }

  private static func decadeLabel(_ exponent: Int) -> String { (-3...3).contains(exponent) ? plain(exponent) : "1e\(exponent)" }

  private static func plain(_ exponent: Int) -> String {
    exponent >= 0 ? "1" + String(repeating: "0", count: exponent) : "0." + String(repeating: "0", count: -exponent - 1) + "1"
  }
}

/// A number with exactly so many digits after the point; very large and very small ones in scientific form.
func decimal(_ value: Double, digits: Int) -> String {
  guard value.isFinite else { return "\(value)" }
  let scaled = (abs(value) * Axis.power(ofTen: digits)).rounded()
  guard digits <= 6, scaled < 1e15 else { return "\(value)" }
  let whole = String(Int64(scaled))
  let sign = value < 0 && scaled > 0 ? "−" : ""
  guard digits > 0 else { return sign + whole }
  let padded = String(repeating: "0", count: max(0, digits + 1 - whole.count)) + whole
  return sign + padded.dropLast(digits) + "." + padded.suffix(digits)
}
