/// The records of the single operators and of inference. Those of the training are in `Records`; what they mean is decided in `OperatorFinding` and `InferenceFinding`.
import EnvCore

/// `operator`: how far one operator's results on fixed inputs lie from exact ones, in units in the last place of the precision (ULP).
public struct OperatorProfile: Codable, Hashable, Sendable {
  /// The floating-point type it computed in.
  public var precision: Precision
  /// Such as `matmul 64x32x96` or `gelu`.
  public var `operator`: String
  /// Number of results.
  public var elements: Int
  /// Number of results that are NaN or infinite; the figures leave them out.
  public var notFinite: Int
  /// Largest error, in ULP.
  public var max: Double
  /// The error that 99 % of the results do not exceed, in ULP.
  public var p99: Double
  /// Median error, in ULP.
  public var p50: Double
  /// Mean error, in ULP.
  public var mean: Double
  /// Mean error with its sign, in ULP; far from 0 where rounding goes one way.
  public var bias: Double
  /// Number of errors up to 1/2, 1, 2, 4 … ULP.
  public var histogram: [Int]
  /// Of the bits of all results.
  public var digest: Digest

  enum CodingKeys: String, CodingKey {
    case precision, `operator`, elements, max, p99, p50, mean, bias, histogram, digest
    case notFinite = "not_finite"
  }
}

/// `artifact`: the trained model, saved for deployment.
public struct Artifact: Codable, Hashable, Sendable {
  /// One saved file.
  public struct File: Codable, Hashable, Sendable {
    /// Its size.
    public var bytes: Int64
    /// Of its content.
    public var sha256: Digest
  }

  /// The training it comes from.
  public var precision: Precision
  /// Wall time of tracing and saving.
  public var seconds: Double
  /// By suffix, such as `.pdmodel`.
  public var files: [String: File]
}

/// `inference`: the saved model run by the inference engine in one configuration; or, named `dynamic`, the model it was saved from.
public struct Inference: Codable, Hashable, Sendable {
  /// The training the model comes from.
  public var precision: Precision
  /// What of the engine is on, such as `fusion+onednn`.
  public var configuration: String
  /// Of the bits of the scores; nothing if there are none.
  public var digest: Digest?
  /// Largest absolute difference of a score from the dynamic graph's in the same process; nothing if it is no number.
  public var deviation: Double?
  /// Median latency of one application.
  public var p50Seconds: Double?
  /// 95th percentile of the latency of one application.
  public var p95Seconds: Double?
  /// 99th percentile of the latency of one application.
  public var p99Seconds: Double?
  /// Throughput in one large batch.
  public var scoresPerSecond: Double?
  /// From the configuration to the first score.
  public var startupSeconds: Double?
  /// Each of the above as a multiple of the dynamic graph's.
  public var relative: [String: Double]?
  /// Why the engine refused this configuration, if it did.
  public var error: String?

  enum CodingKeys: String, CodingKey {
    case precision, configuration, digest, deviation, relative, error
    case p50Seconds = "p50_seconds"
    case p95Seconds = "p95_seconds"
    case p99Seconds = "p99_seconds"
    case scoresPerSecond = "scores_per_second"
    case startupSeconds = "startup_seconds"
  }
}
