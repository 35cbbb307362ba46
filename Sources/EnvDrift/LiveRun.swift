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
    /// The relative deviation of the loss from the baseline, at the step that is furthest off against its band so far.
    public var deviation: Double?
    /// What `deviation` is held against: the band of that step.
    public var band: Double?
    /// The latest value by name, such as `auc`.
    public var metrics: [String: Double] = [:]

    mutating func compare(_ value: Double, with expected: Expectation?) {
      guard let expected else { return }
      let now = relativeDeviation(expected.value, value)
      // Nothing is further off than a NaN.
      if let deviation, let band, deviation.isNaN || LiveRun.share(now, of: expected.band) <= LiveRun.share(deviation, of: band) { return }
      (deviation, band) = (now, expected.band)
    }
  }

  /// A deviation as a share of its band, which may be 0.
  private static func share(_ deviation: Double, of band: Double) -> Double { deviation == 0 ? 0 : deviation / band }

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

  private var expected: [String: [Int: Expectation]] = [:]
  /// Those the run may be held against; which is nearest is known once it says what it runs on.
  private var baselines: [Baseline] = []

  /// A step's loss, and how far off it may be, relative.
  struct Expectation: Sendable, Hashable {
    var value: Double
    var band: Double
  }

  private init(id: String, environment: String, workload: String, started: Timestamp) {
    self.id = id
    self.environment = environment
    self.workload = workload
    self.started = started
  }

  /// A run of the reference workload; without a baseline nothing is known of deviations.
  public init(id: String, environment: String, started: Timestamp, workload: String, against baselines: [Baseline]) {
    self.init(id: id, environment: environment, workload: workload, started: started)
    self.baselines = baselines
  }

  /// A run of one's own training; without a baseline nothing is known of deviations.
  public init(id: String, environment: String, started: Timestamp, command: [String], against comparison: ProgramComparison?) {
    self.init(id: id, environment: environment, workload: command.first ?? "program", started: started)
    let series = comparison?.baseline.run.series["loss"]
    let band = comparison.map { $0.bands.band("loss", usual: ProgramBands.usual.series).value }
    tracks[Self.program] = Track(steps: series?.steps.last, band: band)
    let expectations = (series?.values ?? []).map { Expectation(value: $0, band: band ?? 0) }
    expected[Self.program] = Dictionary(zip(series?.steps ?? [], expectations)) { first, _ in first }
  }

  private static let program = "program"

  /// Takes a record of the reference workload.
  public mutating func take(_ record: Record) {
    let name = record.precision.rawValue
    var track = tracks[name] ?? Track()
    switch record {
    case .run(let header):
      (track.steps, track.step) = (header.steps, 0)
      expect(header)
    case .step(let step):
      (track.step, track.loss, track.stepSeconds) = (step.step, step.loss, step.seconds)
      track.compare(step.loss, with: expected[name]?[step.step])
    case .evaluation(let evaluation):
      track.metrics = ["auc": evaluation.auc, "ks": evaluation.ks, "amounts_exact": evaluation.amountsExact]
    case .operator, .artifact, .inference, .end, .failure: break
    }
    tracks[name] = track
  }

  /// From here on the losses are held against the baseline measured on what is most like this run's hardware.
  private mutating func expect(_ header: RunHeader) {
    guard let baseline = Baseline.nearest(to: header.environment, among: baselines),
      let losses = baseline.trajectories[header.precision]?.loss
    else { return }
    let expectations = zip(losses, baseline.lossBands(of: header.precision)).map { Expectation(value: $0, band: $1) }
    expected[header.precision.rawValue] = Dictionary(uniqueKeysWithValues: expectations.enumerated().map { ($0.offset + 1, $0.element) })
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
