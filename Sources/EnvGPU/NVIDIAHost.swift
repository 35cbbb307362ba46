/// What a host tells of its NVIDIA driver and GPUs in /proc, /sys and /dev. No NVIDIA library is loaded.
import EnvCatalog
import EnvCore
import SafeFS

/// The NVIDIA side of a host.
public struct NVIDIAHost: Sendable {
  /// A GPU as the driver lists it.
  public struct GPU: Sendable, Hashable {
    /// Its position in the order of PCI addresses, which is NVML's.
    public let index: Int
    /// The N of `/dev/nvidiaN`.
    public let minor: Int
    /// Such as `0000:01:00.0`; nil where `/proc/driver/nvidia` is not there.
    public let busID: String?
    /// Nil as long as nobody has opened the GPU: the driver does not know it before.
    public let uuid: String?
    public let model: String?
    public let instances: [MIGInstance]
    /// The GPU's nodes below `/dev/dri`.
    public let displayNodes: [String]

    public var node: String { "/dev/nvidia\(minor)" }
  }

  /// A compute instance of a GPU in MIG mode.
  public struct MIGInstance: Sendable, Hashable {
    public let gpuInstance: Int
    public let computeInstance: Int
    /// The capability nodes of both, below `/dev/nvidia-caps`.
    public let nodes: [String]
  }

  /// The version of the kernel module that is loaded; nil where `/proc` does not tell, as under WSL.
  public let driver: Version?
  public let gpus: [GPU]
  public let isWSL: Bool
  /// NVSwitches, which connect GPUs only once a Fabric Manager has set them up.
  public let switches: [String]
  /// Whether a Fabric Manager has left its socket or its process id.
  public let hasFabricManager: Bool
  public let libraries: DriverLibraries

  /// Looks at the host; nil where nothing of NVIDIA is found.
  public init?(_ host: HostTree) throws(GPUError) {
    let facts = try lookingAtHost { () throws(FileSystemError) in try Facts(host) }
    driver = facts.driver
    gpus = facts.gpus
    isWSL = facts.isWSL
    switches = facts.switches
    hasFabricManager = facts.hasFabricManager
    libraries = try DriverLibraries(host, kernelModule: facts.driver)
    if driver == nil, gpus.isEmpty, !isWSL, libraries.versions.isEmpty { return nil }
  }

  /// What is read before the libraries.
  private struct Facts {
    let driver: Version?
    let gpus: [GPU]
    let isWSL: Bool
    let switches: [String]
    let hasFabricManager: Bool

    init(_ host: HostTree) throws(FileSystemError) {
      let devices = try host.list("/dev")
      driver = try host.text("/proc/driver/nvidia/version").flatMap(NVIDIAHost.version)
      gpus = try NVIDIAHost.gpus(host, devices: devices)
      let hasWindowsNode = try host.exists("/dev/dxg")
      let hasWindowsLibraries = try host.exists("/usr/lib/wsl")
      isWSL = driver == nil && hasWindowsNode && hasWindowsLibraries
      switches = devices.filter { NVIDIAHost.number($0, after: "nvidia-nvswitch") != nil }.map { "/dev/" + $0 }
      var hasFabricManager = false
      for trace in NVIDIAHost.fabricManagerTraces where try host.exists(trace) { hasFabricManager = true }
      self.hasFabricManager = hasFabricManager
    }
  }

  private static let fabricManagerTraces = [
    "/var/run/nvidia-fabricmanager/socket", "/var/run/nvidia-fabricmanager/nvidia-fabricmanager.pid",
  ]

  /// The version in the first line of `/proc/driver/nvidia/version`, of the closed and of the open kernel module alike.
  static func version(_ text: String) -> Version? {
    let line = text.split(separator: "\n").first ?? ""
    return line.split { $0 == " " || $0 == "\t" }.lazy.compactMap { Version(parsing: $0) }.first { $0.components.count >= 2 }
  }

  private static func gpus(_ host: HostTree, devices: [String]) throws(FileSystemError) -> [GPU] {
    var gpus: [GPU] = []
    for busID in try host.list("/proc/driver/nvidia/gpus") {
      guard let text = try host.text("/proc/driver/nvidia/gpus/\(busID)/information") else { continue }
      let facts = information(text)
      guard let minor = facts["Device Minor"].flatMap({ Int($0) }) else { continue }
      let uuid = facts["GPU UUID"].flatMap { $0.hasPrefix("GPU-") && !$0.contains("?") ? $0 : nil }
      gpus.append(
        GPU(
          index: gpus.count, minor: minor, busID: busID, uuid: uuid, model: facts["Model"], instances: try instances(host, minor: minor),
          displayNodes: try displayNodes(host, busID: busID)))
    }
    guard gpus.isEmpty else { return gpus }
    let minors = devices.compactMap { number($0, after: "nvidia") }.sorted()
    for (index, minor) in minors.enumerated() {
      gpus.append(
        GPU(
          index: index, minor: minor, busID: nil, uuid: nil, model: nil, instances: try instances(host, minor: minor), displayNodes: []))
    }
    return gpus
  }

  /// `Key: value` lines with tabs and spaces around the value.
  static func information(_ text: String) -> [String: String] {
    var facts: [String: String] = [:]
    for line in text.split(separator: "\n") {
      guard let colon = line.firstIndex(of: ":") else { continue }
      facts[trimmed(line[..<colon])] = trimmed(line[line.index(after: colon)...])
    }
    return facts
  }

  static func trimmed(_ text: Substring) -> String {
    let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\r" || $0 == "\n" }
    var text = text.drop(while: isBlank)
    while let last = text.last, isBlank(last) { text.removeLast() }
    return String(text)
  }

  /// The driver lists a GPU's instances under the GPU's minor number, each with the minor number of the node that opens it.
  private static func instances(_ host: HostTree, minor: Int) throws(FileSystemError) -> [MIGInstance] {
    let base = "/proc/driver/nvidia/capabilities/gpu\(minor)/mig"
    var found: [MIGInstance] = []
    for gpuInstance in try host.list(base).compactMap({ number($0, after: "gi") }).sorted() {
      let folder = base + "/gi\(gpuInstance)"
      guard let outer = try capabilityNode(host, folder) else { continue }
      for computeInstance in try host.list(folder).compactMap({ number($0, after: "ci") }).sorted() {
        guard let inner = try capabilityNode(host, folder + "/ci\(computeInstance)") else { continue }
        found.append(MIGInstance(gpuInstance: gpuInstance, computeInstance: computeInstance, nodes: [outer, inner]))
      }
    }
    return found
  }

  private static func capabilityNode(_ host: HostTree, _ folder: String) throws(FileSystemError) -> String? {
    guard let text = try host.text(folder + "/access"), let minor = information(text)["DeviceFileMinor"].flatMap({ Int($0) }) else {
      return nil
    }
    return "/dev/nvidia-caps/nvidia-cap\(minor)"
  }

  private static func displayNodes(_ host: HostTree, busID: String) throws(FileSystemError) -> [String] {
    var nodes: [String] = []
    for name in try host.list("/sys/bus/pci/devices/\(busID)/drm") {
      guard number(name, after: "card") != nil || number(name, after: "renderD") != nil else { continue }
      if try host.exists("/dev/dri/" + name) { nodes.append("/dev/dri/" + name) }
    }
    return nodes
  }

  /// The number that is all that follows `prefix` in `name`.
  static func number(_ name: String, after prefix: String) -> Int? {
    guard name.hasPrefix(prefix) else { return nil }
    let digits = name.dropFirst(prefix.count)
    guard (1...6).contains(digits.utf8.count), digits.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
    return Int(digits)
  }
}
