/// Specifications for accelerators of other vendors, made from their device nodes.
import CDI
import EnvCore
import SafeFS

extension GeneratedSpec {
  /// Written where nobody has tried the specification on a machine with such a device.
  static let unverified = ["envctl/unverified": "true"]

  static func otherVendors(_ host: HostTree) throws(FileSystemError) -> [GeneratedSpec] {
    [
      try amd(host),
      try numbered(host, kind: CDIKind(vendor: "kunlunxin.com", name: "xpu"), prefix: "xpu", common: ["/dev/xpuctrl"]),
      try numbered(
        host, kind: CDIKind(vendor: "huawei.com", name: "npu"), prefix: "davinci",
        common: ["/dev/davinci_manager", "/dev/devmm_svm", "/dev/hisi_hdc"]),
    ].compactMap { $0 }
  }

  /// AMD's GPUs: `/dev/kfd` for all, a render node for each. The container's process joins the groups that own the nodes, because ROCm
  /// opens them as the user it runs as.
  private static func amd(_ host: HostTree) throws(FileSystemError) -> GeneratedSpec? {
    guard let kfd = try host.status("/dev/kfd") else { return nil }
    var devices: [CDISpec.Device] = []
    var everything: [String] = []
    var groups: Set<UInt32> = [kfd.gid]
    for name in try host.list("/dev/dri") where NVIDIAHost.number(name, after: "renderD") != nil {
      let device = "/sys/class/drm/\(name)/device"
      // A host may have GPUs of several vendors. Where sysfs says nothing, a machine with /dev/kfd is taken for AMD's.
      let vendor = try host.text(device + "/vendor").map { NVIDIAHost.trimmed($0[...]) }
      guard vendor == nil || vendor == "0x1002" else { continue }
      var nodes = ["/dev/dri/" + name]
      for card in try host.list(device + "/drm") where NVIDIAHost.number(card, after: "card") != nil {
        if try host.exists("/dev/dri/" + card) { nodes.insert("/dev/dri/" + card, at: 0) }
      }
      for node in nodes {
        if let owner = try host.status(node) { groups.insert(owner.gid) }
      }
      devices.append(.init(name: "\(devices.count)", edits: .nodes(nodes)))
      everything += nodes
    }
    guard !devices.isEmpty else { return nil }
    devices.append(.init(name: "all", edits: .nodes(everything)))
    var edits = ContainerEdits.nodes(["/dev/kfd"])
    edits.additionalGIDs = groups.filter { $0 != 0 }.sorted()
    return GeneratedSpec(spec: CDISpec(kind: CDIKind(vendor: "amd.com", name: "gpu"), devices: devices, edits: edits))
  }

  /// Devices that are numbered nodes beside a few common ones. No vendor's own specification was found for these, so they are marked.
  private static func numbered(
    _ host: HostTree, kind: CDIKind, prefix: String, common: [String]
  ) throws(FileSystemError) -> GeneratedSpec? {
    let numbers = try host.list("/dev").compactMap { NVIDIAHost.number($0, after: prefix) }.sorted()
    guard !numbers.isEmpty else { return nil }
    let nodes = numbers.map { "/dev/\(prefix)\($0)" }
    var devices = zip(numbers, nodes).map { CDISpec.Device(name: "\($0)", edits: .nodes([$1])) }
    devices.append(.init(name: "all", edits: .nodes(nodes)))
    var there: [String] = []
    for node in common where try host.exists(node) { there.append(node) }
    return GeneratedSpec(
      spec: CDISpec(kind: kind, annotations: unverified, devices: devices, edits: .nodes(there)),
      notes: ["the specification of \(kind) is unverified: it passes device nodes on, and no libraries"])
  }
}
