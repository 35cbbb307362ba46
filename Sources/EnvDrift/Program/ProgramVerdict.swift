/// The answer for a training of one's own, with its evidence. `ProgramComparison` gives it, `EnvReport` shows it.
import EnvCore

/// A verdict and what it rests on.
public struct ProgramVerdict: Codable, Hashable, Sendable {
  /// Version of the verdict's JSON form.
  public static let currentSchema = 1

  /// As for the reference workload; which kind of drift it is only a pair of precisions could tell.
  public enum Outcome: String, Codable, Sendable, CaseIterable {
    /// The same bits in everything that was recorded.
    case identical
    /// Nothing beyond its band.
    case equivalent
    /// Something beyond its band, or another input.
    case drift
    /// No comparable result: NaN, a crash, a deadline, something missing.
    case broken
  }

  public var schema: Int
  public var outcome: Outcome
  /// One sentence for people.
  public var reading: String
  /// What was compared; inputs first.
  public var measurements: [ProgramExtent]
  /// What keeps the run from being comparable; empty unless the outcome is `broken`.
  public var breakages: [Breakage]
  /// What is not as it was when the baseline was recorded; it may explain a drift.
  public var differences: [EnvironmentDifference]

  /// The status the program ends with.
  public var exitCode: ExitCode {
    switch outcome {
    case .identical, .equivalent: .asExpected
    case .drift: .drift
    case .broken: .failed
    }
  }

  init(extents: [ProgramExtent], breakages: [Breakage], differences: [EnvironmentDifference], lastStep: Int?) {
    schema = Self.currentSchema
    measurements = extents
    self.breakages = breakages
    self.differences = differences
    let beyond = extents.filter { $0.agreement == .beyondBand }
    // What leaves its band first explains the rest; what has no step is told at the end.
    let first = beyond.min { ($0.rank, $0.firstBeyond ?? .max) < ($1.rank, $1.firstBeyond ?? .max) }
    if let breakage = breakages.first {
      outcome = .broken
      reading = breakage.description
    } else if let first {
      outcome = .drift
      reading = first.sentence + Self.cause(differences)
    } else if extents.allSatisfy({ $0.agreement == .equalBits }) {
      outcome = .identical
      reading = "the same bits as the baseline" + (lastStep.map { " through step \($0)" } ?? "") + ", in all that is judged"
    } else {
      outcome = .equivalent
      reading = "nothing beyond its band: " + Self.noise(extents) + Self.cause(differences)
    }
  }

  private static func noise(_ extents: [ProgramExtent]) -> String {
    let furthest = extents.filter { ($0.largest ?? 0) > 0 }.sorted { ($0.largest ?? 0) > ($1.largest ?? 0) }.prefix(3)
    guard !furthest.isEmpty else { return "only digests of what was computed differ" }
    return furthest.map { "\($0.name) within \(scientific($0.largest ?? 0)) (band \(scientific($0.band.value)))" }.joined(separator: ", ")
  }

  /// The likeliest explanation there is, if there is one.
  private static func cause(_ differences: [EnvironmentDifference]) -> String {
    guard let difference = differences.first else { return "" }
    let others = differences.count - 1
    return "; \(difference)" + (others > 0 ? ", and \(others) more difference\(others == 1 ? "" : "s") of the environment" : "")
  }
}

extension ProgramExtent {
  /// Inputs explain everything after them.
  fileprivate var rank: Int { name.hasPrefix("input ") ? 0 : 1 }

  /// The deviation in words.
  public var sentence: String {
    guard let largest else { return "\(name) is not the baseline's" }
    let start = firstBeyond.map { " leaves its band at step \($0) and" } ?? ""
    return "\(name)\(start) is off by up to \(scientific(largest)), band \(scientific(band.value))"
  }
}
