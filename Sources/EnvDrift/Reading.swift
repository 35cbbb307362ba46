/// Puts a verdict's evidence into one sentence for people.
import EnvCore

struct Reading {
  var outcome: Verdict.Outcome
  var measurements: [Measurement]
  var breakages: [Breakage]
  var differences: [EnvironmentDifference]

  var sentence: String {
    switch outcome {
    case .identical: "the same bits as the baseline through step \(steps): the same arithmetic"
    case .equivalent: "only rounding noise (\(noise)): other kernels, threads, processor or library build, the same computation\(cause())"
    case .driftPrecision:
      "float64 agrees, but \(first(.float32) ?? "float32 does not"): arithmetic of reduced precision crept in (TF32, bfloat16, fast-math)\(cause())"
    case .driftSemantics:
      "\(first(.float64) ?? first(.float32) ?? ""): an operator, a hyperparameter default, the data or the weights changed\(cause())"
    case .broken: breakages.first.map(\.description) ?? "there is nothing to compare"
    }
  }

  private var steps: Int { measurements.map(\.steps).min() ?? 0 }

  private var noise: String {
    measurements.map { "\($0.precision) loss \(scientific($0.loss.largest)), score \(scientific($0.score.largest))" }
      .joined(separator: "; ")
  }

  private func first(_ precision: Precision) -> String? {
    measurements.first { $0.precision == precision }?.firstBeyondBand?.description
  }

  /// The likeliest explanation there is, if there is one.
  private func cause() -> String {
    guard let difference = differences.first else { return "" }
    let others = differences.count - 1
    return "; \(difference)" + (others > 0 ? ", and \(others) more difference\(others == 1 ? "" : "s") of the environment" : "")
  }
}
