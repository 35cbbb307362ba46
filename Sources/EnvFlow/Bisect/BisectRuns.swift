/// Environments between two locks, built and measured: each once, with the same instrument. Which ones is `ChangeSearch`'s choice.
import ChildProcess
import EnvCore
import EnvDrift
import EnvImage
import EnvLaunch
import EnvStore
import SafeFS

/// Builds and measures what lies between a good and a bad environment.
struct BisectRuns {
  /// A run of the workload and how it ended.
  struct Run {
    var observation: Observation
    /// What was not well about its end; nil for nothing.
    var failure: String?
    /// Wall time of the measurement.
    var seconds: Double
    var isRemembered: Bool
    var image: Digest
  }

  /// Profiles of the workload, by its own names.
  enum Workload: String { case operators, quick, full }

  let workbench: Workbench
  let difference: LockDifference
  /// After this time a run is ended.
  let deadline: Duration
  /// For the workload, besides its profile.
  let arguments: [String]
  private let memory = LayerMemory()

  init(_ workbench: Workbench, _ difference: LockDifference, arguments: [String], deadline: Duration) {
    self.workbench = workbench
    self.difference = difference
    self.arguments = arguments
    self.deadline = deadline
  }

  /// Makes the good environment with some changes ready and measures it, or recalls what was measured.
  ///
  /// - Parameters:
  ///   - repetition: Counted from 1.
  ///   - reporter: Who is told of the stages.
  /// - Throws: What keeps it from being made or run.
  func run(_ applied: Set<Int>, _ workload: Workload, repetition: Int = 1, reporter: any StageReporter) throws -> Run {
    let pinned = try difference.applying(applied)
    let builder = ImageBuilder(store: workbench.store, reporter: reporter, memory: memory)
    let image = try builder.build(pinned.recipe, pinned.lock, isRecorded: false)
    let kept = try BisectMemory(
      workbench.store, image: image.manifestDigest, settings: pinned.settings,
      workload: ([workload.rawValue] + arguments).joined(separator: " "), repetition: repetition)
    if let run = kept.recall() { return replay(run, image.manifestDigest) }
    let bench = workbench.telling(reporter)
    let holds = try bench.store.hold(image)
    let layers = try bench.unpack(image)
    let environment = ReadyEnvironment(
      name: pinned.recipe.name, image: image, layers: layers, baseline: nil, computeCapabilities: [], holds: holds)
    var settings = LaunchSettings()
    settings.variables = pinned.settings.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    let request = CheckRequest(.reference(.quick), arguments: arguments, settings: settings, deadline: deadline)
    let recorder = WorkloadRecorder()
    let start = ContinuousClock.now
    let ending = try bench.observe(environment, workload: workload.rawValue, request, recorder)
    let seconds = (ContinuousClock.now - start).seconds
    // What failed may have been killed, or have run out of memory or time, and end otherwise next time.
    if ending.failure == nil {
      let records = String(decoding: recorder.bytes, as: UTF8.self)
      try kept.remember(BisectMemory.Run(failure: ending.failure, seconds: seconds, records: records))
    }
    return Run(
      observation: recorder.observation, failure: ending.failure, seconds: seconds, isRemembered: false, image: image.manifestDigest)
  }

  private func replay(_ run: BisectMemory.Run, _ image: Digest) -> Run {
    let recorder = WorkloadRecorder()
    recorder.replay(Array(run.records.utf8))
    return Run(observation: recorder.observation, failure: run.failure, seconds: run.seconds, isRemembered: true, image: image)
  }
}

extension Workbench {
  /// The same tools, telling the story to somebody else.
  func telling(_ reporter: any StageReporter) -> Workbench {
    var workbench = Workbench(store: store, catalog: catalog, reporter: reporter, registry: registry, platform: platform)
    (workbench.allowsUnpinned, workbench.policyFiles, workbench.traceID) = (allowsUnpinned, policyFiles, traceID)
    return workbench
  }
}
