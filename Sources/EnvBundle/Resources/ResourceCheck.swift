/// Can this host enforce what is asked for? Decided before anything starts, so that no limit is ever dropped in silence.
import EnvCatalog
import EnvCore
import SafeFS

/// A host as far as limits depend on it.
public struct ResourceCheck: Sendable {
  private let host: HostTree
  private let cgroups: CgroupHost
  private let owners: OwnerIDs
  private let hardLimits: [String: UInt64]

  /// - Parameter owners: `all` for the host's root, who may make cgroups anywhere.
  public init(_ host: HostTree, owners: OwnerIDs) throws(FileSystemError) {
    self.host = host
    self.cgroups = try CgroupHost(host)
    self.owners = owners
    let status = try host.text("/proc/self/status") ?? ""
    let mayRaise = owners == .all && Self.holdsResourceCapability(status)
    hardLimits = mayRaise ? [:] : ProcessLimits.hard(try host.text("/proc/self/limits") ?? "")
  }

  /// Whether CAP_SYS_RESOURCE, number 24, is in effect (proc_pid_status(5), "CapEff").
  private static func holdsResourceCapability(_ status: String) -> Bool {
    let line = status.split(separator: "\n").first { $0.hasPrefix("CapEff:") }
    let mask = line?.split(whereSeparator: \.isWhitespace).last.flatMap { UInt64($0, radix: 16) } ?? 0
    return mask & (1 << 24) != 0
  }

  /// Makes sure that every limit of `request` can be enforced.
  ///
  /// - Throws: `BundleError.unenforceable` for the first that cannot, `.noSuchProcessors`, `.noSuchPageSize` for what the host does not have.
  public func require(_ request: ResourceRequest) throws {
    for reading in CgroupReading.all(of: request, isV2: cgroups.mode == .v2) { try requireController(reading, request) }
    if request.cgroupParent != nil, cgroups.mode == .none {
      throw BundleError.unenforceable(limit: "cgroup-parent", reason: "no cgroup hierarchy is mounted", mend: Self.mountMend)
    }
    try requireProcessors(request)
    try requirePages(request)
    for (name, limit) in request.ulimits.sorted(by: { $0.key < $1.key }) {
      guard let hard = hardLimits[name], limit.hard > hard else { continue }
      throw BundleError.unenforceable(
        limit: "ulimits: " + name,
        reason: "\(Self.text(limit.hard)) is above the hard limit \(hard) of this process, which may not raise it",
        mend: "ask for \(hard) or less, or raise the limit of the session (limits.conf(5), systemd's Limit…=)")
    }
    // The device rules of a cgroup are the host's root's; without them only the node's own mode holds.
    if owners != .all, let device = request.devices.first(where: { Set($0.permissions) != Set("rwm") }) {
      throw BundleError.unenforceable(
        limit: "devices: " + device.path, reason: "an ordinary user cannot restrict a device to '\(device.permissions)'",
        mend: "leave the permissions out, or run envctl as root")
    }
  }

  private static let mountMend = "mount the cgroup file systems: a systemd host does so; in a container, ask for its cgroups"

  private func requireController(_ reading: CgroupReading, _ request: ResourceRequest) throws {
    func refusal(_ reason: String, _ mend: String) -> BundleError { .unenforceable(limit: reading.limit, reason: reason, mend: mend) }
    guard let controller = cgroups.controllers[reading.controller] else {
      if cgroups.mode == .none { throw refusal("no cgroup hierarchy is mounted", Self.mountMend) }
      if cgroups.unused.contains(reading.controller) {
        throw refusal(
          "the '\(reading.controller)' controller is on cgroup v2 and the others on v1, and no runtime uses both",
          "boot with systemd.unified_cgroup_hierarchy=1, or without it")
      }
      throw refusal(
        "the host has no '\(reading.controller)' cgroup controller (\(cgroups.mode.rawValue))",
        cgroups.mode == .v2
          ? "have it delegated: systemctl set-property user@.service Delegate=yes" : "mount it, or enable it in the kernel")
    }
    // Parts of these two are options of the kernel; what they add is there at the top too, unlike the files of other controllers.
    if !controller.isV2, ["memory", "cpu"].contains(reading.controller), try !host.exists(controller.folder + "/" + reading.file) {
      throw refusal("the kernel's '\(reading.controller)' controller has no \(reading.file)", "use a kernel that was built with it")
    }
    guard owners != .all else { return }
    guard controller.isV2 else {
      throw refusal(
        "an ordinary user cannot make cgroups of version 1", "run envctl as root, or boot with systemd.unified_cgroup_hierarchy=1")
    }
    let parent = request.cgroupParent.map { controller.mount + $0 } ?? controller.parentFolder
    let mend = "systemd-run --user --scope -p Delegate=yes envctl …, or name a cgroup of yours with cgroup-parent"
    // Inside the user namespace the user's own files belong to 0.
    guard let status = try host.status(parent), status.uid == 0, status.permissions & 0o200 != 0 else {
      throw refusal("the cgroup \(parent) is not yours", mend)
    }
    let enabled = (try host.text(parent + "/cgroup.subtree_control") ?? "").split(whereSeparator: \.isWhitespace)
    guard enabled.contains(Substring(reading.controller)) else {
      throw refusal("the cgroup \(parent) does not hand the '\(reading.controller)' controller on", mend)
    }
  }

  private func requireProcessors(_ request: ResourceRequest) throws {
    guard let list = request.cpuSet, let wanted = ResourceRequest.processors(list) else { return }
    let text = try host.text("/sys/devices/system/cpu/online") ?? ""
    guard let online = ResourceRequest.processors(String(text.prefix { !$0.isWhitespace })) else { return }
    let missing = wanted.subtracting(online)
    if let first = missing.min() { throw BundleError.noSuchProcessor(first, online: String(text.prefix { !$0.isWhitespace })) }
  }

  private func requirePages(_ request: ResourceRequest) throws {
    guard !request.hugepages.isEmpty else { return }
    let known = try host.list("/sys/kernel/mm/hugepages").compactMap { name -> Int64? in
      guard name.hasPrefix("hugepages-"), name.hasSuffix("kB") else { return nil }
      return Int64(name.dropFirst(10).dropLast(2)).map { $0 << 10 }
    }
    for page in request.hugepages.keys.sorted() where !known.contains(page) {
      throw BundleError.noSuchPageSize(
        ResourceRequest.pageName(page), known: known.sorted().map { ResourceRequest.pageName($0) })
    }
  }

  private static func text(_ limit: UInt64) -> String { limit == .max ? "unlimited" : "\(limit)" }
}
