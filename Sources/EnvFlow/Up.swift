/// `envctl up`: everything from a project's file to a running workspace with a verdict, doing only what is not done yet.
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
  /// What it was started anew for.
  public let changes: [SettingChange]
  /// The verdict of this host on this environment; nil when the project wants none.
  public let verdict: Verdict?
  /// Whether the verdict was reached now; otherwise it is remembered from an earlier run.
  public let isVerdictNew: Bool

  fileprivate init(_ workspace: WorkspaceStatus, _ start: WorkspaceStart, verdict: Verdict? = nil, isVerdictNew: Bool = false) {
    self.workspace = workspace
    (wasStarted, changes) = (start.wasStarted, start.changes)
    (self.verdict, self.isVerdictNew) = (verdict, isVerdictNew)
  }
}

extension Workbench {
  /// Makes the environment ready, starts or finds the workspace, and measures the environment when this host has not done so yet.
  ///
  /// - Parameters:
  ///   - name: Of one of several workspaces of the project; nil is the one without a name.
  ///   - gpu: Which GPUs the workspace gets; nil is what the project says.
  ///   - discardingChanges: The workspace starts as the image has it, whatever was changed in it.
  public func up(
    _ project: ProjectFile, name: String? = nil, gpu: GPURequest? = nil, settings: LaunchSettings = LaunchSettings(),
    discardingChanges: Bool = false
  ) throws -> UpResult {
    let resources = try resources(of: project, settings.limits)
    let gpus = try chooseGPUs(gpu ?? GPURequest(project.gpu))
    let environment = try provision(project)
    defer { withExtendedLifetime(environment.holds) {} }
    var launch = try environment.launchRequest(project, settings, models: try models(project))
    launch.devices = try devices(of: gpus, for: environment)
    launch.resources = resources
    let request = WorkspaceRequest(
      folder: project.folder, name: name, environment: environment.name,
      image: LaunchImage(environment.image, layers: environment.layers), launch: launch)
    try tellPackages(of: request, image: environment.image)
    let start = try launching(environment) { try self.start(request, discardingChanges: discardingChanges) }
    try tryDevices(of: gpus, in: start.workspace.id)
    let status = try ContainerLauncher(home: store.home).state(of: start.workspace.id)
    guard let profile = CheckRequest.Profile(rawValue: project.check.rawValue), environment.hasBaseline else {
      return UpResult(status, start)
    }
    let memory = try VerdictMemory(store: store, environment: environment, project: project, profile: profile)
    // Two commands that meet a new environment at once measure it once.
    let waiting = { reporter.warned("another envctl is measuring this environment; waiting for its verdict") }
    return try store.withLock("verdict-" + memory.key.hex, waiting: waiting) {
      if let verdict = memory.recall() {
        return UpResult(status, start, verdict: verdict)
      }
      let verdict = try checkReference(environment, project, profile, CheckRequest(.reference(profile))).verdict
      // Only good news is remembered: whoever mends a drift wants it measured again.
      if verdict.exitCode == .asExpected { try memory.remember(verdict) }
      return UpResult(status, start, verdict: verdict, isVerdictNew: true)
    }
  }

  /// A workspace of another image: which packages that means, before anything is done with it.
  private func tellPackages(of request: WorkspaceRequest, image: StoredImage) throws {
    let launcher = ContainerLauncher(home: store.home)
    guard try launcher.workspaceIDs().contains(request.id) else { return }
    let former = try launcher.state(of: request.id).workspace.image.digest
    // Without the old image in the store nobody can say.
    guard former != image.manifestDigest, let before = try store.image(former) else { return }
    for change in try packages(from: before, to: image).changes {
      let versions = [change.before, change.after].map { $0.isEmpty ? "none" : $0.joined(separator: ", ") }
      reporter.warned("workspace \(request.id): package \(change.name): \(versions.joined(separator: " → "))")
    }
  }

  private func start(_ request: WorkspaceRequest, discardingChanges: Bool) throws -> WorkspaceStart {
    try reporter.stage("launch") { _ in
      let launcher = ContainerLauncher(home: store.home, reporter: reporter)
      let start = try launcher.start(request, discardingChanges: discardingChanges)
      let action = start.wasStarted ? "started" : "found running"
      return (start, "workspace \(start.workspace.id) \(action) with \(start.workspace.runtime.name)")
    }
  }

  /// Runs one command in a fresh container of the project's environment and returns the status to end with.
  public func run(
    _ project: ProjectFile, gpu: GPURequest? = nil, command: [String], terminal: Bool, settings: LaunchSettings = LaunchSettings()
  ) throws -> Int32 {
    let resources = try resources(of: project, settings.limits)
    let gpus = try chooseGPUs(gpu ?? GPURequest(project.gpu))
    let environment = try provision(project)
    defer { withExtendedLifetime(environment.holds) {} }
    var request = try environment.launchRequest(project, settings, models: try models(project))
    request.devices = try devices(of: gpus, for: environment)
    request.resources = resources
    try tryDevices(of: gpus, for: request, in: environment)
    request.command = command
    request.terminal = terminal
    let launcher = ContainerLauncher(home: store.home, reporter: reporter)
    let image = LaunchImage(environment.image, layers: environment.layers)
    return try launching(environment) { try launcher.run(request, image: image).code }
  }

  /// The limits of the project's containers; nil without any. What this host cannot enforce is said before anything is fetched.
  func resources(of project: ProjectFile, _ limits: ResourceRequest = ResourceRequest()) throws -> ResourceRequest? {
    let resources = project.resources.overridden(by: limits)
    try ContainerLauncher(home: store.home).requireEnforceable(resources)
    return resources.isEmpty ? nil : resources
  }
}
