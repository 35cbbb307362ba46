/// What a bad environment shows and a good one does not, and whether another environment shows the same. `Comparison` gives the verdicts.
import EnvCore

/// The thing whose cause is looked for.
public struct Symptom: Codable, Hashable, Sendable {
  /// How a result goes wrong.
  public enum Kind: String, Codable, Sendable {
    /// Beyond the bands.
    case drift
    /// Other bits, within the bands or not.
    case bits
    /// No result at all.
    case broken
  }

  public var kind: Kind
  /// The cheapest tier that shows it; nil where nothing came to be measured.
  public var tier: TierResult.Tier?
  /// The first operator that shows it, with its precision.
  public var firstOperator: String?
  /// What broke.
  public var breakage: Breakage?

  /// What a verdict shows; nil where everything is as expected.
  ///
  /// - Parameter countsBits: Whether other bits are a symptom too, however small they are.
  public init?(_ verdict: Verdict, countsBits: Bool) {
    let moved = (verdict.operators ?? []).filter { countsBits || $0.isBeyondBand }
    firstOperator = verdict.cause?.firstOperator ?? moved.first.map { "\($0.precision) \($0.operator)" }
    switch verdict.outcome {
    case .identical: return nil
    case .broken:
      kind = .broken
      breakage = verdict.breakages.first
      tier = breakage?.step.map { $0 > 0 ? .short : .operators }
    case .equivalent where !countsBits: return nil
    default:
      kind = countsBits ? .bits : .drift
      let isShown: (TierResult) -> Bool = { $0.state == .drift || countsBits && $0.tier != .integrity && $0.state != .identical }
      tier = (verdict.tiers ?? []).first(where: isShown)?.tier
    }
  }

  /// Whether another environment shows this symptom.
  public func outcome(of verdict: Verdict) -> ChangeSearch.Outcome {
    switch (kind, verdict.outcome) {
    case (.broken, .broken):
      let other = verdict.breakages.first
      return other?.message == breakage?.message && other?.operator == breakage?.operator ? .bad : .unresolved
    case (.broken, _): return .good
    case (_, .broken): return .unresolved
    case (.bits, let outcome): return outcome == .identical ? .good : .bad
    case (.drift, .identical), (.drift, .equivalent): return .good
    case (.drift, _): return .bad
    }
  }
}
