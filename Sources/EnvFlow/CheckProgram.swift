/// launch → observe → judge for a training of the user's own: it runs in a fresh container with the project's folder, and what it writes as
/// JSON lines meets `envctl.baseline.json`.
import EnvBundle
import EnvCatalog
import EnvCore
import EnvDrift
import EnvGPU
import EnvStore
import Hashing
import SafeFS
import SystemPackage

extension Workbench {
  /// Runs the project's own training in a fresh container and judges its records, or those of an earlier run.
  ///
  /// - Throws: `FlowError.noProgramBaseline`, `.programBaselineDiffers`; what keeps it from running; `DriftError.notInBaseline`.
  func checkProgram(
    _ environment: ReadyEnvironment, _ project: ProjectFile, _ program: ProgramCheck, _ request: CheckRequest
  ) throws -> ProgramCheckResult {
    guard let (baseline, digest) = try programBaseline(of: project) else {
      throw FlowError.noProgramBaseline(file: Self.programBaselineFile(of: project))
    }
    if let locked = try EnvironmentLock.read(in: project.folder)?.programBaseline, locked != digest {
      throw FlowError.programBaselineDiffers(file: Self.programBaselineFile(of: project), locked: locked, actual: digest)
    }
    let comparison = ProgramComparison(with: baseline, bands: program.bands)
    let start = RunStart(self)
    let shelf = CheckShelf(store, project: project.folder)
    let recorder = ProgramRecorder(
      LiveRun(id: start.id, environment: environment.name, started: start.started, command: program.command, against: comparison),
      file: try shelf.open(start), keepsBytes: request.records != nil, watcher: request.watcher)
    let command = program.command + request.arguments
    let ending = try request.replay == nil ? observe(environment, project, program, request, recorder) : nil
    if let records = request.replay { recorder.replay(try FileSystem.readFile(records)) }
    let run = start.facts(
      of: environment, command: ending == nil ? [] : command, ending: ending?.description ?? "replayed from \(request.replay ?? "")")
    let verdict = try reporter.stage("judge") { _ in
      let verdict = try comparison.judge(
        recorder.reader, command: command, image: environment.image.manifestDigest, host: Self.hostFacts(),
        failedEnding: ending?.failure.map { "the training \($0)" })
      return (verdict, verdict.outcome.rawValue)
    }
    recorder.conclude(verdict)
    try shelf.keep(.program(verdict, baseline, bands: program.bands), run, recorder.file, reporter)
    return ProgramCheckResult(verdict: verdict, observed: recorder.reader.run, comparison: comparison, run: run)
  }

  /// Runs the project's own training, writes its results beside `envctl.yaml`, and locks them.
  ///
  /// - Parameter runs: How many times it is run; how far the runs lie apart is the measured noise, and widens the bands.
  /// - Returns: the file.
  /// - Throws: `FlowError.workloadFailed`, `DriftError.cannotRecord`.
  public func recordProgramBaseline(
    _ environment: ReadyEnvironment, _ project: ProjectFile, _ program: ProgramCheck, runs: Int, output: FilePath? = nil
  ) throws -> FilePath {
    var readers: [ProgramRunReader] = []
    for _ in 0..<max(1, runs) {
      let recorder = ProgramRecorder()
      let ending = try observe(environment, project, program, CheckRequest(.program(program)), recorder)
      if let failure = ending.failure { throw FlowError.workloadFailed(ending: failure) }
      readers.append(recorder.reader)
    }
    let baseline = try ProgramBaseline(
      command: program.command, image: environment.image.manifestDigest, host: Self.hostFacts(), reader: readers[0],
      repetitions: readers.dropFirst().map(\.run))
    let file = output ?? Self.programBaselineFile(of: project)
    let bytes = try baseline.encoded()
    try FileSystem.writeAtomically(bytes, to: file)
    if output == nil, var lock = try EnvironmentLock.read(in: project.folder) {
      lock.programBaseline = Digest.sha256(of: bytes)
      try lock.write(in: project.folder)
    }
    return file
  }

  /// The expected results of the project's own training, and the digest of their file; nil when there is none.
  func programBaseline(of project: ProjectFile) throws -> (ProgramBaseline, Digest)? {
    let file = Self.programBaselineFile(of: project)
    guard project.program != nil, FileSystem.exists(file) else { return nil }
    let bytes = try FileSystem.readFile(file, limit: 256 << 20)
    return (try ProgramBaseline(decoding: bytes, object: "'\(file)'"), Digest.sha256(of: bytes))
  }

  static func programBaselineFile(of project: ProjectFile) -> FilePath { project.folder.appending(ProgramBaseline.fileName) }

  private func observe(
    _ environment: ReadyEnvironment, _ project: ProjectFile, _ program: ProgramCheck, _ request: CheckRequest,
    _ recorder: ProgramRecorder
  ) throws -> WorkloadEnding {
    if let records = request.records { try FileSystem.writeAtomically([], to: records) }
    defer { withExtendedLifetime(environment.holds) {} }
    let gpus = try chooseGPUs(request.gpu ?? GPURequest(project.gpu))
    var launch = try environment.launchRequest(project, request.settings, models: try models(project))
    launch.devices = try devices(of: gpus, for: environment)
    launch.resources = try resources(of: project, request.settings.limits)
    try tryDevices(of: gpus, for: launch, in: environment)
    launch.command = program.command + request.arguments
    // Without it Python keeps lines back until the run is over, and nothing can be watched.
    if launch.environment["PYTHONUNBUFFERED"] == nil { launch.environment["PYTHONUNBUFFERED"] = "1" }
    return try reporter.stage("observe") { progress in
      recorder.progress = progress
      let ending = try listen(
        to: launch, in: environment, deadline: request.deadline ?? program.deadline, recorder.read, recorder.note)
      if let records = request.records { try FileSystem.writeAtomically(recorder.bytes, to: records) }
      if ending.failure != nil { for line in recorder.lastMessages { reporter.warned("training: " + line) } }
      let run = recorder.reader.run
      let steps = run.series["loss"]?.steps.count ?? 0
      return (ending, "\(program.command[0]): \(steps) steps, \(run.metrics.count) metrics, \(run.tensors.count) tensors, \(ending)")
    }
  }

  /// The processor and the kernel, by name.
  private static func hostFacts() -> [String: String] {
    let host = try? HostFacts()
    return ["processor": host?.processor["model name"], "kernel": host?.kernel].compactMapValues(\.self)
  }
}

/// Takes the lines of one's own training as they come.
///
/// The launcher calls it from the one thread that reads the container's output.
private final class ProgramRecorder {
  private(set) var bytes: [UInt8] = []
  /// The end of what it said besides its records.
  private(set) var lastMessages: [String] = []
  private(set) var reader = ProgramRunReader()
  let file: RecordFile?
  /// A night's log need not be held in memory when the store has it.
  private let keepsBytes: Bool
  var progress: @Sendable (StageProgress) -> Void = { _ in }
  private var live: LiveRun?
  private var memory = ProcessMemory()
  private let watcher: (any CheckWatcher)?

  init(_ live: LiveRun? = nil, file: RecordFile? = nil, keepsBytes: Bool = false, watcher: (any CheckWatcher)? = nil) {
    self.live = live
    self.file = file
    self.keepsBytes = keepsBytes
    self.watcher = watcher
    if let live { watcher?.changed(to: live) }
  }

  /// Takes a whole stream that was kept.
  func replay(_ stream: [UInt8]) {
    var lines = stream.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    if lines.last?.isEmpty == true { lines.removeLast() }
    for line in lines { read(String(decoding: line, as: UTF8.self)) }
  }

  func read(_ line: String) {
    let text = Array((line + "\n").utf8)
    if keepsBytes { bytes += text }
    file?.append(text)
    // A faulty line is among the reader's faults, which the judge sees; the stream goes on.
    switch try? reader.read(line) {
    case .record(let record)?: take(record)
    case .log?: note(line)
    case .unknown?, nil: break
    }
  }

  func note(_ line: String) {
    lastMessages.append(line)
    if lastMessages.count > 10 { lastMessages.removeFirst() }
  }

  func conclude(_ verdict: ProgramVerdict) {
    live?.outcome = verdict.outcome.rawValue
    live?.exitCode = verdict.exitCode
    if let live { watcher?.changed(to: live) }
  }

  private func take(_ record: ProgramRecord) {
    live?.take(record)
    live?.memory = memory.sample()
    if let live { watcher?.changed(to: live) }
    guard case .step(let step, let values) = record, let loss = values["loss"] else { return }
    let total = reader.run.announcedSteps ?? live?.tracks.values.first?.steps
    progress(StageProgress(object: "loss \(loss)", done: Int64(step), total: total.map { Int64($0) }, isBytes: false))
  }
}
