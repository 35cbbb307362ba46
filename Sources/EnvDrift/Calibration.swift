/// The noise that harmless variations of an environment make, as it was measured, and the bands that follow from it. It runs nothing.
import EnvCore

/// What was varied, and how far it moved the results at most.
public struct Calibration: Codable, Hashable, Sendable {
  /// The largest deviation of one precision over all variations.
  public struct Envelope: Codable, Hashable, Sendable {
    /// Of the loss of each step, relative.
    public var loss: [Double]
    /// Of a score in each evaluation, absolute, by ascending step.
    public var score: [Double]
    /// By operator.
    public var operators: [String: OperatorNoise]
    /// By configuration of the inference engine: the largest deviation of a score from the dynamic graph's.
    public var inferences: [String: Double]
  }

  /// The worst profile one operator had.
  public struct OperatorNoise: Codable, Hashable, Sendable {
    /// Largest error of a result, in ULP.
    public var max: Double
    /// Largest mean error, in ULP.
    public var mean: Double
    /// Whether any variation gave other bits; nil in baselines that do not say.
    public var moved: Bool?
  }

  /// How many times the noise measured still passes.
  public var margin: Double
  /// What was varied, such as `MKL_CBWR=COMPATIBLE`.
  public private(set) var variations: [String]
  /// By precision.
  public private(set) var envelopes: [Precision: Envelope]

  /// A calibration that knows of nothing yet.
  public init(margin: Double) {
    self.margin = margin
    variations = []
    envelopes = [:]
  }

  /// Adds what a variation did. Both runs are of the same seeds, and complete.
  ///
  /// - Throws: `cannotRecord` if they cannot be compared, `notHarmless` if float64 moved by more than rounding can: a band made of that would
  ///   hold every drift. Nothing is added then.
  public mutating func add(_ variation: String, of varied: Observation, against reference: Observation) throws(DriftError) {
    var envelopes = envelopes
    for precision in Precision.allCases {
      guard let now = varied.trainings[precision], let was = reference.trainings[precision] else {
        throw .cannotRecord(reason: "under \(variation) it has no \(precision) training")
      }
      guard now.header.data.digest == was.header.data.digest, now.header.weights.digest == was.header.weights.digest,
        now.steps.count == was.steps.count, now.evaluations.map(\.step) == was.evaluations.map(\.step)
      else { throw .cannotRecord(reason: "under \(variation) the \(precision) training is another one") }
      let noise = Envelope(now, against: was)
      let largest = max(noise.loss.max() ?? 0, noise.score.max() ?? 0)
      guard precision != .float64 || largest <= Band.rounding.loss else {
        throw .notHarmless(variation: variation, what: "float64", moved: largest, limit: Band.rounding.loss)
      }
      envelopes[precision] = envelopes[precision]?.joined(noise) ?? noise
    }
    self.envelopes = envelopes
    variations.append(variation)
  }
}

extension Calibration.Envelope {
  fileprivate init(_ now: Observation.Training, against was: Observation.Training) {
    loss = zip(was.steps, now.steps).map { relativeDeviation($0.loss, $1.loss) }
    score = zip(was.evaluations, now.evaluations).map { zip($0.scores, $1.scores).map { abs($0 - $1) }.max() ?? 0 }
    let digests = Dictionary(was.operators.map { ($0.operator, $0.digest) }) { first, _ in first }
    let noise = (was.operators + now.operators).map {
      ($0.operator, Calibration.OperatorNoise(max: $0.max, mean: $0.mean, moved: $0.digest != digests[$0.operator]))
    }
    operators = Dictionary(noise) { $0.joined($1) }
    let scores = (was.inferences + now.inferences).compactMap { run in run.deviation.map { (run.configuration, $0) } }
    inferences = Dictionary(scores, uniquingKeysWith: max)
  }

  fileprivate func joined(_ other: Self) -> Self {
    var joined = self
    joined.loss = zip(loss, other.loss).map { max($0, $1) }
    joined.score = zip(score, other.score).map { max($0, $1) }
    joined.operators.merge(other.operators) { $0.joined($1) }
    joined.inferences.merge(other.inferences, uniquingKeysWith: max)
    return joined
  }
}

extension Calibration.OperatorNoise {
  fileprivate func joined(_ other: Self) -> Self {
    let moved = moved.flatMap { one in other.moved.map { one || $0 } }
    return Self(max: Swift.max(max, other.max), mean: Swift.max(mean, other.mean), moved: moved)
  }
}

/// The bands of one precision: by step where the noise was measured by step, else the same throughout.
struct Bands {
  var whole: Band
  var envelope: Calibration.Envelope?
  var margin = 1.0

  /// The smallest deviation ever taken for a drift. Noise can be nothing on one processor and a few last places on the next,
  /// so a band from data of one processor must not be narrower: float64 keeps the bound that separates noise from change by five
  /// orders of magnitude, float32 sixteen units in the last place of 1.
  static func floor(_ precision: Precision) -> Double { precision == .float64 ? Band.rounding.loss : 0x1p-20 }

  /// What the loss of a step, counted from 1, may deviate by: noise does not shrink as training goes on, so what was measured
  /// until then counts.
  func loss(at step: Int, _ precision: Precision) -> Double {
    guard let noise = envelope?.loss.prefix(step).max() else { return whole.loss }
    return max(noise * margin, Self.floor(precision))
  }

  /// What the scores of an evaluation, counted from 0, may deviate by.
  func score(at evaluation: Int, _ precision: Precision) -> Double {
    guard let noise = envelope?.score.prefix(evaluation + 1).max() else { return whole.score }
    return max(noise * margin, Self.floor(precision))
  }
}

extension Baseline {
  /// Takes over what was measured: the bands follow from it.
  ///
  /// - Throws: `inconsistentBaseline` if it is of another training.
  public mutating func adopt(_ calibration: Calibration, _ measurements: [BandMeasurement]) throws(DriftError) {
    self.calibration = calibration
    self.measurements = measurements
    for (precision, envelope) in calibration.envelopes {
      bands[precision] = Band(envelope, margin: calibration.margin, of: precision)
    }
    try checkConsistency()
  }

  /// The bands of one precision; nothing if it has none.
  func bands(of precision: Precision) -> Bands? {
    bands[precision].map { Bands(whole: $0, envelope: calibration?.envelopes[precision], margin: calibration?.margin ?? 1) }
  }

  /// What the loss of each step may deviate by, relative: for drawing the band around the baseline's curve.
  public func lossBands(of precision: Precision) -> [Double] {
    guard let bands = bands(of: precision), let steps = trajectories[precision]?.loss.indices else { return [] }
    return steps.map { bands.loss(at: $0 + 1, precision) }
  }

  /// What the scores after a step may deviate by; nothing where the baseline has no evaluation.
  public func scoreBand(of precision: Precision, after step: Int) -> Double? {
    guard let index = trajectories[precision]?.evaluations.firstIndex(where: { $0.step == step }) else { return nil }
    return bands(of: precision)?.score(at: index, precision)
  }
}

extension Band {
  /// The widest band a calibration leads to: that of the last step and of the last evaluation.
  init(_ envelope: Calibration.Envelope, margin: Double, of precision: Precision) {
    let bands = Bands(whole: .rounding, envelope: envelope, margin: margin)
    self.init(loss: bands.loss(at: envelope.loss.count, precision), score: bands.score(at: envelope.score.count - 1, precision))
  }
}
