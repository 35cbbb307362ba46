/// How far a result may lie from the baseline, and how that was measured. Bands are data: they are kept in the baseline's file.
import EnvCore

/// The largest deviation that is still taken for rounding noise.
public struct Band: Codable, Hashable, Sendable {
  /// Of a step's loss, relative to the larger of the two magnitudes.
  public var loss: Double
  /// Of a score, absolute.
  public var score: Double

  /// A band for losses and one for scores.
  public init(loss: Double, score: Double) {
    self.loss = loss
    self.score = score
  }

  /// The band of float64. Other kernels, threads and framework versions stay below 1e-14, the quietest planted change above 1e-11.
  public static let rounding = Band(loss: 1e-12, score: 1e-12)

  /// The band that holds `measurements` of this precision with room to spare.
  ///
  /// - Parameter margin: how many times the largest deviation measured still passes.
  public static func covering(_ measurements: [BandMeasurement], of precision: Precision, margin: Double) -> Band? {
    let own = measurements.filter { $0.precision == precision }
    guard let loss = own.map(\.loss).max(), let score = own.map(\.score).max(), loss > 0, score > 0 else { return nil }
    return Band(loss: loss * margin, score: score * margin)
  }
}

/// How far one harmless variation of the environment moved the results.
public struct BandMeasurement: Codable, Hashable, Sendable {
  /// What was varied, such as `MKL_CBWR=COMPATIBLE`.
  public var variation: String
  /// The processor's model.
  public var cpu: String
  /// The training it belongs to.
  public var precision: Precision
  /// Number of steps compared.
  public var steps: Int
  /// Largest relative deviation of a loss.
  public var loss: Double
  /// Largest absolute deviation of a score.
  public var score: Double

  /// What one variation came to.
  public init(variation: String, cpu: String, precision: Precision, steps: Int, loss: Double, score: Double) {
    self.variation = variation
    self.cpu = cpu
    self.precision = precision
    self.steps = steps
    self.loss = loss
    self.score = score
  }
}
