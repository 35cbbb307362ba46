/// Reading a CDI specification strictly: unknown fields, fields newer than the version and names against the rules are errors with a place.
import EnvCore
import StrictYAML

extension CDISpec {
  /// Parses the bytes of a specification file, JSON or YAML: JSON is read as the YAML it also is, as the reference implementation does.
  ///
  /// - Throws: `YAMLError` with the place of what is against the specification.
  public init(_ bytes: [UInt8], file: String) throws(YAMLError) {
    let top = try YAMLMapping(
      try YAMLNode.parse(bytes, file: file), allowed: ["cdiVersion", "kind", "annotations", "devices", "containerEdits"])
    let version = try Self.version(try top.required("cdiVersion"))
    let reader = EditsReader(version: version)
    let kindNode = try top.required("kind")
    guard let kind = CDIKind(parsing: try kindNode.string()) else {
      throw kindNode.expected("a kind such as vendor.com/class, in letters, digits, '_', '-' and '.'")
    }
    if kind.name.utf8.contains(UInt8(ascii: ".")) { try reader.require(.v0_6, for: "a '.' in the class of the kind", at: kindNode.mark) }
    self.version = version
    self.kind = kind
    annotations = try top["annotations"].map { node throws(YAMLError) in try reader.annotations(node) } ?? [:]
    edits = try top["containerEdits"].map { node throws(YAMLError) in try reader.edits(node) } ?? ContainerEdits()
    let list = try top.required("devices")
    var devices: [Device] = []
    for node in try list.items() {
      let device = try reader.device(node)
      guard !devices.contains(where: { $0.name == device.name }) else {
        throw YAMLError(mark: node.mark, problem: "the device '\(device.name)' stands here twice")
      }
      devices.append(device)
    }
    guard !devices.isEmpty else { throw list.expected("at least one device") }
    self.devices = devices
  }

  private static func version(_ node: YAMLNode) throws(YAMLError) -> CDIVersion {
    let text = try node.string()
    if let version = CDIVersion(rawValue: text) { return version }
    throw YAMLError(
      mark: node.mark, problem: "'\(text)' is no version of the CDI specification that envctl reads",
      hint: "known versions: " + CDIVersion.allCases.map(\.rawValue).joined(separator: ", "))
  }
}

/// Reads the parts of a specification of one version.
private struct EditsReader {
  let version: CDIVersion

  func require(_ needed: CDIVersion, for what: String, at mark: YAMLMark) throws(YAMLError) {
    guard version >= needed else {
      throw YAMLError(
        mark: mark, problem: "\(what) needs CDI version \(needed.rawValue), and the file says \(version.rawValue)",
        hint: "write cdiVersion: \(needed.rawValue)")
    }
  }

  func device(_ node: YAMLNode) throws(YAMLError) -> CDISpec.Device {
    let map = try YAMLMapping(node, allowed: ["name", "annotations", "containerEdits"])
    let nameNode = try map.required("name")
    let name = try nameNode.string()
    guard QualifiedDevice.isDeviceName(name) else {
      throw nameNode.expected("a device's name, in letters and digits with '_', '-', '.' and ':' between them")
    }
    if name.utf8.first?.isASCIIDigit == true { try require(.v0_5, for: "a device's name that begins with a digit", at: nameNode.mark) }
    let annotations = try map["annotations"].map { value throws(YAMLError) in try self.annotations(value) } ?? [:]
    let edits = try self.edits(try map.required("containerEdits"))
    guard !edits.isEmpty else { throw YAMLError(mark: node.mark, problem: "the device '\(name)' changes nothing in a container") }
    return CDISpec.Device(name: name, annotations: annotations, edits: edits)
  }

  func annotations(_ node: YAMLNode) throws(YAMLError) -> [String: String] {
    try require(.v0_6, for: "'annotations'", at: node.mark)
    var result: [String: String] = [:]
    var bytes = 0
    for pair in try node.pairs() {
      // The rule of Kubernetes, which CDI took over: an optional DNS name and a slash, then a name of at most 63 characters.
      let parts = pair.key.split(separator: "/", omittingEmptySubsequences: false)
      guard (1...2).contains(parts.count), let name = parts.last, name.utf8.count <= 63, pair.key.utf8.count <= 317,
        parts.allSatisfy({ QualifiedDevice.isDeviceName($0) && !$0.utf8.contains(UInt8(ascii: ":")) })
      else { throw YAMLError(mark: pair.mark, problem: "'\(pair.key.prefix(80))' is not an annotation's name") }
      let value = try pair.value.string()
      bytes += pair.key.utf8.count + value.utf8.count
      result[pair.key] = value
    }
    guard bytes <= 256 << 10 else { throw YAMLError(mark: node.mark, problem: "the annotations are longer than 256 KiB") }
    return result
  }

  func edits(_ node: YAMLNode) throws(YAMLError) -> ContainerEdits {
    let map = try YAMLMapping(node, allowed: ["env", "deviceNodes", "netDevices", "mounts", "hooks", "additionalGids", "intelRdt"])
    var edits = ContainerEdits()
    if let list = map["env"] { edits.env = try variables(list) }
    for item in try map["deviceNodes"]?.items() ?? [] { edits.deviceNodes.append(try deviceNode(item)) }
    for item in try map["mounts"]?.items() ?? [] { edits.mounts.append(try mount(item)) }
    for item in try map["hooks"]?.items() ?? [] { edits.hooks.append(try hook(item)) }
    if let list = map["netDevices"] { edits.netDevices = try netDevices(list) }
    if let list = map["additionalGids"] {
      try require(.v0_7, for: "'additionalGids'", at: list.mark)
      for item in try list.items() { edits.additionalGIDs.append(try number(item, UInt32.self)) }
    }
    if let value = map["intelRdt"] { edits.intelRdt = try intelRdt(value) }
    return edits
  }

  private func deviceNode(_ node: YAMLNode) throws(YAMLError) -> ContainerEdits.DeviceNode {
    let map = try YAMLMapping(
      node, allowed: ["path", "hostPath", "type", "major", "minor", "fileMode", "permissions", "uid", "gid"])
    var device = ContainerEdits.DeviceNode(path: try absolute(try map.required("path")))
    if let value = map["hostPath"] {
      try require(.v0_5, for: "'hostPath' of a device node", at: value.mark)
      device.hostPath = try absolute(value)
    }
    if let value = map["type"] {
      let type = try text(value)
      guard ["b", "c", "u", "p"].contains(type) else { throw value.expected("one of b, c, u and p") }
      device.type = type
    }
    // Minus one would be a wildcard for the runtime; numbers below zero are refused for that.
    device.major = try map["major"].map { value throws(YAMLError) in Int64(try number(value, UInt32.self)) }
    device.minor = try map["minor"].map { value throws(YAMLError) in Int64(try number(value, UInt32.self)) }
    device.fileMode = try map["fileMode"].map { value throws(YAMLError) in try number(value, UInt32.self) }
    if let value = map["permissions"] {
      let permissions = try text(value)
      guard permissions == "none" || permissions.utf8.allSatisfy({ "rwm".utf8.contains($0) }) else {
        throw value.expected("'none' or letters of 'rwm'")
      }
      device.permissions = permissions.isEmpty ? nil : permissions
    }
    device.uid = try map["uid"].map { value throws(YAMLError) in try number(value, UInt32.self) }
    device.gid = try map["gid"].map { value throws(YAMLError) in try number(value, UInt32.self) }
    return device
  }

  private func mount(_ node: YAMLNode) throws(YAMLError) -> ContainerEdits.Mount {
    let map = try YAMLMapping(node, allowed: ["hostPath", "containerPath", "type", "options"])
    let hostNode = try map.required("hostPath")
    let mount = ContainerEdits.Mount(
      hostPath: try nonEmpty(hostNode), containerPath: try absolute(try map.required("containerPath")),
      type: try map["type"].map { value throws(YAMLError) in
        try require(.v0_4, for: "'type' of a mount", at: value.mark)
        return try nonEmpty(value)
      }, options: try map["options"].map { value throws(YAMLError) in try texts(value) })
    if mount.isBind, !mount.hostPath.hasPrefix("/") { throw hostNode.expected("an absolute path") }
    return mount
  }

  private func hook(_ node: YAMLNode) throws(YAMLError) -> ContainerEdits.Hook {
    let map = try YAMLMapping(node, allowed: ["hookName", "path", "args", "env", "timeout"])
    let timeout = try map["timeout"].map { value throws(YAMLError) in
      let seconds = try number(value, UInt32.self)
      guard seconds > 0 else { throw value.expected("at least one second") }
      return Int(seconds)
    }
    return ContainerEdits.Hook(
      hookName: try map.required("hookName").choice(ContainerEdits.Hook.Stage.self), path: try absolute(try map.required("path")),
      args: try map["args"].map { value throws(YAMLError) in try texts(value) },
      env: try map["env"].map { value throws(YAMLError) in try variables(value) }, timeout: timeout)
  }

  private func netDevices(_ list: YAMLNode) throws(YAMLError) -> [ContainerEdits.NetDevice] {
    try require(.v1_1, for: "'netDevices'", at: list.mark)
    var devices: [ContainerEdits.NetDevice] = []
    for node in try list.items() {
      let map = try YAMLMapping(node, allowed: ["hostInterfaceName", "name"])
      let device = ContainerEdits.NetDevice(
        hostInterfaceName: try nonEmpty(try map.required("hostInterfaceName")), name: try nonEmpty(try map.required("name")))
      guard !devices.contains(where: { $0.hostInterfaceName == device.hostInterfaceName || $0.name == device.name }) else {
        throw YAMLError(mark: node.mark, problem: "a network device of this name stands here twice")
      }
      devices.append(device)
    }
    return devices
  }

  private func intelRdt(_ node: YAMLNode) throws(YAMLError) -> ContainerEdits.IntelRdt {
    try require(.v0_7, for: "'intelRdt'", at: node.mark)
    let map = try YAMLMapping(
      node, allowed: ["closID", "l3CacheSchema", "memBwSchema", "enableCMT", "enableMBM", "schemata", "enableMonitoring"])
    var rdt = ContainerEdits.IntelRdt()
    if let value = map["closID"] {
      // It becomes the name of a folder below /sys/fs/resctrl; the root of it is written "/".
      let id = try text(value)
      guard id == "/" || (id.utf8.count < 4096 && ![".", ".."].contains(id) && !id.utf8.contains { $0 == 47 || $0 == 10 }) else {
        throw value.expected("a name without '/'")
      }
      rdt.closID = id
    }
    rdt.l3CacheSchema = try map["l3CacheSchema"].map { value throws(YAMLError) in try text(value) }
    rdt.memBwSchema = try map["memBwSchema"].map { value throws(YAMLError) in try text(value) }
    for key in ["enableCMT", "enableMBM"] {
      guard let value = map[key] else { continue }
      guard version < .v1_1 else { throw YAMLError(mark: value.mark, problem: "'\(key)' is gone since CDI version 1.1.0") }
      let isOn = try value.boolean()
      if key == "enableCMT" { rdt.enableCMT = isOn } else { rdt.enableMBM = isOn }
    }
    if let value = map["schemata"] {
      try require(.v1_1, for: "'schemata'", at: value.mark)
      rdt.schemata = try texts(value)
    }
    if let value = map["enableMonitoring"] {
      try require(.v1_1, for: "'enableMonitoring'", at: value.mark)
      rdt.enableMonitoring = try value.boolean()
    }
    return rdt
  }

  private func variables(_ list: YAMLNode) throws(YAMLError) -> [String] {
    var result: [String] = []
    for item in try list.items() {
      let entry = try text(item)
      guard let equals = entry.utf8.firstIndex(of: UInt8(ascii: "=")), equals != entry.startIndex else {
        throw item.expected("a variable as NAME=value")
      }
      result.append(entry)
    }
    return result
  }

  private func texts(_ list: YAMLNode) throws(YAMLError) -> [String] {
    var result: [String] = []
    for item in try list.items() { result.append(try text(item)) }
    return result
  }

  /// A NUL would end the text for the kernel and for nobody else.
  private func text(_ node: YAMLNode) throws(YAMLError) -> String {
    let text = try node.string()
    guard !text.utf8.contains(0) else { throw YAMLError(mark: node.mark, problem: "the text contains NUL") }
    return text
  }

  private func nonEmpty(_ node: YAMLNode) throws(YAMLError) -> String {
    let text = try text(node)
    guard !text.isEmpty else { throw node.expected("text that is not empty") }
    return text
  }

  private func absolute(_ node: YAMLNode) throws(YAMLError) -> String {
    let text = try text(node)
    guard text.hasPrefix("/") else { throw node.expected("an absolute path") }
    return text
  }

  /// A whole number as YAML 1.1 writes it, where a leading zero means octal: that is how people write file modes.
  private func number<Number: FixedWidthInteger>(_ node: YAMLNode, _ type: Number.Type) throws(YAMLError) -> Number {
    let text = try node.string()
    let number: Number? =
      if text.hasPrefix("0x") {
        Number(text.dropFirst(2), radix: 16)
      } else if text.hasPrefix("0o") {
        Number(text.dropFirst(2), radix: 8)
      } else if text.hasPrefix("0"), text.utf8.count > 1 {
        Number(text.dropFirst(), radix: 8)
      } else {
        Number(text)
      }
    guard let number else { throw node.expected("a whole number from \(Number.min) to \(Number.max)") }
    return number
  }
}
