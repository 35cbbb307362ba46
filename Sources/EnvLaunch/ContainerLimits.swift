/// Limits of a container as the kernel has them: whether they are in force, and whether one was the end of it.
import EnvBundle
import EnvCatalog
import EnvCore
import SafeFS
import SystemPackage

/// The cgroups of a container that runs or ran.
struct ContainerCgroups: Sendable {
  private let cgroups: CgroupHost
  /// By controller.
  private let folders: [String: String]

  /// - Parameter pid: a process of the container.
  init(of pid: Int32) throws(FileSystemError) {
    let host = try HostTree()
    cgroups = try CgroupHost(host)
    folders = cgroups.folders(of: try host.text("/proc/\(pid)/cgroup") ?? "")
  }

  /// Compares what the kernel says with what was asked for.
  ///
  /// - Throws: `BundleError.limitNotInForce`.
  func require(_ request: ResourceRequest) throws {
    for reading in CgroupReading.all(of: request, isV2: cgroups.mode == .v2) {
      guard let folder = folders[reading.controller] else { continue }
      let file = FilePath(folder).appending(reading.file)
      let content = (try? FileSystem.readFile(file, limit: 4096)).map { String(decoding: $0, as: UTF8.self) } ?? "nothing"
      guard !reading.isKept(content) else { continue }
      let found = String(content.prefix { $0 != "\n" })
      throw BundleError.limitNotInForce(limit: reading.limit, file: file.string, wanted: reading.expected, found: found)
    }
  }

  /// Whether the cgroup's processes are stopped or about to be (cgroup-v2.rst, "cgroup.freeze"; cgroup-v1/freezer-subsystem.rst).
  var isFrozen: Bool {
    let isV2 = cgroups.mode == .v2
    guard let folder = isV2 ? folders.values.first : folders["freezer"] else { return false }
    let file = FilePath(folder).appending(isV2 ? "cgroup.freeze" : "freezer.state")
    guard let bytes = try? FileSystem.readFile(file, limit: 64) else { return false }
    let word = String(decoding: bytes, as: UTF8.self).prefix { !$0.isWhitespace }
    return isV2 ? word == "1" : word != "THAWED"
  }

  /// The file by which a process joins the cgroup whose rules for devices hold for the container.
  var deviceProcesses: FilePath? {
    let folder = cgroups.mode == .v2 ? folders.values.first : folders["devices"]
    return folder.map { FilePath($0).appending("cgroup.procs") }
  }

  /// How many processes of the cgroup the kernel has killed for want of memory, of the cgroup or of the host (cgroup-v2.rst, "memory.events";
  /// cgroup-v1/memory.rst, "OOM Control"); nil when it does not say.
  var memoryKills: Int? {
    guard let folder = folders["memory"] else { return nil }
    let file = FilePath(folder).appending(cgroups.mode == .v2 ? "memory.events" : "memory.oom_control")
    guard let bytes = try? FileSystem.readFile(file, limit: 4096) else { return nil }
    let line = String(decoding: bytes, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix("oom_kill ") }
    return line.flatMap { Int($0.dropFirst("oom_kill ".count)) }
  }
}

extension ContainerLauncher {
  /// Says early what of `resources` this host cannot hold a container to.
  ///
  /// - Throws: `LaunchError`, with `BundleError.unenforceable` in it.
  public func requireEnforceable(_ resources: ResourceRequest?) throws(LaunchError) {
    guard let resources, !resources.isEmpty else { return }
    try launching("looking at the limits asked for") {
      let host = try HostTree()
      try ResourceCheck(host, owners: OwnerIDs.current).require(resources)
      var request = LaunchRequest(hostname: "limits")
      request.resources = resources
      try request.addDeviceNodes(of: host)
    }
  }

  /// Tells why processes were killed, where the kernel says so.
  func tellMemoryKills(_ count: Int, of resources: ResourceRequest?) {
    // Without a limit it was the host that had no memory left.
    guard count > 0, let limit = resources?.memory else { return }
    reporter.warned("killed: over its memory limit of \(ResourceRequest.binarySize(limit))\(count > 1 ? " (\(count) processes)" : "")")
  }
}
