/// What a bisection found, as it is printed and as machines read it.
import EnvDrift
import EnvImage

/// The whole of a bisection.
public struct BisectResult: Codable, Sendable {
  /// Version of this document's form.
  public static let currentSchema = 1

  /// How it ended.
  public enum Outcome: String, Codable, Sendable {
    /// Every bit is the same in both environments.
    case identical
    /// The bad one is within the bands of the good one.
    case equivalent
    /// What the bad one shows was led back to changes.
    case causeFound = "cause found"
  }

  /// Changes that make the bad environment's symptom.
  public struct Cause: Codable, Sendable {
    public var changes: [LockChange]
    /// What these need to be made at all; it shows nothing by itself.
    public var needed: [LockChange]
    /// Whether each of the changes is shown to matter.
    public var isMinimal: Bool
    /// The first operator that moved in the good environment with nothing but this cause.
    public var firstOperator: String?
    /// What that environment shows, in one line.
    public var reading: String
  }

  /// One environment in between, tried.
  public struct Probe: Codable, Sendable {
    /// What of the bad environment it has.
    public var applied: [LockChange]
    public var outcome: ChangeSearch.Outcome
    /// What it shows, in one line.
    public var reading: String
    /// Wall time of building and measuring it, or of looking it up.
    public var seconds: Double
    /// Wall time of the workload in its container, when it was measured; nil for what could not be started.
    public var measurementSeconds: Double?
    /// Whether it was measured by an earlier bisection.
    public var isRemembered: Bool
  }

  public var schema = Self.currentSchema
  public var good: String
  public var bad: String
  public var outcome: Outcome
  /// What the bad environment shows; nil where that is nothing.
  public var symptom: Symptom?
  /// The verdict on the bad environment, by the good one's results.
  public var reading: String
  /// All that differs.
  public var changes: [LockChange]
  /// Each makes the symptom by itself.
  public var causes: [Cause] = []
  /// Whether what is left without the causes is shown not to have the symptom.
  public var isComplete = true
  /// What needs a cause, and so was left out with it when the rest was shown to be good.
  public var leftOut: [LockChange] = []
  /// What differs and would be cleared: the workload was told to keep all such variables.
  public var keptVariables: [String] = []
  public var probes: [Probe] = []
  public var seconds = 0.0
}
