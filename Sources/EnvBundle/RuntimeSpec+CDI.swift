/// Applying the edits of CDI devices to a runtime configuration. It reads no file: device nodes come with their numbers.
import CDI
import EnvCore

extension RuntimeSpec {
  /// Gives the container the devices.
  ///
  /// - Parameter movesNetDevices: Whether the runtime knows `linux.netDevices` (runtime-spec 1.3.0).
  public mutating func inject(_ devices: DeviceInjection, movesNetDevices: Bool = false) throws(BundleError) {
    try apply(devices.edits, movesNetDevices: movesNetDevices)
    guard !devices.libraryFolders.isEmpty else { return }
    var variables = process.variables
    // Behind what the image has: its own libraries come first.
    var folders = (variables["LD_LIBRARY_PATH"] ?? "").split(separator: ":").map(String.init)
    for folder in devices.libraryFolders where !folders.contains(folder) { folders.append(folder) }
    variables["LD_LIBRARY_PATH"] = folders.joined(separator: ":")
    process.env = try BundleBuilder.entries(variables)
  }

  /// Applies edits as the reference implementation does (container-edits.go, `Apply`): a variable, a mount's place or a device's path that
  /// is there already is replaced.
  mutating func apply(_ edits: ContainerEdits, movesNetDevices: Bool) throws(BundleError) {
    try applyVariables(edits.env)
    for node in edits.deviceNodes { try add(node) }
    try apply(edits.netDevices, canMove: movesNetDevices)
    try add(edits.mounts)
    for hook in edits.hooks { add(hook) }
    if let rdt = edits.intelRdt { linux.intelRdt = rdt }
    var groups = process.user.additionalGids ?? []
    // Group 0 would hand out root's files.
    for group in edits.additionalGIDs where group != 0 && !groups.contains(group) { groups.append(group) }
    if !groups.isEmpty { process.user.additionalGids = groups }
  }

  private mutating func applyVariables(_ entries: [String]) throws(BundleError) {
    guard !entries.isEmpty else { return }
    var variables = process.variables
    for entry in entries {
      let pair = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      variables[String(pair[0])] = pair.count == 2 ? String(pair[1]) : ""
    }
    process.env = try BundleBuilder.entries(variables)
  }

  private mutating func add(_ node: ContainerEdits.DeviceNode) throws(BundleError) {
    let path = try BundleBuilder.normalised(node.path, role: "device path")
    guard let type = node.type, type == "p" || (node.major != nil && node.minor != nil) else { throw .incompleteDevice(path: path) }
    let device = Device(
      path: path, type: type, major: type == "p" ? nil : node.major, minor: type == "p" ? nil : node.minor, fileMode: node.fileMode,
      uid: node.uid, gid: node.gid)
    linux.devices = (linux.devices ?? []).filter { $0.path != path } + [device]
    // A FIFO is no device to the cgroup, and "none" allows nothing, which is what holds without a rule.
    guard type != "p", node.permissions != "none" else { return }
    let rule = DeviceRule(
      allow: true, access: node.permissions ?? "rwm", type: type == "u" ? "c" : type, major: node.major, minor: node.minor)
    var resources = linux.resources ?? Resources(devices: [])
    if !resources.devices.contains(rule) { resources.devices.append(rule) }
    linux.resources = resources
  }

  private mutating func apply(_ devices: [ContainerEdits.NetDevice], canMove: Bool) throws(BundleError) {
    guard !devices.isEmpty else { return }
    let names = devices.map(\.hostInterfaceName)
    guard linux.namespaces.contains(where: { $0.type == .network }) else {
      throw .netDevices(names: names, reason: "it shares the host's network")
    }
    guard canMove else { throw .netDevices(names: names, reason: "the runtime does not know linux.netDevices (runtime-spec 1.3.0)") }
    for device in devices {
      linux.netDevices = (linux.netDevices ?? [:]).merging([device.hostInterfaceName: NetDevice(name: device.name)]) { $1 }
    }
  }

  private mutating func add(_ wanted: [ContainerEdits.Mount]) throws(BundleError) {
    guard !wanted.isEmpty else { return }
    for mount in wanted {
      let destination = try BundleBuilder.normalised(mount.containerPath, role: "mount destination")
      guard !BundleBuilder.reserved.contains(destination) else { throw .reservedMount(destination: destination) }
      var options = mount.options ?? []
      if mount.isBind, !options.contains(where: { $0 == "bind" || $0 == "rbind" }) { options.append("rbind") }
      mounts.removeAll { $0.destination == destination }
      mounts.append(
        Mount(destination: destination, type: mount.type ?? (mount.isBind ? "bind" : "none"), source: mount.hostPath, options: options))
    }
    // From the outside in, so that none hides another; the order of equals stays.
    mounts = mounts.enumerated().sorted { (Self.depth($0.element), $0.offset) < (Self.depth($1.element), $1.offset) }.map(\.element)
  }

  private static func depth(_ mount: Mount) -> Int { mount.destination.utf8.count { $0 == UInt8(ascii: "/") } }

  private mutating func add(_ edit: ContainerEdits.Hook) {
    var hooks = hooks ?? Hooks()
    // A PATH is always there, so that no runtime takes an empty environment for a missing one and hands on its own or the image's.
    let env =
      (edit.env ?? []).contains { $0.hasPrefix("PATH=") } ? edit.env ?? [] : ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"] + (edit.env ?? [])
    let hook = Hook(path: edit.path, args: edit.args, env: env, timeout: edit.timeout)
    switch edit.hookName {
    case .prestart: hooks.prestart = (hooks.prestart ?? []) + [hook]
    case .createRuntime: hooks.createRuntime = (hooks.createRuntime ?? []) + [hook]
    case .createContainer: hooks.createContainer = (hooks.createContainer ?? []) + [hook]
    case .startContainer: hooks.startContainer = (hooks.startContainer ?? []) + [hook]
    case .poststart: hooks.poststart = (hooks.poststart ?? []) + [hook]
    case .poststop: hooks.poststop = (hooks.poststop ?? []) + [hook]
    }
    self.hooks = hooks
  }
}

extension RuntimeSpec.Process {
  /// The process's variables by name.
  fileprivate var variables: [String: String] {
    var variables: [String: String] = [:]
    for entry in env {
      let pair = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      variables[String(pair[0])] = pair.count == 2 ? String(pair[1]) : ""
    }
    return variables
  }
}
