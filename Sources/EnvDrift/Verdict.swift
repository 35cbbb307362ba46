/// The answer to "does this environment still compute the expected results?", with its evidence. `Comparison` gives it, `EnvReport` shows it.
import EnvCore

/// Why a run gave no comparable result.
public struct Breakage: Codable, Hashable, Sendable, CustomStringConvertible {
  /// The training it belongs to.
  public var precision: Precision?
  /// The step it happened in, as far as it is known.
  public var step: Int?
  /// The layer, operator or function at fault, as far as it is known.
  public var `operator`: String?
  /// What happened, in one line.
  public var message: String

  /// A breakage, with what is known of its place.
  public init(precision: Precision? = nil, step: Int? = nil, operator: String? = nil, message: String) {
    self.precision = precision
    self.step = step
    self.operator = `operator`
    self.message = message
  }

  public var description: String {
    var place: [String] = []
    if let precision { place.append(precision.rawValue) }
    if let step { place.append("step \(step)") }
    if let `operator` { place.append(`operator`) }
    return place.isEmpty ? message : "\(place.joined(separator: ", ")): \(message)"
  }
}

/// A verdict and what it rests on.
public struct Verdict: Codable, Hashable, Sendable {
  /// Version of the verdict's JSON form.
  public static let currentSchema = 1

  /// The five answers there are.
  public enum Outcome: String, Codable, Sendable, CaseIterable {
    /// The same bits: the same arithmetic.
    case identical
    /// Rounding noise only: the same computation by other kernels, threads, processor or library build.
    case equivalent
    /// float64 agrees, float32 does not: arithmetic of reduced precision crept in.
    case driftPrecision = "drift: precision"
    /// float64 disagrees, or the inputs do: another computation.
    case driftSemantics = "drift: semantics"
    /// No comparable result: NaN, a crash, something missing.
    case broken
  }

  /// Version of this form.
  public var schema: Int
  /// The answer.
  public var outcome: Outcome
  /// One sentence for people.
  public var reading: String
  /// Name of the baseline.
  public var baseline: String
  /// What was run.
  public var workload: Workload
  /// The profile that ran; nothing if nothing ran.
  public var profile: String?
  /// By precision, as far as there was something to compare.
  public var measurements: [Measurement]
  /// What keeps the run from being comparable; empty unless the outcome is `broken`.
  public var breakages: [Breakage]
  /// What is not as it was when the baseline was measured; it may explain a drift.
  public var differences: [EnvironmentDifference]

  /// The status the program ends with.
  public var exitCode: ExitCode {
    switch outcome {
    case .identical, .equivalent: .asExpected
    case .driftPrecision, .driftSemantics: .drift
    case .broken: .failed
    }
  }
}

extension Verdict.Outcome {
  /// The table that turns two precisions into one outcome.
  init(float64: Measurement.Agreement, float32: Measurement.Agreement) {
    self =
      switch (float64, float32) {
      case (.otherInputs, _), (_, .otherInputs), (.beyondBand, _): .driftSemantics
      case (_, .beyondBand): .driftPrecision
      case (.equalBits, .equalBits): .identical
      case (.equalBits, .withinBand), (.withinBand, .equalBits), (.withinBand, .withinBand): .equivalent
      }
  }
}
