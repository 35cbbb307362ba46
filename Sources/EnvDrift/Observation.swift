/// What was seen of a workload's run, by precision. It is built by `ObservationReader`, judged by `Comparison`, kept by `Baseline`.
import EnvCore

/// All records of one run, complete or not.
public struct Observation: Sendable {
  /// Version of the record format this module reads.
  public static let schema = 1

  /// One precision's training.
  public struct Training: Sendable {
    /// What was announced.
    public var header: RunHeader
    /// The operators one at a time, in the order in which they were measured; each name once.
    public internal(set) var operators: [OperatorProfile] = []
    /// Step 1 first, without gaps.
    public internal(set) var steps: [Step] = []
    /// By ascending step.
    public internal(set) var evaluations: [Evaluation] = []
    /// The saved model, where it was saved.
    public internal(set) var artifact: Artifact?
    /// The saved model in each configuration of the inference engine.
    public internal(set) var inferences: [Inference] = []
    /// Present once it ended well.
    public internal(set) var end: RunEnd?
    /// Present once it ended early.
    public internal(set) var failure: RunFailure?

    /// Whether it has ended, well or not.
    public var isConcluded: Bool { end != nil || failure != nil }

    /// What it ran on, with the shared objects that came to be mapped while it ran.
    public var environment: Environment {
      var environment = header.environment
      environment.libraries.merge(end?.libraries ?? [:]) { before, _ in before }
      if let ids = end?.buildIDs { environment.buildIDs = (environment.buildIDs ?? [:]).merging(ids) { before, _ in before } }
      return environment
    }
  }

  /// What was read of each precision that announced itself.
  public internal(set) var trainings: [Precision: Training] = [:]
  /// Failures of a precision that wrote no header.
  public internal(set) var earlyFailures: [RunFailure] = []
  /// What was wrong with the stream itself.
  public internal(set) var faults: [DriftError] = []

  /// The workload that ran, once its first header was read.
  public var workload: Workload? {
    trainings.values.first.map { Workload(name: $0.header.workload, version: $0.header.version) }
  }
}
