/// Limits in the terms of the runtime-spec (config-linux.md, "Control groups"; config.md, "POSIX process").
import EnvCatalog
import EnvCore

extension RuntimeSpec {
  /// Sets the limits, and lets the container have the devices, which come completed with their numbers.
  mutating func apply(_ request: ResourceRequest) {
    var resources = linux.resources ?? Resources(devices: [])
    if let memory = request.memory { resources.memory = Memory(limit: memory, swap: request.memorySwap) }
    if request.milliCPUs != nil || request.cpuSet != nil {
      resources.cpu = CPU(
        quota: request.milliCPUs.map { $0 * ResourceRequest.cpuPeriod / 1000 },
        period: request.milliCPUs.map { _ in UInt64(ResourceRequest.cpuPeriod) }, cpus: request.cpuSet)
    }
    resources.pids = request.processes.map { Pids(limit: $0) }
    let pages = request.hugepages.sorted { $0.key < $1.key }
    if !pages.isEmpty {
      resources.hugepageLimits = pages.map { HugepageLimit(pageSize: ResourceRequest.pageName($0.key), limit: UInt64($0.value)) }
    }
    linux.resources = resources
    let limits = request.ulimits.sorted { $0.key < $1.key }
    for (name, limit) in limits {
      let type = "RLIMIT_" + name.uppercased()
      process.rlimits = (process.rlimits ?? []).filter { $0.type != type } + [ResourceLimit(type: type, soft: limit.soft, hard: limit.hard)]
    }
  }
}

extension ResourceRequest {
  /// Microseconds over which processor time is counted: the kernel's default.
  static let cpuPeriod: Int64 = 100_000

  /// The size of a huge page as the kernel's and the runtime-spec's names have it: `64KB`, `2MB`, `1GB`.
  static func pageName(_ bytes: Int64) -> String {
    for (unit, size) in [("GB", Int64(1 << 30)), ("MB", 1 << 20)] where bytes >= size { return "\(bytes / size)\(unit)" }
    return "\(bytes >> 10)KB"
  }
}

extension RuntimeSpec {
  /// Limits of memory (config-linux.md, "Memory"), in bytes.
  public struct Memory: Codable, Hashable, Sendable {
    public var limit: Int64?
    /// Memory and swap together.
    public var swap: Int64?
  }

  /// Limits of processor time (config-linux.md, "CPU").
  public struct CPU: Codable, Hashable, Sendable {
    /// Microseconds in each period.
    public var quota: Int64?
    /// Microseconds.
    public var period: UInt64?
    public var cpus: String?
  }

  /// The number of tasks (config-linux.md, "PIDs").
  public struct Pids: Codable, Hashable, Sendable {
    public var limit: Int64
  }

  /// Huge pages of one size (config-linux.md, "Huge page limits").
  public struct HugepageLimit: Codable, Hashable, Sendable {
    public var pageSize: String
    /// Bytes.
    public var limit: UInt64
  }
}
