/// What was seen of a run of one's own training. It is built by `ProgramRunReader`, judged by `ProgramComparison`, kept by `ProgramBaseline`.
import EnvCore

/// All records of one run, complete or not.
public struct ProgramRun: Codable, Hashable, Sendable {
  /// A quantity over the steps.
  public struct Series: Codable, Hashable, Sendable {
    /// Ascending.
    public var steps: [Int]
    /// As many as there are steps.
    public var values: [Double]
  }

  /// A name, and the step where something was told more than once.
  public struct Key: Codable, Hashable, Sendable, Comparable, CustomStringConvertible {
    public var name: String
    public var step: Int?

    public var description: String { name + (step.map { " at step \($0)" } ?? "") }

    public static func < (left: Key, right: Key) -> Bool { (left.step ?? -1, left.name) < (right.step ?? -1, right.name) }
  }

  public struct Metric: Codable, Hashable, Sendable {
    public var key: Key
    public var value: Double
  }

  public struct Scores: Codable, Hashable, Sendable {
    public var key: Key
    public var values: [Double]
  }

  public struct Tensor: Codable, Hashable, Sendable {
    public var key: Key
    public var digest: Digest
    /// Given to the computation rather than computed.
    public var isInput: Bool
  }

  /// By name: `loss`, and every other number that comes with the steps.
  public internal(set) var series: [String: Series] = [:]
  /// In the order they were told.
  public internal(set) var metrics: [Metric] = []
  public internal(set) var scores: [Scores] = []
  public internal(set) var tensors: [Tensor] = []
  public internal(set) var hyperparameters: [String: String] = [:]
  public internal(set) var environment: [String: JSONValue] = [:]
  /// How many steps the program announced.
  public internal(set) var announcedSteps: Int?

  /// The last step told.
  public var lastStep: Int? { series.values.compactMap(\.steps.last).max() }

  /// Whether nothing was recorded that could be judged.
  var isEmpty: Bool { series.isEmpty && metrics.isEmpty && scores.isEmpty && tensors.isEmpty }

  /// Adds a record where it belongs.
  ///
  /// - Throws: the reason, when it contradicts what came before.
  mutating func add(_ record: ProgramRecord) throws(ProgramRecord.Malformed) {
    switch record {
    case .step(let step, let values):
      for (name, value) in values {
        if let last = series[name]?.steps.last, step <= last { throw .init("step \(step) comes after step \(last)") }
        // In place: a copy each step would make long runs quadratic.
        series[name, default: Series(steps: [], values: [])].steps.append(step)
        series[name, default: Series(steps: [], values: [])].values.append(value)
      }
    case .metric(let name, let value, let step):
      try requireNew(Key(name: name, step: step), among: metrics.map(\.key), "metric")
      metrics.append(Metric(key: Key(name: name, step: step), value: value))
    case .scores(let name, let values, let step):
      try requireNew(Key(name: name, step: step), among: scores.map(\.key), "scores")
      scores.append(Scores(key: Key(name: name, step: step), values: values))
    case .tensor(let name, let digest, let step, let isInput):
      try requireNew(Key(name: name, step: step), among: tensors.map(\.key), "tensor")
      tensors.append(Tensor(key: Key(name: name, step: step), digest: digest, isInput: isInput))
    case .hyperparameters(let values): hyperparameters.merge(values) { $1 }
    case .environment(let members): environment.merge(members) { $1 }
    case .announcement(let steps): announcedSteps = steps
    }
  }

  private func requireNew(_ key: Key, among known: [Key], _ kind: String) throws(ProgramRecord.Malformed) {
    if known.contains(key) { throw .init("the \(kind) '\(key)' was told before; a step tells them apart") }
  }
}
