/// Choosing devices by what a person wrote, and gathering what they change in a container.
import CDI
import EnvCore
import SafeFS

/// The devices of one container.
public struct GPUSelection: Sendable {
  /// Sorted, each once.
  public let devices: [QualifiedDevice]
  /// What a `LaunchRequest` takes: every device node completed from the host's.
  public let injection: DeviceInjection
  /// The specifications they come from.
  public let files: [CDIRegistry.File]
  /// Whether any of those was made by envctl.
  public let isGenerated: Bool
  /// NVIDIA's GPUs among them, for the preflight.
  public let gpus: [NVIDIAHost.GPU]
  /// For people: what was generated, and what is uncertain about it.
  public let notes: [String]
}

extension GPUInventory {
  /// The devices a request leads to; nil for `none`, and for `optional` on a host without any.
  ///
  /// A host whose devices are broken is an error for `optional` too: work that silently falls back to the processor is what envctl is
  /// there to prevent.
  /// - Throws: `GPUError.noGPU`, `.unknownDevice`, `.ambiguousDevice`, `.cdi`.
  public func select(_ request: GPURequest) throws(GPUError) -> GPUSelection? {
    switch request {
    case .none: return nil
    case .optional where kinds.isEmpty && !hasTraces: return nil
    case .optional, .required: return try selection(of: try all())
    case .devices(let words):
      var devices: [QualifiedDevice] = []
      for word in words { devices += try resolve(word) }
      return try selection(of: devices)
    }
  }

  /// A driver without usable nodes is a broken host, not one without a GPU.
  private var hasTraces: Bool { nvidia?.driver != nil || !installed.broken.isEmpty }

  private func selection(of wanted: [QualifiedDevice]) throws(GPUError) -> GPUSelection {
    let devices = Set(wanted).sorted()
    do throws(CDIError) {
      var edits = ContainerEdits()
      var files: [CDIRegistry.File] = []
      let parts = [
        (registry: installed, devices: devices.filter { !isGenerated($0.kind) }),
        (registry: generatedRegistry, devices: devices.filter { isGenerated($0.kind) }),
      ]
      for part in parts {
        edits.append(try part.registry.edits(for: part.devices))
        for device in part.devices {
          let file = try part.registry.file(of: device)
          if !files.contains(where: { $0.path == file.path }) { files.append(file) }
        }
      }
      let made = generated.filter { spec in devices.contains { $0.kind == spec.spec.kind } }
      return GPUSelection(
        devices: devices,
        injection: DeviceInjection(edits: try edits.completed(on: host), libraryFolders: made.flatMap(\.libraryFolders)), files: files,
        isGenerated: !made.isEmpty, gpus: nvidiaGPUs(of: edits), notes: made.flatMap(\.notes))
    } catch {
      throw .cdi(underlying: error)
    }
  }

  /// The devices one word names.
  private func resolve(_ word: String) throws(GPUError) -> [QualifiedDevice] {
    if let device = QualifiedDevice(parsing: word) { return [device] }
    if word == "all" { return try all() }
    let known = names.filter { kinds.contains($0.kind) }
    var found = known.filter { $0.name == word }
    // As with nvidia-smi, the beginning of a UUID will do where only one begins so.
    if found.isEmpty, word.hasPrefix("GPU-") || word.hasPrefix("MIG-") { found = known.filter { $0.name.hasPrefix(word) } }
    guard let device = found.first else { throw .unknownDevice(word, known: known.map(\.name)) }
    guard found.count == 1 else { throw .ambiguousDevice(word, candidates: found.map(\.description)) }
    return [device]
  }

  /// All devices of the kind that comes first.
  private func all() throws(GPUError) -> [QualifiedDevice] {
    guard let kind = kinds.first else { throw .noGPU(reason: absence) }
    let device = QualifiedDevice(kind: kind, name: "all")
    if names.contains(device) { return [device] }
    return names.filter { $0.kind == kind }
  }

  /// What was looked for and not found.
  private var absence: String {
    if let driver = nvidia?.driver {
      return "the NVIDIA driver \(driver) is loaded, and none of its GPUs has a device node such as /dev/nvidia0"
    }
    if let broken = installed.broken.first {
      return "the CDI specification '\(broken.path)' cannot be used: \(broken.error.cause ?? broken.error)"
    }
    if let version = nvidia?.libraries.versions.first {
      return "libraries of the NVIDIA driver \(version) are installed, and its kernel module is not loaded"
    }
    return "no CDI specification in \(CDIRegistry.folders.joined(separator: " or ")), no /dev/nvidia0, /dev/dxg or /dev/kfd"
  }
}
