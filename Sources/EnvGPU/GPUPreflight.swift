/// Whether a host has what an image needs of its GPUs, before anything is started.
import CDI
import EnvCatalog
import EnvCore
import SafeFS

/// The checks for one image and the devices chosen for it. Checks that rest on NVIDIA's driver are made only where NVIDIA's devices are used.
public struct GPUPreflight: Sendable {
  let inventory: GPUInventory
  let selection: GPUSelection
  let image: ImageGPUNeeds

  public init(_ inventory: GPUInventory, _ selection: GPUSelection, _ image: ImageGPUNeeds) {
    self.inventory = inventory
    self.selection = selection
    self.image = image
  }

  /// What does not pass, the most fundamental first.
  ///
  /// - Throws: `GPUError.malformedRequirement`, `.unreadableHost`.
  public func findings() throws(GPUError) -> [PreflightFinding] {
    var findings: [PreflightFinding] = []
    let usesNVIDIA = selection.devices.contains { $0.kind == NVIDIAHost.kind }
    if usesNVIDIA, let nvidia = inventory.nvidia { findings += driver(nvidia) }
    for file in selection.files { findings += try staleness(file) }
    if usesNVIDIA {
      findings += fabricManager()
      findings += minimum()
      findings += try requirements()
      findings += computeCapability()
    }
    return findings
  }

  /// Makes the checks; warnings are handed back.
  ///
  /// - Throws: `GPUError.preflight` with every error found.
  public func require() throws(GPUError) -> [PreflightFinding] {
    let findings = try findings()
    let errors = findings.filter { $0.severity == .error }
    guard errors.isEmpty else { throw .preflight(errors) }
    return findings
  }

  /// Kernel module and libraries have to be of one version: an upgrade that was not followed by a restart leaves two.
  private func driver(_ nvidia: NVIDIAHost) -> [PreflightFinding] {
    guard !nvidia.isWSL else { return [] }
    let versions = nvidia.libraries.versions
    guard let module = nvidia.driver else {
      guard !versions.isEmpty else { return [] }
      return [
        PreflightFinding(
          .kernelModule, expression: "/proc/driver/nvidia/version", wanted: "the kernel module of driver \(list(versions))",
          found: "no NVIDIA kernel module loaded", hint: "load it with `modprobe nvidia`, or install the driver again")
      ]
    }
    guard !versions.contains(module) else { return [] }
    return [
      PreflightFinding(
        .driverLibraries, expression: "libcuda.so.\(module)", wanted: "libraries of the loaded kernel module \(module)",
        found: versions.isEmpty ? "no libcuda" : "libcuda of \(list(versions))",
        hint: versions.isEmpty
          ? "install the driver's libraries of that version" : "restart the host, so that the kernel module of the libraries is loaded")
    ]
  }

  /// GPUs behind NVSwitches answer cuInit with "system not ready" until a Fabric Manager has set the switches up.
  private func fabricManager() -> [PreflightFinding] {
    guard let nvidia = inventory.nvidia, !nvidia.switches.isEmpty, !nvidia.hasFabricManager else { return [] }
    return [
      PreflightFinding(
        .fabricManager, expression: nvidia.switches.count == 1 ? nvidia.switches[0] : "\(nvidia.switches.count) NVSwitches",
        wanted: "a running Fabric Manager", found: "no socket and no process id in /var/run/nvidia-fabricmanager",
        hint: "start it with `systemctl start nvidia-fabricmanager`; its version has to be the driver's")
    ]
  }

  /// The driver against both minima of the image's CUDA; only the floor of minor-version compatibility decides.
  private func minimum() -> [PreflightFinding] {
    guard let found = driverVersion, let minimum = image.driver else { return [] }
    let shipped = minimum.shipped.map { " (\($0) ships with it)" } ?? ""
    let expression = image.cuda.map { "CUDA \($0)" } ?? "the lock's driver"
    if let floor = minimum.floor {
      guard found < floor else { return [] }
      return [
        PreflightFinding(
          .driverVersion, expression: expression, wanted: "driver \(floor) or newer\(shipped)",
          found: "driver \(found)", hint: "upgrade the host's driver, or take an environment of an older CUDA")
      ]
    }
    // Without a floor nothing is known to fail below the shipped driver.
    guard let least = minimum.shipped, found < least else { return [] }
    return [
      PreflightFinding(
        .driverVersion, .warning, expression: expression, wanted: "driver \(least) or newer (it ships with that CUDA)",
        found: "driver \(found)")
    ]
  }

  private func requirements() throws(GPUError) -> [PreflightFinding] {
    let requirements = try Requirement.all(in: image.variables)
    var findings: [PreflightFinding] = []
    for properties in properties {
      for requirement in requirements { findings += judge(requirement, properties) }
      findings += implied(properties)
    }
    // GPUs of one model give the same finding once.
    var unique: [PreflightFinding] = []
    for finding in findings where !unique.contains(finding) { unique.append(finding) }
    return unique
  }

  private func judge(_ requirement: Requirement, _ properties: GPUProperties) -> [PreflightFinding] {
    let expression = "\(requirement.variable)=\(requirement.text)"
    switch requirement.holds(for: properties) {
    case .yes: return []
    case .unknown:
      return [
        PreflightFinding(
          .requirement, .warning, expression: expression, wanted: requirement.text, found: properties.description + "; it cannot be decided"
        )
      ]
    case .no:
      let failing = requirement.failing(for: properties)?.text ?? requirement.text
      let others = requirement.alternatives.count - 1
      let wanted = failing + (others == 0 ? "" : others == 1 ? " (or the other alternative)" : " (or one of \(others) others)")
      return [
        PreflightFinding(
          .requirement, expression: expression, wanted: wanted, found: properties.description,
          hint:
            "upgrade the host's driver, or take an environment of an older CUDA; NVIDIA_DISABLE_REQUIRE=1 in the image skips the condition")
      ]
    }
  }

  /// An old image implies `cuda>=M.m`. Where the driver is at the floor of that CUDA, minor-version compatibility makes it work all the
  /// same, so that the condition only warns.
  private func implied(_ properties: GPUProperties) -> [PreflightFinding] {
    guard image.isLegacy, !Requirement.isDisabled(image.variables), let cuda = image.cuda, cuda.components.count >= 2,
      let newest = properties.cuda
    else { return [] }
    let wanted = "\(cuda.components[0]).\(cuda.components[1])"
    guard let least = Version(parsing: wanted), newest < least else { return [] }
    let isAtFloor = image.driver?.floor.flatMap { floor in properties.driver.map { $0 >= floor } } ?? false
    return [
      PreflightFinding(
        .requirement, isAtFloor ? .warning : .error, expression: "CUDA_VERSION=\(cuda) without NVIDIA_REQUIRE_CUDA",
        wanted: "cuda>=\(wanted)" + (isAtFloor ? ", or minor-version compatibility, which needs no newer PTX" : ""),
        found: properties.description)
    ]
  }

  private func computeCapability() -> [PreflightFinding] {
    guard let oldest = image.computeCapabilities.first, let newest = image.computeCapabilities.last else { return [] }
    var findings: [PreflightFinding] = []
    let built = image.computeCapabilities.map(\.description).joined(separator: ", ")
    for gpu in selection.gpus {
      guard let model = gpu.model, let arch = GPUModel(model).computeCapability else { continue }
      // Binaries run on GPUs of their major version that are not older than they are (CUDA programming guide, "Binary Compatibility").
      let runs = image.computeCapabilities.contains { $0.components[0] == arch.components[0] && $0 <= arch }
      guard !runs else { continue }
      let isNewer = arch > newest
      findings.append(
        PreflightFinding(
          .computeCapability, isNewer ? .warning : .error, expression: "GPU \(gpu.index) (\(model))",
          wanted: "binaries for compute capability \(arch)" + (isNewer ? ", or PTX the driver can translate" : ""),
          found: "binaries for \(built)",
          hint: isNewer
            ? "the first start may take minutes, or fail with 'no kernel image'"
            : arch < oldest ? "take an environment built for older GPUs" : "take an environment built for this GPU"))
    }
    return findings
  }

  /// The host's properties, once for each GPU: a condition has to hold for every one of them.
  private var properties: [GPUProperties] {
    let driver = driverVersion
    let base = GPUProperties(cuda: driver.flatMap { DriverRequirement.newestCUDA(driver: $0) }, driver: driver)
    guard !selection.gpus.isEmpty else { return [base] }
    return selection.gpus.map { gpu in
      var properties = base
      if let model = gpu.model.map({ GPUModel($0) }) {
        properties.arch = model.computeCapability
        properties.brands = model.brands
      }
      return properties
    }
  }

  private var driverVersion: Version? { inventory.nvidia.flatMap { $0.driver ?? $0.libraries.version } }

  private func list(_ versions: [Version]) -> String { versions.map(\.description).joined(separator: " and ") }
}
