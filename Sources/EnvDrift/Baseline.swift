/// The results an environment is expected to reproduce: the content of `manifests/baselines/<name>.json`. It reads no file.
import EnvCore

/// A recorded run of both precisions, the environment it was recorded in, and the bands around it.
public struct Baseline: Codable, Hashable, Sendable {
  /// Version of the file format this module reads and writes.
  public static let currentSchema = 1

  /// One precision's results; the arrays hold one number a step.
  public struct Trajectory: Codable, Hashable, Sendable {
    /// Number of trained scalars.
    public var parameters: Int
    /// What is trained on.
    public var data: TensorDigests
    /// The state of the model before the first step.
    public var weights: TensorDigests
    /// What was in force, by name.
    public var hyperparameters: [String: Scalar]
    /// The seed of each random stream, by name; older baselines do not tell.
    public var seeds: [String: Int]?
    /// The training loss.
    public var loss: [Double]
    /// The part of the loss that is the risk score's.
    public var bce: [Double]
    /// The part of the loss that is the document reader's.
    public var ctc: [Double]
    /// Euclidean norm over all gradients.
    public var gradientNorm: [Double]
    /// By ascending step, without contributions.
    public var evaluations: [Evaluation]
    /// The operators one at a time.
    public var operators: [OperatorProfile]?
    /// The saved model.
    public var artifact: Artifact?
    /// The saved model in each configuration of the inference engine.
    public var inferences: [Inference]?

    enum CodingKeys: String, CodingKey {
      case parameters, data, weights, hyperparameters, seeds, loss, bce, ctc, evaluations, operators, artifact, inferences
      case gradientNorm = "gradient_norm"
    }
  }

  /// Version of the file format.
  public var schema: Int
  /// The environment's name in the catalog.
  public var name: String
  /// Manifest digest of the image it was measured in.
  public var image: Digest
  /// What ran; another version's results are not comparable.
  public var workload: Workload
  /// What it was measured on.
  public var environment: Environment
  /// Digest by path of the shared objects that were mapped only while it ran: a shorter run need not open them.
  public var opened: [String: Digest]?
  /// What is still taken for rounding noise.
  public var bands: [Precision: Band]
  /// How the bands were measured.
  public var measurements: [BandMeasurement]
  /// The noise by step, operator and configuration, where it was measured; it makes narrower bands than `bands`.
  public var calibration: Calibration?
  /// What other seeds come to, for environments that do not repeat themselves to the bit.
  public var population: Population?
  /// The results themselves.
  public var trajectories: [Precision: Trajectory]

  /// Makes a baseline of a complete run.
  ///
  /// - Throws: `cannotRecord` if a precision is missing or did not end well.
  public init(
    name: String, image: Digest, observation: Observation, bands: [Precision: Band], measurements: [BandMeasurement] = []
  ) throws(DriftError) {
    if let fault = observation.faults.first { throw .cannotRecord(reason: fault.summary) }
    if let failure = observation.earlyFailures.first { throw .cannotRecord(reason: failure.message) }
    guard let workload = observation.workload, let environment = observation.trainings[.float64]?.header.environment else {
      throw .cannotRecord(reason: "it has no float64 training")
    }
    var trajectories: [Precision: Trajectory] = [:]
    for precision in Precision.allCases {
      guard let training = observation.trainings[precision] else { throw .cannotRecord(reason: "it has no \(precision) training") }
      guard training.end != nil else {
        throw .cannotRecord(reason: training.failure?.message ?? "the \(precision) training did not end")
      }
      trajectories[precision] = Trajectory(training)
    }
    self.schema = Self.currentSchema
    self.name = name
    self.image = image
    self.workload = workload
    self.environment = environment
    let opened = observation.trainings.values.flatMap { $0.end?.libraries ?? [:] }
    self.opened = Dictionary(opened.map { ($0.key, $0.value) }) { first, _ in first }
    self.bands = bands
    self.measurements = measurements
    self.trajectories = trajectories
    try checkConsistency()
  }

  /// Reads a baseline file's bytes; `object` names the file in errors.
  ///
  /// - Throws: `unreadableBaseline`, `foreignBaselineSchema` or `inconsistentBaseline`.
  public init(decoding bytes: [UInt8], object: String) throws(DriftError) {
    self = try BaselineFile.decode(bytes, schema: Self.currentSchema, object: object)
    try checkConsistency()
  }

  /// What it was measured on, without what `other` had no occasion to open.
  func environment(comparableTo other: Environment) -> Environment {
    var environment = environment
    environment.libraries.merge((opened ?? [:]).filter { other.libraries[$0.key] != nil }) { before, _ in before }
    return environment
  }

  /// The file's canonical bytes.
  public func encoded() throws(JSONError) -> [UInt8] { try CanonicalJSON.encode(self) }

  func checkConsistency() throws(DriftError) {
    for precision in Precision.allCases {
      guard let trajectory = trajectories[precision] else {
        throw .inconsistentBaseline(name: name, reason: "it has no \(precision) trajectory")
      }
      guard let band = bands[precision], band.loss > 0, band.score > 0, band.loss.isFinite, band.score.isFinite else {
        throw .inconsistentBaseline(name: name, reason: "its \(precision) band is missing or not positive")
      }
      if let envelope = calibration?.envelopes[precision], envelope.loss.count != trajectory.loss.count {
        throw .inconsistentBaseline(name: name, reason: "\(precision): its calibration is of \(envelope.loss.count) steps")
      }
      if let reason = trajectory.contradiction { throw .inconsistentBaseline(name: name, reason: "\(precision): \(reason)") }
    }
  }
}

extension Baseline.Trajectory {
  init(_ training: Observation.Training) {
    self.init(
      parameters: training.header.parameters, data: training.header.data, weights: training.header.weights,
      hyperparameters: training.header.hyperparameters, seeds: training.header.seeds, loss: training.steps.map(\.loss),
      bce: training.steps.map(\.bce),
      ctc: training.steps.map(\.ctc), gradientNorm: training.steps.map(\.gradientNorm),
      evaluations: training.evaluations.map {
        var evaluation = $0
        evaluation.contributions = nil
        return evaluation
      },
      operators: training.operators, artifact: training.artifact, inferences: training.inferences)
  }

  /// Why the arrays cannot belong together, if they cannot.
  fileprivate var contradiction: String? {
    // Operators alone are enough for what is held against them alone.
    if loss.isEmpty { return operators?.isEmpty == false ? nil : "it has no steps" }
    if [bce.count, ctc.count, gradientNorm.count].contains(where: { $0 != loss.count }) { return "its series differ in length" }
    let steps = evaluations.map(\.step)
    if steps.isEmpty { return "it has no evaluation" }
    if zip(steps, steps.dropFirst()).contains(where: { $0 >= $1 }) { return "its evaluations are not in order" }
    if steps.contains(where: { !(1...loss.count).contains($0) }) { return "it has an evaluation after a step it does not have" }
    return nil
  }
}
