/// Puts a verdict's evidence into one sentence for people.
import EnvCore

struct Reading {
  var outcome: Verdict.Outcome
  var evidence: Evidence
  var breakages: [Breakage]
  var cause: Cause?

  var sentence: String {
    switch outcome {
    case .identical:
      steps == 0 ? "every operator gives the same bits" : "the same bits as the baseline through step \(steps): the same arithmetic"
    case .equivalent:
      "only rounding noise (\(noise)): other kernels, threads, processor or library build, the same computation\(likeliest)"
    case .driftPrecision: "float64 agrees, but \(deviation(.float32)): \(meaningOfPrecision)\(likeliest)"
    case .driftSemantics:
      "\(deviation(.float64)): \(meaningOfSemantics)\(likeliest)"
    case .driftNondeterminism: "runs of the same thing differ\(likeliest)"
    case .broken: (breakages.first.map(\.description) ?? "there is nothing to compare") + likeliest
    }
  }

  private var steps: Int { evidence.measurements.map(\.steps).min() ?? 0 }

  private var noise: String {
    evidence.measurements.map { "\($0.precision) loss \(scientific($0.loss.largest)), score \(scientific($0.score.largest))" }
      .joined(separator: "; ")
  }

  /// Where it first shows, the training before the operators: it says what a user of the model would notice.
  private func deviation(_ precision: Precision) -> String {
    let moved = evidence.operators.filter(\.isBeyondBand)
    let first = evidence.measurements.sorted { ($0.precision == precision ? 0 : 1) < ($1.precision == precision ? 0 : 1) }
      .compactMap(\.firstBeyondBand).first
    let inference = evidence.inferences.first { $0.agreement == .beyondBand }
    guard let place = first?.description ?? moved.first?.description ?? inference?.description else { return "the results moved" }
    // The operator is where to look, the training why it matters: told together.
    return first != nil && !moved.isEmpty ? "\(place) (first in operator \(moved[0].operator))" : place
  }

  private var meaningOfSemantics: String {
    switch cause?.locus {
    case .inputs: "the data, the weights, the masks or their order are others"
    case .between:
      "every operator alone gives the same bits, so the data on their way in, a hyperparameter or how the operators are joined changed"
    case .operators, .inference, nil: "an operator, a hyperparameter default, the data or the weights changed"
    }
  }

  private var meaningOfPrecision: String {
    if cause?.locus == .inference { return "the training is the same, the engine that serves the saved model is not" }
    if evidence.measurements.contains(where: { $0.firstBeyondBand != nil }) {
      return "arithmetic of reduced precision crept in (TF32, bfloat16, fast-math)"
    }
    let isLess = evidence.operators.contains { $0.agreement == .lessAccurate }
    return isLess
      ? "an operator became less accurate, though the training does not show it yet"
      : "a function was replaced by another that is about as accurate"
  }

  private var likeliest: String { cause?.clause.map { "; likeliest cause: \($0)" } ?? "" }
}
