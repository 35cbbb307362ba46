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

  /// The answers there are.
  public enum Outcome: String, Codable, Sendable, CaseIterable {
    /// The same bits: the same arithmetic.
    case identical
    /// Rounding noise only: the same computation by other kernels, threads, processor or library build.
    case equivalent
    /// float64 agrees, float32 does not: arithmetic of reduced precision crept in.
    case driftPrecision = "drift: precision"
    /// float64 disagrees, or the inputs do: another computation.
    case driftSemantics = "drift: semantics"
    /// Runs of the same thing differ among themselves: nothing can be reproduced here.
    case driftNondeterminism = "drift: nondeterminism"
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
  /// What the baseline was measured on, as far as it matters.
  public var measuredOn: String?
  /// What each tier came to, the cheapest first.
  public var tiers: [TierResult]?
  /// The operators that do not give the same bits.
  public var operators: [OperatorFinding]?
  /// The configurations of the inference engine.
  public var inferences: [InferenceFinding]?
  /// Why, as far as it can be told; nothing where every bit is the same.
  public var cause: Cause?
  /// Whether several runs were one and the same; nothing after a single run.
  public var repeatability: Repeatability?
  /// What several seeds came to; nothing where bits were compared.
  public var statistics: [Equivalence]?

  /// The status the program ends with.
  public var exitCode: ExitCode {
    switch outcome {
    case .identical, .equivalent: .asExpected
    case .driftPrecision, .driftSemantics, .driftNondeterminism: .drift
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

  /// The worse of two answers.
  func joined(_ other: Self) -> Self {
    let order: [Self] = [.identical, .equivalent, .driftPrecision, .driftNondeterminism, .driftSemantics, .broken]
    return (order.firstIndex(of: self) ?? 0) < (order.firstIndex(of: other) ?? 0) ? other : self
  }
}

extension Verdict {
  /// Whether this answer is no better than the other.
  public func isAtLeastAsBad(as other: Verdict) -> Bool { outcome.joined(other.outcome) == outcome }

  /// The verdict on several runs, of which this was the worst: if they differ among themselves, that is a finding of its own.
  public func repeated(_ repeatability: Repeatability) -> Verdict {
    var verdict = self
    verdict.repeatability = repeatability
    verdict.profile = "soak"
    guard !repeatability.differing.isEmpty else { return verdict }
    verdict.outcome = outcome.joined(.driftNondeterminism)
    verdict.reading = "\(repeatability): the environment does not repeat itself; \(reading)"
    return verdict
  }

  /// The verdict on several seeds together with the operators of one of them: one beyond its limit is an answer, whatever the seeds show.
  func adding(_ operators: [OperatorFinding]) -> Verdict {
    var verdict = self
    verdict.operators = operators.filter { $0.agreement != .equalBits }
    let beyond = operators.filter(\.isBeyondBand)
    guard let first = beyond.first(where: { $0.agreement == .otherFunction }) ?? beyond.first else { return verdict }
    verdict.outcome = first.agreement == .otherFunction || outcome == .driftSemantics ? .driftSemantics : .driftPrecision
    verdict.breakages = []
    verdict.reading = "\(first); \(reading)"
    return verdict
  }

  /// The verdict on several seeds, where bits cannot be compared.
  ///
  /// Undecided is no answer: nothing is shown either way, and more seeds may show it.
  public init(statistics: [Equivalence], baseline: Baseline, differences: [EnvironmentDifference] = []) {
    let different = statistics.filter { $0.conclusion == .different }
    let undecided = statistics.filter { $0.conclusion == .undecided }
    let seeds = statistics.first?.seeds ?? 0
    let outcome: Outcome = !different.isEmpty ? .driftSemantics : !undecided.isEmpty ? .broken : .equivalent
    let reading =
      different.first.map { "over \(seeds) seeds the results are not the baseline's: \($0)" }
      ?? undecided.first.map { "over \(seeds) seeds neither equivalence nor a difference is shown: \($0)" }
      ?? "over \(seeds) seeds the results are the baseline's within the margins, at 5 % risk"
    self.init(
      schema: Self.currentSchema, outcome: outcome, reading: reading, baseline: baseline.name, workload: baseline.workload,
      profile: "statistical", measurements: [], breakages: undecided.map { Breakage(message: "\($0)") }, differences: differences,
      measuredOn: baseline.environment.kind, statistics: statistics)
  }
}
