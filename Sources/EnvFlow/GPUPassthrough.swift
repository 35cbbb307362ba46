/// A project's GPUs on their way into its containers: chosen, held against the image, handed to the launch, tried.
import CDI
import EnvBundle
import EnvCatalog
import EnvCore
import EnvGPU
import EnvLaunch
import EnvStore
import OCI
import SafeFS

/// The GPUs chosen for a project, with the host they were chosen from.
struct ChosenGPUs {
  let inventory: GPUInventory
  let selection: GPUSelection
}

extension Workbench {
  /// Chooses the devices; nil when none are wanted, or none are there and need not be.
  ///
  /// - Throws: `GPUError`; nothing is fetched for an environment this host cannot run.
  func chooseGPUs(_ request: GPURequest) throws -> ChosenGPUs? {
    guard request != .none else { return nil }
    let inventory = try GPUInventory(try HostTree(), folders: specificationFolders)
    guard let selection = try inventory.select(request) else {
      reporter.warned("the host has no GPU: the environment works on the processor")
      return nil
    }
    for note in selection.notes { reporter.warned(note) }
    return ChosenGPUs(inventory: inventory, selection: selection)
  }

  /// What the launch takes, once the host has all the image asks of it.
  ///
  /// - Throws: `GPUError.preflight` with every condition that does not hold.
  func devices(of gpus: ChosenGPUs?, for environment: ReadyEnvironment) throws -> DeviceInjection? {
    guard let gpus else { return nil }
    return try reporter.stage("preflight") { _ in
      let config = environment.image.config
      let needs = ImageGPUNeeds(
        environment: config.config?.environment ?? [], facts: EnvironmentFacts(config), computeCapabilities: environment.computeCapabilities
      )
      for finding in try GPUPreflight(gpus.inventory, gpus.selection, needs).require() { reporter.warned(finding.summary) }
      return (gpus.selection.injection, gpus.selection.devices.map(\.description).joined(separator: ", "))
    }
  }

  /// Lets the driver open the devices inside a workspace, at every `up`: one that ran on may have lost them meanwhile.
  ///
  /// - Throws: `GPUError.notPassed`, `.driverSilent`; the workspace stays as it is, for whoever looks into it.
  func tryDevices(of gpus: ChosenGPUs?, in workspace: String) throws {
    try tryDevices(of: gpus) { command, streams, limit in
      try ContainerLauncher(home: store.home).exec(ExecRequest(command), in: workspace, streams: streams, deadline: limit).code
    }
  }

  /// Lets the driver open the devices in a container like the one that is about to be started, which has no room for a second program.
  ///
  /// - Throws: `GPUError.notPassed`, `.driverSilent`; nothing of the user's has run then.
  func tryDevices(of gpus: ChosenGPUs?, for launch: LaunchRequest, in environment: ReadyEnvironment) throws {
    try tryDevices(of: gpus) { command, streams, limit in
      var probe = launch
      (probe.entrypoint, probe.command, probe.terminal) = ([], command, false)
      let launcher = ContainerLauncher(home: store.home, reporter: reporter)
      let image = LaunchImage(environment.image, layers: environment.layers)
      return try launching(environment) { try launcher.run(probe, image: image, streams: streams, deadline: limit).code }
    }
  }

  private typealias Attempt = (_ command: [String], _ streams: ContainerStreams, _ limit: Duration) throws -> Int32

  private func tryDevices(of gpus: ChosenGPUs?, _ attempt: Attempt) throws {
    guard let selection = gpus?.selection, selection.devices.contains(where: { $0.kind.vendor == "nvidia.com" }) else { return }
    try reporter.stage("gpu") { _ in
      guard let answer = try driverAnswer(attempt) else { return ((), "passed on, not tried") }
      let isWhole = selection.gpus.allSatisfy(\.instances.isEmpty)
      return ((), try answer.require(expected: isWhole ? selection.gpus.count : nil))
    }
  }

  /// What the probe says in a container; nil where no program of the image can run it.
  private func driverAnswer(_ attempt: Attempt) throws -> DriverProbe? {
    var output: [String] = []
    var errors: [String] = []
    let streams = ContainerStreams.lines(output: { output.append($0) }, errors: { errors.append($0) })
    let status: Int32
    do {
      status = try attempt(DriverProbe.command(), streams, DriverProbe.limit)
    } catch LaunchError.commandNotFound {
      reporter.warned("the image has no python3, so nothing in it could try whether its GPUs can be used")
      return nil
    } catch LaunchError.deadlineExceeded(let limit) {
      throw GPUError.driverSilent(limit: limit)
    }
    // 128 + SIGALRM: the program's own clock was the faster one.
    if status == 142 { throw GPUError.driverSilent(limit: DriverProbe.limit) }
    guard !output.isEmpty else { throw GPUError.probeFailed(status: status, message: errors.last ?? "") }
    let probe = try DriverProbe(output: Array(output.joined(separator: "\n").utf8))
    guard let untried = probe.untried else { return probe }
    reporter.warned("the image's python3 cannot try whether its GPUs can be used: \(untried)")
    return nil
  }
}
