/// What a check is asked to run, and who watches it.
import EnvCatalog
import EnvDrift
import EnvGPU
import SystemPackage

/// Watches a check while it runs.
public protocol CheckWatcher: Sendable {
  /// Called for every record and for the verdict, from the thread that reads the workload's output.
  func changed(to run: LiveRun)
}

/// What a check runs.
public struct CheckRequest: Sendable {
  /// How much of the reference workload is measured.
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

  /// What is run, and how its results are compared.
  public enum Measure: Sendable {
    /// The reference workload, value by value.
    case reference(Profile)
    /// This many seeds of the reference workload, by equivalence tests.
    case seeds(Int)
    /// The project's own training.
    case program(ProgramCheck)
  }

  public var measure: Measure
  /// How often the soak profile runs; everything else runs once.
  public var repetitions: Int
  /// Further arguments for what is run.
  public var arguments: [String]
  /// Of its container, over what the project and the image say.
  public var settings: LaunchSettings
  /// Where its records are kept besides the store, when they are to be kept: of the second run and those after it in `FILE.2` and so on.
  public var records: FilePath?
  /// Records of an earlier run, here or elsewhere, that are judged as if they were written now; nothing is run then.
  public var replay: FilePath?
  /// After this time a run is ended; nil is the project's own limit for its own training, and none for the reference workload.
  public var deadline: Duration?
  /// The devices of one's own training; nil is what the project says.
  public var gpu: GPURequest?
  public var watcher: (any CheckWatcher)?

  public init(
    _ measure: Measure, repetitions: Int = 3, arguments: [String] = [], settings: LaunchSettings = LaunchSettings(),
    records: FilePath? = nil, replay: FilePath? = nil, deadline: Duration? = nil, gpu: GPURequest? = nil,
    watcher: (any CheckWatcher)? = nil
  ) {
    self.measure = measure
    self.repetitions = repetitions
    self.arguments = arguments
    self.settings = settings
    self.records = records
    self.replay = replay
    self.deadline = deadline
    self.gpu = gpu
    self.watcher = watcher
  }

  /// The request for one of several runs, counted from 1, whose records do not overwrite those of another.
  func numbered(_ run: Int) -> CheckRequest {
    var request = self
    if run > 1 { request.records = records.map { FilePath("\($0).\(run)") } }
    return request
  }
}
