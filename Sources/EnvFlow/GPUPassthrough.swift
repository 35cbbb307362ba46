/// A project's GPUs on their way into its containers: chosen, held against the image, handed to the launch.
import CDI
import EnvCatalog
import EnvCore
import EnvGPU
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
}
