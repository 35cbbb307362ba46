/// The records a workload writes, one JSON object a line: their types and their wire names. Reading a stream of them is `ObservationReader`'s work.
import EnvCore

/// The floating-point type a training ran in. The two tell different things: float64 shows a changed computation, float32 changed arithmetic.
public enum Precision: String, Codable, CodingKeyRepresentable, CaseIterable, Sendable, Comparable {
  case float32, float64

  public static func < (left: Precision, right: Precision) -> Bool { left.rawValue < right.rawValue }
}

/// A workload's name and version; results of different versions cannot be compared.
public struct Workload: Codable, Hashable, Sendable, CustomStringConvertible {
  /// Such as `riskmodel`.
  public var name: String
  /// A new one is due whenever the workload's results change.
  public var version: String

  /// The workload of this name and version.
  public init(name: String, version: String) {
    self.name = name
    self.version = version
  }

  public var description: String { "\(name) \(version)" }
}

/// The digest of a set of named tensors, and where told that of each.
public struct TensorDigests: Codable, Hashable, Sendable {
  /// Over the names and digests of all tensors.
  public var digest: Digest
  /// By tensor name; nothing where only the whole is told.
  public var tensors: [String: Digest]?

  /// The digest of a set of tensors, with those of the tensors where they are known.
  public init(digest: Digest, tensors: [String: Digest]? = nil) {
    self.digest = digest
    self.tensors = tensors
  }

  /// The names whose digests differ or which only one side has, sorted.
  func namesDiffering(from other: TensorDigests) -> [String] {
    let (mine, theirs) = (tensors ?? [:], other.tensors ?? [:])
    return Set(mine.keys).union(theirs.keys).filter { mine[$0] != theirs[$0] }.sorted()
  }
}

/// `run`: what is about to be trained, and on what. The first record of a precision.
public struct RunHeader: Codable, Hashable, Sendable {
  /// The training it belongs to.
  public var precision: Precision
  /// Version of the record format.
  public var schema: Int
  /// The workload's name.
  public var workload: String
  /// The workload's version.
  public var version: String
  /// How long it trains, by name: `quick` or `full`.
  public var profile: String
  /// Number of training steps to come.
  public var steps: Int
  /// Number of trained scalars.
  public var parameters: Int
  /// The seed of each random stream, by name.
  public var seeds: [String: Int]?
  /// What is trained on.
  public var data: TensorDigests
  /// The state of the model before the first step.
  public var weights: TensorDigests
  /// What is in force, by name.
  public var hyperparameters: [String: Scalar]
  /// What it runs on.
  public var environment: Environment
}

/// `step`: one optimizer step.
public struct Step: Codable, Hashable, Sendable {
  /// The training it belongs to.
  public var precision: Precision
  /// Counted from 1.
  public var step: Int
  /// The training loss of the batch.
  public var loss: Double
  /// Binary cross-entropy of the risk score, a part of the loss.
  public var bce: Double
  /// CTC loss of reading the document, a part of the loss.
  public var ctc: Double
  /// Euclidean norm over all gradients.
  public var gradientNorm: Double
  /// Wall time of the step.
  public var seconds: Double

  enum CodingKeys: String, CodingKey {
    case precision, step, loss, bce, ctc, seconds
    case gradientNorm = "gradient_norm"
  }
}

/// `evaluation`: the scores of the test applications after a step.
public struct Evaluation: Codable, Hashable, Sendable {
  /// What each part of the model contributes to the log-odds of one high score.
  public struct Contribution: Codable, Hashable, Sendable {
    /// Index into the test applications.
    public var application: Int
    /// Its probability of default.
    public var score: Double
    /// By part; positive where the part speaks for default.
    public var parts: [String: Double]
  }

  /// The training it belongs to.
  public var precision: Precision
  /// The step it follows.
  public var step: Int
  /// Area under the ROC curve of the scores.
  public var auc: Double
  /// Kolmogorov-Smirnov statistic of the scores.
  public var ks: Double
  /// Share of the scanned amounts read without an error.
  public var amountsExact: Double
  /// Probability of default of each test application.
  public var scores: [Double]
  /// The state of the model after the step.
  public var weights: TensorDigests
  /// Every dropout mask drawn so far.
  public var masks: TensorDigests
  /// Every batch drawn so far.
  public var order: TensorDigests
  /// For the riskiest applications; a baseline leaves them out.
  public var contributions: [Contribution]?

  enum CodingKeys: String, CodingKey {
    case precision, step, auc, ks, scores, weights, masks, order, contributions
    case amountsExact = "amounts_exact"
  }
}

/// `end`: the training at this precision is complete.
public struct RunEnd: Codable, Hashable, Sendable {
  /// The training it belongs to.
  public var precision: Precision
  /// Wall time of the process.
  public var seconds: Double
  /// Largest resident set of the process, in bytes.
  public var peakMemoryBytes: Int64
  /// Digest by path of the shared objects that were mapped after the header was written.
  public var libraries: [String: Digest]?
  /// The build ids of these, by path.
  public var buildIDs: [String: String]?

  enum CodingKeys: String, CodingKey {
    case precision, seconds, libraries
    case peakMemoryBytes = "peak_memory_bytes"
    case buildIDs = "build_ids"
  }
}

/// `error`: the training at this precision ended early.
public struct RunFailure: Codable, Hashable, Sendable {
  /// The training it belongs to.
  public var precision: Precision
  /// The step it failed in, as far as it is known.
  public var step: Int?
  /// The layer, operator or function at fault, as far as it is known.
  public var `operator`: String?
  /// What happened, in one line.
  public var message: String
}

/// Any record of the stream.
public enum Record: Hashable, Sendable {
  case run(RunHeader)
  case `operator`(OperatorProfile)
  case step(Step)
  case evaluation(Evaluation)
  case artifact(Artifact)
  case inference(Inference)
  case end(RunEnd)
  case failure(RunFailure)

  /// The precision it belongs to.
  public var precision: Precision {
    switch self {
    case .run(let record): record.precision
    case .operator(let record): record.precision
    case .step(let record): record.precision
    case .evaluation(let record): record.precision
    case .artifact(let record): record.precision
    case .inference(let record): record.precision
    case .end(let record): record.precision
    case .failure(let record): record.precision
    }
  }
}

extension Record: Decodable {
  private enum CodingKeys: String, CodingKey { case record }

  private enum Kind: String, Decodable { case run, `operator`, step, evaluation, artifact, inference, end, error }

  public init(from decoder: any Decoder) throws {
    switch try decoder.container(keyedBy: CodingKeys.self).decode(Kind.self, forKey: .record) {
    case .run: self = .run(try RunHeader(from: decoder))
    case .operator: self = .operator(try OperatorProfile(from: decoder))
    case .step: self = .step(try Step(from: decoder))
    case .evaluation: self = .evaluation(try Evaluation(from: decoder))
    case .artifact: self = .artifact(try Artifact(from: decoder))
    case .inference: self = .inference(try Inference(from: decoder))
    case .end: self = .end(try RunEnd(from: decoder))
    case .error: self = .failure(try RunFailure(from: decoder))
    }
  }
}
