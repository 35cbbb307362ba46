/// `envctl up`: everything from a project's file to a running workspace with a verdict, doing only what is not done yet.
import CDI
import EnvBundle
import EnvCatalog
import EnvCore
import EnvDrift
import EnvGPU
import EnvLaunch
import EnvStore
import Hashing
import SafeFS
import SystemPackage

/// What `up` brought about.
public struct UpResult: Sendable {
  public let workspace: WorkspaceStatus
  /// Whether this call started it; otherwise it ran already.
  public let wasStarted: Bool
  /// The verdict of this host on this environment; nil when the project wants none.
  public let verdict: Verdict?
  /// Whether the verdict was reached now; otherwise it is remembered from an earlier run.
  public let isVerdictNew: Bool
}

extension Workbench {
  /// Makes the environment ready, starts or finds the workspace, and measures the environment when this host has not done so yet.
  ///
  /// - Parameter gpu: Which GPUs the workspace gets; nil is what the project says.
  public func up(_ project: ProjectFile, gpu: GPURequest? = nil) throws -> UpResult {
    let gpus = try chooseGPUs(gpu ?? GPURequest(project.gpu))
    let environment = try provision(project)
    defer { withExtendedLifetime(environment.holds) {} }
    let models = try models(project)
    let (workspace, wasStarted) = try launch(environment, project, try devices(of: gpus, for: environment.image), models)
    let status = try ContainerLauncher(home: store.home).state(of: workspace.id)
    guard let profile = CheckRequest.Profile(rawValue: project.check.rawValue), environment.hasBaseline else {
      return UpResult(workspace: status, wasStarted: wasStarted, verdict: nil, isVerdictNew: false)
    }
    let memory = try VerdictMemory(store: store, environment: environment, project: project, profile: profile)
    // Two commands that meet a new environment at once measure it once.
    let waiting = { reporter.warned("another envctl is measuring this environment; waiting for its verdict") }
    return try store.withLock("verdict-" + memory.key.hex, waiting: waiting) {
      if let verdict = memory.recall() {
        return UpResult(workspace: status, wasStarted: wasStarted, verdict: verdict, isVerdictNew: false)
      }
      let verdict = try checkReference(environment, project, profile, CheckRequest(.reference(profile))).verdict
      // Only good news is remembered: whoever mends a drift wants it measured again.
      if verdict.exitCode == .asExpected { try memory.remember(verdict) }
      return UpResult(workspace: status, wasStarted: wasStarted, verdict: verdict, isVerdictNew: true)
    }
  }

  private func launch(
    _ environment: ReadyEnvironment, _ project: ProjectFile, _ devices: DeviceInjection?, _ models: [BindMount]
  ) throws -> (workspace: Workspace, wasStarted: Bool) {
    try reporter.stage("launch") { _ in
      let launcher = ContainerLauncher(home: store.home, reporter: reporter)
      let request = WorkspaceRequest(
        folder: project.folder, environment: environment.name, image: LaunchImage(environment.image, layers: environment.layers),
        launch: environment.launchRequest(project, devices, models))
      let (workspace, wasStarted) = try launcher.start(request)
      let action = wasStarted ? "started" : "found running"
      return ((workspace, wasStarted), "workspace \(workspace.id) \(action) with \(workspace.runtime.name)")
    }
  }

  /// Runs one command in a fresh container of the project's environment and returns the status to end with.
  public func run(
    _ project: ProjectFile, gpu: GPURequest? = nil, command: [String], terminal: Bool, variables: [(name: String, value: String)]
  ) throws -> Int32 {
    let gpus = try chooseGPUs(gpu ?? GPURequest(project.gpu))
    let environment = try provision(project)
    defer { withExtendedLifetime(environment.holds) {} }
    var request = environment.launchRequest(project, try devices(of: gpus, for: environment.image), try models(project))
    request.command = command
    request.terminal = terminal
    for (name, value) in variables { request.environment[name] = value }
    let launcher = ContainerLauncher(home: store.home, reporter: reporter)
    return try launcher.run(request, image: LaunchImage(environment.image, layers: environment.layers)).code
  }
}

extension ReadyEnvironment {
  /// The project's folder at `/workspace`, its models, variables and devices.
  func launchRequest(_ project: ProjectFile, _ devices: DeviceInjection?, _ models: [BindMount]) -> LaunchRequest {
    var request = LaunchRequest(hostname: hostname)
    request.mounts = [BindMount(source: project.mount.string, destination: "/workspace")] + models
    request.workingDirectory = "/workspace"
    for (name, value) in project.variables { request.environment[name] = value }
    request.devices = devices
    return request
  }
}
