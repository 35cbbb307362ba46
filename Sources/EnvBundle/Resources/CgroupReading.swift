/// What a container's cgroup must say when a limit is in force, and whether it does.
import EnvCatalog

/// One file of a cgroup and its content.
public struct CgroupReading: Hashable, Sendable {
  /// The limit's name in envctl.yaml.
  public let limit: String
  public let controller: String
  public let file: String
  public let expected: String

  /// The files of `request`'s limits in a cgroup of the kernel's first or second interface.
  public static func all(of request: ResourceRequest, isV2: Bool) -> [CgroupReading] {
    var readings: [CgroupReading] = []
    func add(_ limit: String, _ controller: String, v1: String, v2: String, _ expected: String) {
      readings.append(CgroupReading(limit: limit, controller: controller, file: isV2 ? v2 : v1, expected: expected))
    }
    if let memory = request.memory {
      add("memory", "memory", v1: "memory.limit_in_bytes", v2: "memory.max", whole(memory, of: 4096))
      if let total = request.memorySwap {
        add(
          "memory-swap", "memory", v1: "memory.memsw.limit_in_bytes", v2: "memory.swap.max", whole(isV2 ? total - memory : total, of: 4096))
      }
    }
    if let cpus = request.milliCPUs {
      let quota = cpus * ResourceRequest.cpuPeriod / 1000
      add("cpus", "cpu", v1: "cpu.cfs_quota_us", v2: "cpu.max", isV2 ? "\(quota) \(ResourceRequest.cpuPeriod)" : "\(quota)")
    }
    if let list = request.cpuSet { add("cpuset", "cpuset", v1: "cpuset.cpus", v2: "cpuset.cpus", list) }
    if let count = request.processes { add("pids", "pids", v1: "pids.max", v2: "pids.max", "\(count)") }
    for (page, bytes) in request.hugepages.sorted(by: { $0.key < $1.key }) {
      let name = "hugetlb." + ResourceRequest.pageName(page)
      add("hugepages", "hugetlb", v1: name + ".limit_in_bytes", v2: name + ".max", whole(bytes, of: page))
    }
    return readings
  }

  /// Whether the file's content is what was asked for.
  public func isKept(_ content: String) -> Bool {
    let text = String(content.reversed().drop { $0.isWhitespace }.reversed())
    guard controller == "cpuset" else { return text == expected }
    // A list has several forms.
    return ResourceRequest.processors(text) == ResourceRequest.processors(expected)
  }

  /// The kernel counts in whole pages.
  private static func whole(_ bytes: Int64, of page: Int64) -> String { "\(bytes / page * page)" }
}
