/// Where and by how much one precision's training left the baseline. What that means is decided in `Comparison`.
import EnvCore

/// A single difference between an observed value and the baseline's.
public struct Deviation: Codable, Hashable, Sendable, CustomStringConvertible {
  /// What differs; within a step the earlier is listed first.
  public enum Place: String, Codable, Sendable, CaseIterable {
    case data
    case initialWeights = "initial weights"
    case bce, ctc, loss
    case gradientNorm = "gradient norm"
    case masks = "dropout masks"
    case order = "batch order"
    case trainedWeights = "trained weights"
    case scores
    case metric

    /// Whether it is given to the computation rather than computed: here even one differing bit makes the runs incomparable.
    var isInput: Bool {
      switch self {
      case .data, .initialWeights, .masks, .order: true
      default: false
      }
    }
  }

  /// The training it belongs to.
  public var precision: Precision
  /// What differs.
  public var place: Place
  /// The step, counted from 1; 0 is before training.
  public var step: Int
  /// The baseline's value or digest.
  public var expected: String
  /// The value or digest observed.
  public var actual: String
  /// Relative for losses, norms and metrics, absolute for scores; nothing for digests.
  public var magnitude: Double?
  /// What `magnitude` is held against; nothing where the place has no band.
  public var band: Double?
  /// Where told, the tensor, the application or the metric.
  public var names: [String] = []

  /// Whether it is more than noise.
  public var isBeyondBand: Bool {
    if place.isInput { return true }
    guard let band, let magnitude else { return false }
    // Written so that a NaN counts as beyond.
    return !(magnitude <= band)
  }

  public var description: String {
    let named = names.isEmpty ? "" : " (\(names.prefix(3).joined(separator: ", "))\(names.count > 3 ? ", …" : ""))"
    let moment = step == 0 ? "before the first step" : "at step \(step)"
    let subject = "\(precision) \(place.rawValue)\(named) \(moment)"
    // The first digits of two digests are enough to see that they differ.
    guard let magnitude else { return "\(subject): \(actual.prefix(19))…, was \(expected.prefix(19))…" }
    let against = band.map { ", band \(scientific($0))" } ?? ""
    return "\(subject): \(actual), was \(expected), off by \(scientific(magnitude))\(against)"
  }
}

/// The largest deviation of one kind over a run.
public struct Extent: Codable, Hashable, Sendable {
  /// Relative for losses, absolute for scores.
  public var largest: Double
  /// The step where it is largest; 0 if nothing deviates.
  public var step: Int
  /// What `largest` is held against: the band at its step, or if nothing deviates that of the last.
  public var band: Double
}

/// How one precision compares with the baseline.
public struct Measurement: Codable, Hashable, Sendable {
  /// What the comparison came to.
  public enum Agreement: String, Codable, Sendable {
    case equalBits = "equal bits"
    case withinBand = "within band"
    case beyondBand = "beyond band"
    /// Data, initial weights, masks or order differ.
    case otherInputs = "other inputs"
  }

  /// The training it belongs to.
  public var precision: Precision
  /// Number of steps compared.
  public var steps: Int
  /// What the comparison came to.
  public var agreement: Agreement
  /// Over all steps.
  public var loss: Extent
  /// Over all evaluations.
  public var score: Extent
  /// The first value that differs in any bit.
  public var firstDifference: Deviation?
  /// The first value that differs by more than noise.
  public var firstBeyondBand: Deviation?
}

extension Measurement {
  /// Compares as much of `training` as there is.
  init(_ training: Observation.Training, against expected: Baseline.Trajectory, bands: Bands) {
    let series = Series(training: training, expected: expected, bands: bands)
    let deviations = series.deviations()
    let precision = training.header.precision
    let beyond = deviations.first { $0.isBeyondBand }
    self.init(
      precision: precision,
      steps: training.steps.count,
      agreement: deviations.contains { $0.place.isInput }
        ? .otherInputs : beyond != nil ? .beyondBand : deviations.isEmpty ? .equalBits : .withinBand,
      loss: Extent(deviations, at: .loss, band: bands.loss(at: training.steps.count, precision)),
      score: Extent(deviations, at: .scores, band: bands.score(at: training.evaluations.count - 1, precision)),
      firstDifference: deviations.first,
      firstBeyondBand: beyond)
  }
}

extension Extent {
  fileprivate init(_ deviations: [Deviation], at place: Deviation.Place, band: Double) {
    let worst = deviations.filter { $0.place == place }.max { ($0.magnitude ?? 0) < ($1.magnitude ?? 0) }
    self.init(largest: worst?.magnitude ?? 0, step: worst?.step ?? 0, band: worst?.band ?? band)
  }
}

/// Walks a training and its baseline in the order of time.
private struct Series {
  var training: Observation.Training
  var expected: Baseline.Trajectory
  var bands: Bands

  /// Every value that differs in any bit, earliest first.
  func deviations() -> [Deviation] {
    var found = [
      digests(.data, 0, expected.data, training.header.data),
      digests(.initialWeights, 0, expected.weights, training.header.weights),
    ].compactMap(\.self)
    var evaluations = training.evaluations[...]
    for (index, step) in training.steps.enumerated().prefix(expected.loss.count) {
      found += [
        numbers(.bce, step.step, expected.bce[index], step.bce),
        numbers(.ctc, step.step, expected.ctc[index], step.ctc),
        numbers(.loss, step.step, expected.loss[index], step.loss, band: bands.loss(at: step.step, training.header.precision)),
        numbers(.gradientNorm, step.step, expected.gradientNorm[index], step.gradientNorm),
      ].compactMap(\.self)
      if let evaluation = evaluations.first, evaluation.step == step.step {
        evaluations = evaluations.dropFirst()
        found += compare(evaluation)
      }
    }
    return found
  }

  private func compare(_ actual: Evaluation) -> [Deviation] {
    guard let index = expected.evaluations.firstIndex(where: { $0.step == actual.step }) else { return [] }
    let expected = expected.evaluations[index]
    return [
      digests(.masks, actual.step, expected.masks, actual.masks),
      digests(.order, actual.step, expected.order, actual.order),
      digests(.trainedWeights, actual.step, expected.weights, actual.weights),
      scores(expected, actual, band: bands.score(at: index, training.header.precision)),
      numbers(.metric, actual.step, expected.auc, actual.auc, name: "AUC"),
      numbers(.metric, actual.step, expected.ks, actual.ks, name: "KS"),
      numbers(.metric, actual.step, expected.amountsExact, actual.amountsExact, name: "amounts exact"),
    ].compactMap(\.self)
  }

  private func digests(_ place: Deviation.Place, _ step: Int, _ expected: TensorDigests, _ actual: TensorDigests) -> Deviation? {
    guard expected.digest != actual.digest else { return nil }
    return Deviation(
      precision: training.header.precision, place: place, step: step, expected: expected.digest.description,
      actual: actual.digest.description, names: expected.tensors == nil ? [] : actual.namesDiffering(from: expected))
  }

  private func numbers(
    _ place: Deviation.Place, _ step: Int, _ expected: Double, _ actual: Double, band: Double? = nil, name: String? = nil
  ) -> Deviation? {
    guard expected.bitPattern != actual.bitPattern else { return nil }
    return Deviation(
      precision: training.header.precision, place: place, step: step, expected: "\(expected)", actual: "\(actual)",
      magnitude: relativeDeviation(expected, actual), band: band, names: name.map { [$0] } ?? [])
  }

  /// The score that is furthest off.
  private func scores(_ expected: Evaluation, _ actual: Evaluation, band: Double) -> Deviation? {
    let pairs = zip(expected.scores, actual.scores).enumerated().filter { $1.0.bitPattern != $1.1.bitPattern }
    guard let (application, (was, now)) = pairs.max(by: { abs($0.1.0 - $0.1.1) < abs($1.1.0 - $1.1.1) }) else { return nil }
    return Deviation(
      precision: training.header.precision, place: .scores, step: actual.step, expected: "\(was)", actual: "\(now)",
      magnitude: abs(was - now), band: band, names: ["application \(application)"])
  }
}

/// |a − b| over the larger magnitude: symmetric, and at most 2.
public func relativeDeviation(_ a: Double, _ b: Double) -> Double {
  a == b ? 0 : abs(a - b) / max(abs(a), abs(b))
}

/// Two significant digits, such as `2.2e-06`; deviations are told by their order of magnitude.
public func scientific(_ value: Double) -> String {
  guard value != 0, value.isFinite else { return "\(value == 0 ? "0" : "\(value)")" }
  var mantissa = abs(value)
  var exponent = 0
  while mantissa >= 9.95 { (mantissa, exponent) = (mantissa / 10, exponent + 1) }
  while mantissa < 0.995 { (mantissa, exponent) = (mantissa * 10, exponent - 1) }
  let digits = (mantissa * 10).rounded() / 10
  return "\(value < 0 ? "-" : "")\(digits)e\(exponent)"
}
