/// Judges the saved model in the inference engine against the baseline's.
import EnvCore

/// How one configuration of the inference engine compares with the baseline's.
public struct InferenceFinding: Codable, Hashable, Sendable, CustomStringConvertible {
  /// What the comparison came to.
  public enum Agreement: String, Codable, Sendable {
    case equalBits = "equal bits"
    case withinBand = "within band"
    case beyondBand = "beyond band"
    /// The engine refused what it did not refuse when the baseline was measured, or gave no numbers.
    case failed
    /// The run did not measure it.
    case missing
  }

  /// What of the engine is on.
  public var configuration: String
  /// What the comparison came to.
  public var agreement: Agreement
  /// Largest difference of a score from the dynamic graph's: the baseline's, the run's, and what it may be.
  public var expectedDeviation: Double?
  public var deviation: Double?
  public var band: Double
  /// Speed as multiples of the dynamic graph's, in the baseline and in the run. Evidence only: it decides nothing.
  public var expectedRelative: [String: Double]?
  public var relative: [String: Double]?
  /// Why the engine refused.
  public var error: String?

  public var description: String {
    switch agreement {
    case .equalBits: "inference \(configuration): the same bits"
    case .missing: "inference \(configuration): not measured"
    case .failed: "inference \(configuration): \(error ?? "the scores are no numbers")"
    case .withinBand, .beyondBand:
      "inference \(configuration): scores \(scientific(deviation ?? .nan)) off the dynamic graph's, "
        + "was \(scientific(expectedDeviation ?? .nan)), band \(scientific(band))"
    }
  }
}

extension InferenceFinding {
  /// Compares every configuration the baseline knows, in its order; nothing if the run has no such tier.
  static func all(_ training: Observation.Training, against baseline: Baseline) -> [InferenceFinding] {
    guard !training.inferences.isEmpty, let expected = baseline.trajectories[training.header.precision] else { return [] }
    let precision = training.header.precision
    let actual = Dictionary(training.inferences.map { ($0.configuration, $0) }) { first, _ in first }
    let noise = baseline.calibration?.envelopes[precision]?.inferences ?? [:]
    return (expected.inferences ?? []).map { was in
      let worst = max(noise[was.configuration] ?? 0, was.deviation ?? 0)
      let band = max(worst * (baseline.calibration?.margin ?? 4), Bands.floor(precision))
      return InferenceFinding(was, actual[was.configuration], band: band)
    }
  }

  private init(_ was: Inference, _ now: Inference?, band: Double) {
    self.init(
      configuration: was.configuration, agreement: .missing, expectedDeviation: was.deviation, deviation: now?.deviation, band: band,
      expectedRelative: was.relative, relative: now?.relative, error: now?.error)
    guard let now else { return }
    if was.error != nil, now.error != nil {
      // What never worked proves nothing when it still does not.
      agreement = .equalBits
    } else if let deviation = now.deviation, now.error == nil {
      agreement = was.digest != nil && now.digest == was.digest ? .equalBits : deviation <= band ? .withinBand : .beyondBand
    } else {
      agreement = .failed
    }
  }
}
