/// Why a run is not the baseline: what the pattern of tiers and precisions says, and which differences of the environment could have done that. It decides no verdict.
import EnvCore

/// One difference of the environment that may be the cause.
public struct Suspect: Codable, Hashable, Sendable, CustomStringConvertible {
  /// What differs.
  public var difference: EnvironmentDifference
  /// How plausible it is, from 0 to 100; only the order matters.
  public var weight: Int
  /// How many shared objects came with it, where it is a package.
  public var objects: Int

  public var description: String {
    objects == 0 ? "\(difference)" : "\(difference) (and \(objects) of its shared objects)"
  }
}

/// What explains a deviation, as far as it can be told.
public struct Cause: Codable, Hashable, Sendable {
  /// What the tiers and precisions say together.
  public enum Pattern: String, Codable, Sendable, CaseIterable {
    /// The data, the initial weights, the masks or the order are others: nothing was computed wrongly.
    case inputs = "other inputs"
    /// float64 moved: another computation.
    case semantics
    /// float64 stayed, float32 or the accuracy of an operator moved.
    case precision
    /// Only the last bits moved.
    case rounding
    /// Runs of the same thing differ.
    case nondeterminism
    /// There is no result that could be compared.
    case breakage
  }

  /// Where a drift arises.
  public enum Locus: String, Codable, Sendable, CaseIterable {
    /// In what is given to the computation.
    case inputs
    /// In an operator: alone, on fixed inputs, it gives other results.
    case operators
    /// Every operator alone gives the same bits, so what reaches them or how they are joined is otherwise.
    case between = "between the operators"
    /// In the saved model's engine: what was trained is the same.
    case inference
  }

  /// What the tiers and precisions say together.
  public var pattern: Pattern
  /// Where it arises; nothing where that cannot be told.
  public var locus: Locus?
  /// The lowest tier that shows it, such as `T1 operators`: the cheapest place to look for it.
  public var tier: String?
  /// The first operator whose error profile moved, with its precision; nothing if none did.
  public var firstOperator: String?
  /// The differences that could have made this pattern, the likeliest first.
  public var suspects: [Suspect]

  /// The part of a sentence that names the likeliest cause; nothing if nothing is known.
  public var clause: String? {
    guard let first = suspects.first else { return nil }
    let others = suspects.count - 1
    return "\(first)" + (others > 0 ? ", and \(others) more difference\(others == 1 ? "" : "s") that could explain it" : "")
  }
}

extension Cause {
  init(
    pattern: Pattern, tier: TierResult.Tier?, operators: [OperatorFinding], differences: [EnvironmentDifference], packages: PackageFolders
  ) {
    self.pattern = pattern
    self.tier = tier?.rawValue
    locus = Self.locus(of: pattern, tier, operators)
    // What moved most is named when several did: a wrong exp also spoils softmax, but less.
    let moved = operators.filter(\.isBeyondBand)
    let changed = pattern == .rounding ? operators.first { $0.agreement == .otherBits } : moved.first
    firstOperator = changed.map { "\($0.precision) \($0.operator)" }
    let ranking = SuspectRanking(pattern: pattern, operators: moved.map(\.operator), packages: packages)
    suspects = ranking.suspects(among: differences)
  }

  private static func locus(of pattern: Pattern, _ tier: TierResult.Tier?, _ operators: [OperatorFinding]) -> Locus? {
    switch pattern {
    case .inputs: return .inputs
    case .rounding, .nondeterminism, .breakage: return nil
    case .semantics, .precision:
      if operators.contains(where: \.isBeyondBand) { return .operators }
      if tier == .inference { return .inference }
      return !operators.isEmpty && operators.allSatisfy { $0.agreement == .equalBits } ? .between : nil
    }
  }
}
