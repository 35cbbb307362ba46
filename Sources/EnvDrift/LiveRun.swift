/// What can be said of a check while it runs: how far it is and how far off. It keeps the latest values only; the verdict is `Comparison`'s.
import EnvCore

/// The state of a run under way, fed record by record.
public struct LiveRun: Sendable, Hashable {
  /// One training: a precision of the reference workload, or one's own program.
  public struct Track: Sendable, Hashable {
    /// The last step that was told.
    public var step: Int?
    /// How many there will be.
    public var steps: Int?
    public var loss: Double?
    /// Wall time of the last step.
    public var stepSeconds: Double?
    /// The largest relative deviation of a loss from the baseline so far.
    public var deviation: Double?
    /// What `deviation` is held against.
    public var band: Double?
    /// The latest value by name, such as `auc`.
    public var metrics: [String: Double] = [:]

    mutating func compare(_ value: Double, with expected: Double?) {
      guard let expected else { return }
      deviation = max(deviation ?? 0, relativeDeviation(expected, value))
    }
  }

  /// The run's id and what it checks, as in `RunFacts`.
  public let id: String
  public let environment: String
  public let workload: String
  public let started: Timestamp
  /// By name: `float32`, `float64`, or `program`.
  public private(set) var tracks: [String: Track] = [:]
  /// Once there is a verdict.
  public var outcome: String?
  /// The status of the verdict.
  public var exitCode: ExitCode?
  /// Resident memory of the container's processes in bytes, as last measured.
  public var memory: Int64?

  private var expected: [String: [Int: Double]] = [:]

  private init(id: String, environment: String, workload: String, started: Timestamp) {
    self.id = id
    self.environment = environment
    self.workload = workload
    self.started = started
  }

  /// A run of the reference workload.
  public init(id: String, environment: String, started: Timestamp, against baseline: Baseline) {
    self.init(id: id, environment: environment, workload: baseline.workload.name, started: started)
    for (precision, trajectory) in baseline.trajectories {
      tracks[precision.rawValue] = Track(band: baseline.bands[precision]?.loss)
      expected[precision.rawValue] = Dictionary(uniqueKeysWithValues: trajectory.loss.enumerated().map { ($0.offset + 1, $0.element) })
    }
  }

  /// A run of one's own training; without a baseline nothing is known of deviations.
  public init(id: String, environment: String, started: Timestamp, command: [String], against comparison: ProgramComparison?) {
    self.init(id: id, environment: environment, workload: command.first ?? "program", started: started)
    let series = comparison?.baseline.run.series["loss"]
    let band = comparison.map { $0.bands.band("loss", usual: ProgramBands.usual.series).value }
    tracks[Self.program] = Track(steps: series?.steps.last, band: band)
    expected[Self.program] = Dictionary(zip(series?.steps ?? [], series?.values ?? [])) { first, _ in first }
  }

  private static let program = "program"

  /// Takes a record of the reference workload.
  public mutating func take(_ record: Record) {
    let name = record.precision.rawValue
    var track = tracks[name] ?? Track()
    switch record {
    case .run(let header): (track.steps, track.step) = (header.steps, 0)
    case .step(let step):
      (track.step, track.loss, track.stepSeconds) = (step.step, step.loss, step.seconds)
      track.compare(step.loss, with: expected[name]?[step.step])
    case .evaluation(let evaluation):
      track.metrics = ["auc": evaluation.auc, "ks": evaluation.ks, "amounts_exact": evaluation.amountsExact]
    case .end, .failure: break
    }
    tracks[name] = track
  }

  /// Takes a record of one's own training.
  public mutating func take(_ record: ProgramRecord) {
    var track = tracks[Self.program] ?? Track()
    switch record {
    case .step(let step, let values):
      track.step = step
      track.stepSeconds = values["seconds"] ?? track.stepSeconds
      if let loss = values["loss"] {
        track.loss = loss
        track.compare(loss, with: expected[Self.program]?[step])
      }
    case .metric(let name, let value, _): track.metrics[name] = value
    case .announcement(let steps): track.steps = steps
    case .scores, .tensor, .hyperparameters, .environment: break
    }
    tracks[Self.program] = track
  }
}
