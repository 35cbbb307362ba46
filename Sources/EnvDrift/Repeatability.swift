/// Whether an environment repeats itself: several runs of one thing, compared bit by bit with the first. What they come to is `Comparison`'s question.
import EnvCore
import Hashing

/// Several runs of the same workload in the same environment.
public struct Repeatability: Codable, Hashable, Sendable, CustomStringConvertible {
  /// Number of runs.
  public var repetitions: Int
  /// The runs, from 2, that are not the first one again, and where each first differs from it.
  public var differing: [Difference]

  /// One run that is not the first one again.
  public struct Difference: Codable, Hashable, Sendable {
    /// Counted from 2.
    public var repetition: Int
    /// Where it first differs.
    public var place: String
  }

  /// Compares all runs with the first.
  public init(_ runs: [Observation]) {
    repetitions = runs.count
    differing = []
    for (index, run) in runs.enumerated().dropFirst() {
      if let place = runs[0].firstDifference(from: run) { differing.append(Difference(repetition: index + 1, place: place)) }
    }
  }

  public var description: String {
    guard let first = differing.first else { return "\(repetitions) runs, every one the same to the bit" }
    return "\(differing.count) of \(repetitions) runs differ from the first; run \(first.repetition) at \(first.place)"
  }
}

extension Observation {
  /// The first result, in the order of the tiers, that is not the same to the bit.
  fileprivate func firstDifference(from other: Observation) -> String? {
    for precision in Precision.allCases {
      guard let mine = trainings[precision], let theirs = other.trainings[precision] else {
        if (trainings[precision] == nil) != (other.trainings[precision] == nil) {
          return "\(precision): only one of them has this training"
        }
        continue
      }
      if let place = mine.firstDifference(from: theirs) { return "\(precision) \(place)" }
    }
    return nil
  }
}

extension Observation.Training {
  fileprivate func firstDifference(from other: Self) -> String? {
    if header.data != other.header.data { return "data" }
    if header.weights != other.header.weights { return "initial weights" }
    for (mine, theirs) in zip(operators, other.operators) where mine != theirs { return "operator \(mine.operator)" }
    for (mine, theirs) in zip(steps, other.steps) where !mine.hasSameResults(as: theirs) { return "step \(mine.step)" }
    for (mine, theirs) in zip(evaluations, other.evaluations) where mine != theirs { return "the evaluation after step \(mine.step)" }
    if artifact?.files != other.artifact?.files { return "the saved model" }
    for (mine, theirs) in zip(inferences, other.inferences) where (mine.digest, mine.error) != (theirs.digest, theirs.error) {
      return "inference \(mine.configuration)"
    }
    let counts = [(operators.count, other.operators.count), (steps.count, other.steps.count), (inferences.count, other.inferences.count)]
    return counts.contains { $0 != $1 } ? "its length" : nil
  }
}

extension Step {
  /// Time apart, which is no result.
  fileprivate func hasSameResults(as other: Step) -> Bool {
    [loss, bce, ctc, gradientNorm].map(\.bitPattern) == [other.loss, other.bce, other.ctc, other.gradientNorm].map(\.bitPattern)
  }
}

extension RunHeader {
  /// One digest for everything that is given to the training.
  var inputs: Digest { Digest.sha256(of: Array("\(data.digest) \(weights.digest)".utf8)) }
}
