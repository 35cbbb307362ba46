/// launch → observe → judge: the reference workload runs in fresh containers and its results meet the baseline. A training of the user's
/// own is `CheckProgram`'s.
import EnvBundle
import EnvCatalog
import EnvCore
import EnvDrift
import EnvLaunch
import EnvStore
import SafeFS
import SystemPackage

extension Workbench {
  /// Where recipes put the bundled workload.
  static let workloadFolder = "/usr/lib/envctl/workloads/riskmodel"

  /// Measures the environment, judges the results, and keeps both for `report`.
  ///
  /// - Throws: What keeps it from running or from being compared: `FlowError`, `LaunchError`, `DriftError`.
  public func check(_ environment: ReadyEnvironment, _ project: ProjectFile, _ request: CheckRequest) throws -> CheckResult {
    // Records that are judged again wait for no container.
    if request.replay != nil { try environment.layers.wait(telling: reporter) }
    return switch request.measure {
    case .reference(let profile): .reference(try checkReference(environment, project, profile, request))
    case .seeds(let seeds): .reference(try checkSeeds(environment, project, seeds, request))
    case .program(let program): .program(try checkProgram(environment, project, program, request))
    }
  }

  /// The last check of a project that came to a verdict.
  ///
  /// - Throws: `FlowError.noCheck` or `.foreignCheck`.
  public func lastCheck(of project: FilePath) throws -> CheckResult {
    guard let kept = try CheckShelf(store, project: project).recall() else { throw FlowError.noCheck(folder: project) }
    return CheckResult(kept.check, records: kept.records)
  }

  /// Runs one profile of the reference workload, or judges the records of one.
  func checkReference(
    _ environment: ReadyEnvironment, _ project: ProjectFile, _ profile: CheckRequest.Profile, _ request: CheckRequest
  ) throws -> ReferenceCheckResult {
    let check = try ReferenceCheck(workbench: self, environment: environment, project: project, request: request)
    if let records = request.replay { return try check.keep(try check.replay(records)) }
    if profile == .soak { return try check.keep(try check.soak()) }
    return try check.keep(try check.run(profile))
  }

  /// Trains several seeds and compares what they come to with the baseline's, by equivalence tests instead of bits.
  private func checkSeeds(
    _ environment: ReadyEnvironment, _ project: ProjectFile, _ seeds: Int, _ request: CheckRequest
  ) throws -> ReferenceCheckResult {
    let check = try ReferenceCheck(workbench: self, environment: environment, project: project, request: request)
    return try check.keep(try check.seeds(seeds))
  }

  /// Runs the workload, which the recorder listens to, and returns how it ended.
  ///
  /// - Throws: Only what keeps the workload from running.
  func observe(
    _ environment: ReadyEnvironment, _ project: ProjectFile, _ profile: CheckRequest.Profile, _ request: CheckRequest,
    _ recorder: WorkloadRecorder
  ) throws -> WorkloadEnding {
    var request = request
    request.settings.variables = project.variables + request.settings.variables
    let resources = try resources(of: project, request.settings.limits)
    return try observe(environment, workload: profile.workload, request, resources: resources, recorder)
  }

  /// Runs a profile of the workload by its own name, in the settings of the request alone.
  func observe(
    _ environment: ReadyEnvironment, workload: String, _ request: CheckRequest, resources: ResourceRequest? = nil,
    _ recorder: WorkloadRecorder
  ) throws -> WorkloadEnding {
    // Found out before minutes of training, not after.
    if let records = request.records { try FileSystem.writeAtomically([], to: records) }
    defer { withExtendedLifetime(environment.holds) {} }
    let settings = request.settings
    var launch = LaunchRequest(hostname: environment.hostname, command: request.command(workload))
    for (name, value) in settings.variables { launch.environment[name] = value }
    // The project's folder is left out: what lies in it is no part of the environment that is measured.
    launch.mounts = settings.mounts
    launch.workingDirectory = settings.workingDirectory
    launch.user = settings.user
    launch.resources = resources
    let path = launch.environment["PYTHONPATH"].map { ":" + $0 } ?? ""
    launch.environment["PYTHONPATH"] = Self.workloadFolder + path
    return try reporter.stage("observe") { progress in
      recorder.progress = progress
      let ending = try listen(to: launch, in: environment, deadline: request.deadline, recorder.read, recorder.note)
      recorder.finish()
      if let records = request.records { try FileSystem.writeAtomically(recorder.bytes, to: records) }
      if ending.failure != nil { for line in recorder.lastErrors { reporter.warned("workload: " + line) } }
      let trainings = recorder.observation.trainings
      let steps = trainings.values.map(\.steps.count).max() ?? 0
      return (ending, "riskmodel \(workload): \(steps) steps in \(trainings.count) precisions, \(ending)")
    }
  }

  /// Runs a container to its end, its output line by line.
  func listen(
    to launch: LaunchRequest, in environment: ReadyEnvironment, deadline: Duration?, _ output: @escaping (String) -> Void,
    _ errors: @escaping (String) -> Void
  ) throws -> WorkloadEnding {
    let launcher = ContainerLauncher(home: store.home, reporter: reporter)
    let image = LaunchImage(environment.image, layers: environment.layers)
    do {
      return try launching(environment) {
        .ended(try launcher.run(launch, image: image, streams: .lines(output: output, errors: errors), deadline: deadline))
      }
    } catch LaunchError.deadlineExceeded(let limit) {
      return .overdue(limit)
    }
  }
}

extension CheckRequest {
  /// The reference workload and its arguments.
  func command(_ profile: Profile) -> [String] { command(profile.workload) }

  func command(_ workload: String) -> [String] { ["python3", "-m", "riskmodel", "--profile", workload] + arguments }
}

extension ReadyEnvironment {
  /// A catalog name is a host name; a reference, a layout's path or a triple is not.
  var hostname: String {
    name.utf8.allSatisfy { $0 == 45 || $0 == 46 || (48...57).contains($0) || (97...122).contains($0) } ? name : "envctl"
  }
}
