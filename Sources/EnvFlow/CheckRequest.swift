/// What a check is asked to run.
import SystemPackage

/// What a check runs.
public struct CheckRequest: Sendable {
  /// How much is measured.
  public enum Profile: String, Sendable, CaseIterable {
    /// Integrity, operators and 50 steps.
    case quick
    /// Also 200 steps and inference.
    case full
    /// The full profile several times, which must give the same bits every time.
    case soak

    /// What the workload is asked for.
    var workload: String { self == .quick ? "quick" : "full" }
  }

  public var profile: Profile
  /// How often the soak profile runs; other profiles run once.
  public var repetitions: Int
  /// Further arguments for the workload.
  public var arguments: [String]
  /// Variables for the workload's container, over the project's.
  public var variables: [(name: String, value: String)]
  /// Where the workload's records are kept, when they are to be kept.
  public var records: FilePath?

  public init(
    profile: Profile, repetitions: Int = 3, arguments: [String] = [], variables: [(name: String, value: String)] = [],
    records: FilePath? = nil
  ) {
    self.profile = profile
    self.repetitions = repetitions
    self.arguments = arguments
    self.variables = variables
    self.records = records
  }
}
