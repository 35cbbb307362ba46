/// What several seeds come to: kept in a baseline, and compared with the same seeds elsewhere. It runs nothing.
import EnvCore

/// The results of several seeds in float32, after the steps of the quick profile.
public struct Population: Codable, Hashable, Sendable {
  /// One seed's results.
  public struct Member: Codable, Hashable, Sendable {
    /// Which variant of the seeds, from 1.
    public var seed: Int
    /// Of the data and the initial weights, which must be the same wherever this seed is trained.
    public var inputs: Digest
    /// Area under the ROC curve of the scores.
    public var auc: Double
    /// Kolmogorov-Smirnov statistic of the scores.
    public var ks: Double
    /// Mean of the losses of the last ten steps.
    public var finalLoss: Double

    enum CodingKeys: String, CodingKey {
      case seed, inputs, auc, ks
      case finalLoss = "final_loss"
    }
  }

  /// What an equivalence margin is, as a share of the standard deviation between seeds: half a deviation is what no user could
  /// tell from another seed.
  public static let marginShare = 0.5

  /// By ascending seed.
  public var members: [Member]

  /// A population of these seeds.
  public init(members: [Member]) { self.members = members }
}

extension Population.Member {
  /// What one seed came to.
  ///
  /// - Throws: `cannotRecord` if its float32 training is not complete.
  public init(seed: Int, _ observation: Observation) throws(DriftError) {
    if let fault = observation.faults.first { throw .cannotRecord(reason: "seed \(seed): \(fault.summary)") }
    guard let training = observation.trainings[.float32], training.end != nil, let last = training.evaluations.last else {
      let reason = observation.trainings[.float32]?.failure?.message ?? observation.earlyFailures.first?.message
      throw .cannotRecord(reason: "seed \(seed): \(reason ?? "it has no complete float32 training")")
    }
    let losses = training.steps.suffix(10).map(\.loss)
    self.init(
      seed: seed, inputs: training.header.inputs, auc: last.auc, ks: last.ks, finalLoss: losses.reduce(0, +) / Double(losses.count))
  }
}

extension Population {
  /// Compares the same seeds, metric by metric.
  ///
  /// - Throws: `noPopulation` if the baseline lacks a seed, `foreignPopulation` if a seed began from other data or weights.
  public func compare(_ members: [Member], baseline: String) throws(DriftError) -> [Equivalence] {
    var pairs: [(expected: Member, actual: Member)] = []
    for member in members {
      guard let expected = self.members.first(where: { $0.seed == member.seed }) else {
        throw .noPopulation(baseline: baseline, seeds: self.members.count)
      }
      guard expected.inputs == member.inputs else { throw .foreignPopulation(baseline: baseline, seed: member.seed) }
      pairs.append((expected, member))
    }
    guard pairs.count > 1 else { throw .noPopulation(baseline: baseline, seeds: self.members.count) }
    return [("AUC", \Member.auc), ("KS", \Member.ks), ("final loss", \Member.finalLoss)].map { metric, value in
      let margin = Sample(self.members.map { $0[keyPath: value] }).deviation * Self.marginShare
      return Equivalence(
        metric, pairs: pairs.map { ($0.expected[keyPath: value], $0.actual[keyPath: value]) }, margin: margin, tests: 3)
    }
  }
}
