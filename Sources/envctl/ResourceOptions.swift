/// What a container may use at most, on the command line: the same texts as below `resources:` in envctl.yaml, whose values they override.
import ArgumentParser
import EnvCatalog

struct ResourceOptions: ParsableArguments {
  @Option(help: "Processor time: a number of processors such as 2.5.")
  var cpus: String?

  @Option(help: "The processors to run on, such as 0-3,8.")
  var cpuset: String?

  @Option(help: "Memory, such as 8GiB; over it, processes are killed.")
  var memory: String?

  @Option(help: "Memory and swap together.")
  var memorySwap: String?

  @Option(help: "Processes and threads together.")
  var pids: String?

  @Option(help: "The size of /dev/shm.")
  var shm: String?

  @Option(name: .customLong("ulimit"), help: "A limit of each process: NAME=SOFT[:HARD], such as nofile=65536.")
  var ulimits: [String] = []

  @Option(help: "Memory in huge pages: PAGE=SIZE, such as 2MiB=512MiB.")
  var hugepages: [String] = []

  @Option(name: .customLong("device"), help: "A device of the host: PATH[:PATH IN THE CONTAINER][:PERMISSIONS], such as /dev/fuse.")
  var devices: [String] = []

  @Option(help: "The cgroup below which the container's is made.")
  var cgroupParent: String?

  /// Whether anything was asked for.
  var isGiven: Bool {
    [cpus, cpuset, memory, memorySwap, pids, shm, cgroupParent].contains { $0 != nil }
      || [ulimits, hugepages, devices].contains { !$0.isEmpty }
  }

  /// - Throws: `ValidationError` with the flag and what it takes.
  func request(over project: ResourceRequest) throws -> ResourceRequest {
    var request = ResourceRequest()
    let texts: [(ResourceRequest.Key, String?)] = [
      (.cpus, cpus), (.cpuset, cpuset), (.memory, memory), (.memorySwap, memorySwap), (.pids, pids), (.shm, shm),
      (.cgroupParent, cgroupParent),
    ]
    for (key, text) in texts {
      guard let text else { continue }
      try Self.at(key.rawValue, text) { () throws(ResourceTextError) in try request.set(key, to: text) }
    }
    for text in ulimits {
      let (name, value) = try Self.pair(text, of: "ulimit")
      try Self.at("ulimit", text) { () throws(ResourceTextError) in try request.setUlimit(name, to: value) }
    }
    for text in hugepages {
      let (page, size) = try Self.pair(text, of: "hugepages")
      try Self.at("hugepages", text) { () throws(ResourceTextError) in try request.setHugepages(page, to: size) }
    }
    for text in devices { try Self.at("device", text) { () throws(ResourceTextError) in try request.addDevice(text) } }
    let result = project.overridden(by: request)
    try Self.at("memory-swap", memorySwap ?? "") { () throws(ResourceTextError) in try result.requireConsistency() }
    return result
  }

  private static func at(_ flag: String, _ text: String, _ body: () throws(ResourceTextError) -> Void) throws {
    do {
      try body()
    } catch {
      throw ValidationError("--\(flag) '\(text)': expected \(error.expected)")
    }
  }

  private static func pair(_ text: String, of flag: String) throws -> (String, String) {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2 else { throw ValidationError("--\(flag) '\(text)': expected NAME=VALUE") }
    return (parts[0], parts[1])
  }
}
