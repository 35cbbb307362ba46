/// Two one-sided tests: are the results of this environment the baseline's, within a margin, where bits cannot be compared? For GPUs and other hardware that does not repeat itself.
import EnvCore

/// What one metric came to over several seeds.
public struct Equivalence: Codable, Hashable, Sendable, CustomStringConvertible {
  /// What the tests came to.
  public enum Conclusion: String, Codable, Sendable {
    /// The mean difference lies within the margin, either way.
    case equivalent
    /// The mean difference is real, and not shown to lie within the margin.
    case different
    /// Neither is shown: too few seeds for this much noise.
    case undecided
  }

  /// Such as `AUC`.
  public var metric: String
  /// What the tests came to.
  public var conclusion: Conclusion
  /// Number of seeds; each was run here and for the baseline.
  public var seeds: Int
  /// Mean of this run's values less the baseline's.
  public var meanDifference: Double
  /// Sample standard deviation of the differences.
  public var deviation: Double
  /// What the mean difference must stay within, either way.
  public var margin: Double
  /// The larger p value of the two one-sided tests: the risk of calling equivalent what is not.
  public var risk: Double
  /// The p value of the paired t test for any difference at all.
  public var differenceRisk: Double
  /// The probability that so many seeds of this much noise show equivalence where there is no difference.
  public var power: Double

  public var description: String {
    "\(metric): \(conclusion.rawValue); mean difference \(scientific(meanDifference)), margin ±\(scientific(margin)), "
      + "p \(scientific(risk)), power \((power * 100).rounded() / 100), \(seeds) seeds"
  }
}

extension Equivalence {
  /// The risk that is taken of calling equivalent what is not, or different what is not.
  static let significance = 0.05

  /// Tests paired values: the same seed trained there and here, so that what the seeds differ by cancels out.
  ///
  /// Schuirmann 1987: equivalent if the hypotheses "lower by the margin or more" and "higher by the margin or more" are both rejected.
  /// - Parameter pairs: At least two.
  /// - Parameter tests: How many metrics are tested together. All must be equivalent, but one that differs is enough for a drift, so each is
  ///   called different only at its share of the significance (Bonferroni).
  init(_ metric: String, pairs: [(expected: Double, actual: Double)], margin: Double, tests: Int = 1) {
    let differences = pairs.map { $0.actual - $0.expected }
    let sample = Sample(differences)
    let error = sample.deviation / Double(pairs.count).squareRoot()
    let student = StudentT(degreesOfFreedom: pairs.count - 1)
    func tail(_ distance: Double) -> Double {
      // Without noise there is nothing to test: it is so, or it is not.
      error > 0 ? 1 - student.probability(upTo: distance / error) : distance > 0 ? 0 : 1
    }
    self.metric = metric
    self.seeds = pairs.count
    self.margin = margin
    meanDifference = sample.mean
    deviation = sample.deviation
    risk = max(tail(margin - sample.mean), tail(margin + sample.mean))
    differenceRisk = sample.mean == 0 ? 1 : min(1, 2 * tail(abs(sample.mean)))
    // Around 0 both tests reject when |mean| < margin - t·error (Phillips 1990, with the central distribution).
    let reach = error > 0 ? margin / error - student.quantile(1 - Self.significance) : .infinity
    power = reach.isFinite ? max(0, 2 * student.probability(upTo: reach) - 1) : 1
    conclusion =
      risk < Self.significance ? .equivalent : differenceRisk * Double(tests) < Self.significance ? .different : .undecided
  }
}

/// Mean and standard deviation of a few values.
struct Sample {
  let mean: Double
  /// With n - 1 in the denominator.
  let deviation: Double

  init(_ values: [Double]) {
    let mean = values.reduce(0, +) / Double(values.count)
    self.mean = mean
    let squares = values.map { ($0 - mean) * ($0 - mean) }.reduce(0, +)
    deviation = values.count > 1 ? (squares / Double(values.count - 1)).squareRoot() : 0
  }
}
