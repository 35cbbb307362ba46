/// A project's GPUs on their way into its containers: chosen, held against the image, handed to the launch.
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
    let inventory = try GPUInventory(try HostTree())
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
  func devices(of gpus: ChosenGPUs?, for image: StoredImage) throws -> DeviceInjection? {
    guard let gpus else { return nil }
    return try reporter.stage("preflight") { _ in
      let needs = ImageGPUNeeds(environment: image.config.config?.environment ?? [], facts: EnvironmentFacts(image.config))
      for finding in try GPUPreflight(gpus.inventory, gpus.selection, needs).require() { reporter.warned(finding.summary) }
      return (gpus.selection.injection, gpus.selection.devices.map(\.description).joined(separator: ", "))
    }
  }

  /// Lets the driver open the devices inside a workspace, at every `up`: one that ran on may have lost them meanwhile.
  ///
  /// - Throws: `GPUError.notPassed`; the workspace stays as it is, for whoever looks into it.
  func tryDevices(of gpus: ChosenGPUs?, in workspace: String) throws {
    guard let selection = gpus?.selection, selection.devices.contains(where: { $0.kind.vendor == "nvidia.com" }) else { return }
    try reporter.stage("gpu") { _ in
      guard let answer = try driverAnswer(in: workspace) else { return ((), "passed on, not tried") }
      let isWhole = selection.gpus.allSatisfy(\.instances.isEmpty)
      return ((), try answer.require(expected: isWhole ? selection.gpus.count : nil))
    }
  }

  /// What the probe says in a workspace; nil where no program of the image can run it.
  private func driverAnswer(in workspace: String) throws -> DriverProbe? {
    var output: [String] = []
    var errors: [String] = []
    let streams = ContainerStreams.lines(output: { output.append($0) }, errors: { errors.append($0) })
    do {
      _ = try ContainerLauncher(home: store.home).exec(ExecRequest(DriverProbe.command), in: workspace, streams: streams)
    } catch LaunchError.commandNotFound {
      reporter.warned("the image has no python3, so nothing in it could try whether its GPUs can be used")
      return nil
    }
    let probe = try DriverProbe(output: Array((output.isEmpty ? errors.suffix(1) : output).joined(separator: "\n").utf8))
    guard let untried = probe.untried else { return probe }
    reporter.warned("the image's python3 cannot try whether its GPUs can be used: \(untried)")
    return nil
  }
}
