/// `envctl baseline record`: the results other hosts will be compared with.
import EnvCatalog
import EnvCore
import EnvDrift
import EnvStore
import SafeFS
import SystemPackage

extension Workbench {
  /// Trains the full workload in the environment and makes a baseline of what it recorded.
  ///
  /// The bands are carried over from the baseline that is there, because they are measured over many variations and not in one run;
  /// without one, float32 gets the band of the reference measurements.
  public func recordBaseline(_ environment: ReadyEnvironment, _ project: ProjectFile) throws -> Baseline {
    // One that is there and cannot be read stops us before the training: its measured bands would be lost.
    let previous = environment.hasBaseline ? try baseline(of: environment) : nil
    let recorder = WorkloadRecorder()
    let ending = try observe(environment, project, CheckRequest(profile: .full), recorder)
    guard ending.failure == nil else { throw FlowError.workloadFailed(status: "\(ending)") }
    return try Baseline(
      name: environment.name, image: environment.image.manifestDigest, observation: recorder.observation,
      bands: previous?.bands ?? Self.referenceBands, measurements: previous?.measurements ?? [])
  }
}
