/// What a container may use at most, as people ask for it. What a host makes of it is decided elsewhere.
import EnvCore

/// Limits of one container. Nil and empty: none of its own.
public struct ResourceRequest: Codable, Hashable, Sendable {
  /// Processor time, in thousandths of one processor.
  public var milliCPUs: Int64?
  /// The processors it may run on, as the kernel writes such lists: `0-3,8`.
  public var cpuSet: String?
  /// Bytes of memory.
  public var memory: Int64?
  /// Bytes of memory and swap together; never less than `memory`.
  public var memorySwap: Int64?
  /// Processes and threads together.
  public var processes: Int64?
  /// Bytes of /dev/shm.
  public var sharedMemory: Int64?
  /// Limits of each process (setrlimit(2)) by their names there, in lowercase and without `RLIMIT_`.
  public var ulimits: [String: Ulimit] = [:]
  /// Bytes in huge pages, by the size of a page in bytes.
  public var hugepages: [Int64: Int64] = [:]
  public var devices: [HostDevice] = []
  /// The cgroup below which the container's is made: a path below the root of the hierarchies.
  public var cgroupParent: String?

  public init() {}

  /// A limit of setrlimit(2). `UInt64.max` is none.
  public struct Ulimit: Codable, Hashable, Sendable {
    public var soft: UInt64
    public var hard: UInt64
  }

  /// A device node of the host.
  public struct HostDevice: Codable, Hashable, Sendable {
    public var path: String
    /// Its path in the container.
    public var destination: String
    /// Of `r`, `w` and `m`: reading, writing, and making nodes.
    public var permissions: String
  }

  public var isEmpty: Bool { self == ResourceRequest() }

  /// These limits, with those of `others` in their place where they name any.
  public func overridden(by others: ResourceRequest) -> ResourceRequest {
    var result = self
    result.milliCPUs = others.milliCPUs ?? milliCPUs
    result.cpuSet = others.cpuSet ?? cpuSet
    result.memory = others.memory ?? memory
    // A total that was meant for another size of memory means nothing for this one.
    result.memorySwap = others.memorySwap ?? (others.memory == nil ? memorySwap : nil)
    result.processes = others.processes ?? processes
    result.sharedMemory = others.sharedMemory ?? sharedMemory
    result.ulimits.merge(others.ulimits) { $1 }
    result.hugepages.merge(others.hugepages) { $1 }
    result.devices = devices.filter { mine in !others.devices.contains { $0.destination == mine.destination } } + others.devices
    result.cgroupParent = others.cgroupParent ?? cgroupParent
    return result
  }
}
