/// What each tier of a check came to, from the cheapest to the dearest: one line each, for people and for choosing where to look.
import EnvCore

/// One tier's result.
public struct TierResult: Codable, Hashable, Sendable, CustomStringConvertible {
  /// The tiers.
  public enum Tier: String, Codable, Sendable, CaseIterable {
    case integrity = "T0 integrity"
    case operators = "T1 operators"
    case short = "T2 training"
    case long = "T3 training"
    case inference = "T4 inference"
  }

  /// What it came to.
  public enum State: String, Codable, Sendable {
    /// The same bits.
    case identical
    /// Other bits, within the bands.
    case equivalent
    /// Beyond a band, or other inputs.
    case drift
    /// No comparable result.
    case broken
  }

  /// Which tier.
  public var tier: Tier
  /// What it came to.
  public var state: State
  /// What was compared, and what deviates.
  public var summary: String

  public var description: String { "\(tier.rawValue): \(state.rawValue): \(summary)" }
}

/// Sorts the evidence of a verdict by tier.
struct TierResults {
  var observation: Observation
  var measurements: [Measurement]
  var operators: [OperatorFinding]
  var inferences: [InferenceFinding]
  var breakages: [Breakage]

  /// The number of steps that make the short training.
  private static let shortSteps = 50

  var all: [TierResult] {
    guard !measurements.isEmpty else { return [] }
    return [integrity] + [operatorTier].compactMap(\.self) + trainings + [inferenceTier].compactMap(\.self)
  }

  private var integrity: TierResult {
    let strange = measurements.compactMap(\.firstBeyondBand).first { $0.place.isInput && $0.step == 0 }
    let installed = observation.trainings.values.first?.environment.installed ?? [:]
    let altered = installed.filter { !$0.value.altered.isEmpty || !$0.value.missing.isEmpty }.keys.sorted()
    let files = installed.values.map(\.files).reduce(0, +)
    let contents =
      altered.isEmpty ? "\(files) files of \(installed.count) packages as recorded" : "altered: \(altered.joined(separator: ", "))"
    if let strange { return TierResult(tier: .integrity, state: .drift, summary: strange.description) }
    return TierResult(
      tier: .integrity, state: altered.isEmpty ? .identical : .equivalent,
      summary: "data and initial weights the same" + (installed.isEmpty ? "" : "; " + contents))
  }

  private var operatorTier: TierResult? {
    guard !operators.isEmpty else { return nil }
    if let worst = operators.first(where: \.isBeyondBand) {
      return TierResult(tier: .operators, state: .drift, summary: worst.description)
    }
    let moved = operators.filter { $0.agreement != .equalBits }
    let names = moved.prefix(4).map { "\($0.precision) \($0.operator)" }.joined(separator: ", ")
    let summary =
      moved.isEmpty ? "the same bits" : "\(moved.count) with other bits and no less accurate: \(names)\(moved.count > 4 ? ", …" : "")"
    return TierResult(
      tier: .operators, state: moved.isEmpty ? .identical : .equivalent, summary: "\(operators.count) operators, \(summary)")
  }

  /// The two lengths share one trajectory; a deviation belongs to the length it first shows in.
  private var trainings: [TierResult] {
    let steps = measurements.map(\.steps).min() ?? 0
    // A profile may measure the operators alone.
    if breakages.isEmpty, observation.trainings.values.allSatisfy({ $0.header.steps == 0 }) { return [] }
    let deviation = measurements.compactMap(\.firstBeyondBand).filter { $0.step > 0 || !$0.place.isInput }.min { $0.step < $1.step }
    let difference = measurements.compactMap(\.firstDifference).map(\.step).min()
    var results = [training(.short, through: min(steps, Self.shortSteps), deviation, difference)]
    if steps > Self.shortSteps || breakages.contains(where: { ($0.step ?? 0) > Self.shortSteps }) {
      results.append(training(.long, through: steps, deviation, difference))
    }
    return results
  }

  private func training(_ tier: TierResult.Tier, through step: Int, _ deviation: Deviation?, _ difference: Int?) -> TierResult {
    // What breaks in a step is never recorded as that step. What breaks in none concerns a training that did not come to its end.
    if let broken = breakages.first(where: { $0.step.map { $0 <= Self.shortSteps || tier == .long } ?? !isTrained }) {
      return TierResult(tier: tier, state: .broken, summary: broken.description)
    }
    if let deviation, deviation.step <= step { return TierResult(tier: tier, state: .drift, summary: deviation.description) }
    // What follows from other inputs is no noise.
    if let given = measurements.compactMap(\.firstBeyondBand).first(where: { $0.place.isInput && $0.step <= step }) {
      return TierResult(tier: tier, state: .drift, summary: "other inputs: \(given)")
    }
    if let difference, difference <= step {
      return TierResult(tier: tier, state: .equivalent, summary: "\(step) steps, only rounding noise, from step \(difference) on")
    }
    return TierResult(tier: tier, state: .identical, summary: "\(step) steps, the same bits")
  }

  /// Whether every training took all its steps.
  private var isTrained: Bool {
    measurements.count == Precision.allCases.count && observation.trainings.values.allSatisfy { $0.steps.count == $0.header.steps }
  }

  private var inferenceTier: TierResult? {
    // A process that ends after its last step ends in the inference.
    if isTrained, inferences.isEmpty, observation.trainings[.float32]?.header.profile == "full",
      let broken = breakages.first(where: { $0.step == nil && $0.operator == nil })
    {
      return TierResult(tier: .inference, state: .broken, summary: broken.description)
    }
    guard !inferences.isEmpty else { return nil }
    if let failed = inferences.first(where: { $0.agreement == .failed || $0.agreement == .missing }) {
      return TierResult(tier: .inference, state: .broken, summary: failed.description)
    }
    if let beyond = inferences.first(where: { $0.agreement == .beyondBand }) {
      return TierResult(tier: .inference, state: .drift, summary: beyond.description)
    }
    let moved = inferences.count { $0.agreement != .equalBits }
    let largest = inferences.compactMap(\.deviation).max() ?? 0
    let bits = moved == 0 ? "the same bits" : "\(moved) with other bits"
    return TierResult(
      tier: .inference, state: moved == 0 ? .identical : .equivalent,
      summary: "\(inferences.count) configurations, \(bits); scores within \(scientific(largest)) of the dynamic graph's")
  }
}
