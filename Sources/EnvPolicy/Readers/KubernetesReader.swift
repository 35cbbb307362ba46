/// Kubernetes objects: every pod specification, wherever a kind keeps its own, custom resources included.
import StrictYAML

enum KubernetesReader {
  static func recognises(_ document: YAMLNode) -> Bool { document["apiVersion"] != nil && document["kind"] != nil }

  static func read(_ document: YAMLNode, _ yaml: YAMLSource, into collector: inout Collector) {
    let kind = document["kind"]?.scalarText ?? ""
    if kind.hasSuffix("List") || document["items"] != nil {
      for item in document["items"]?.elements ?? [] { read(item, yaml, into: &collector) }
      return
    }
    let name = document["metadata"]?["name"]?.scalarText ?? document["metadata"]?["generateName"]?.scalarText ?? ""
    search(document, yaml, owner: (name.isEmpty ? kind : "\(kind) '\(name)'").shortened, into: &collector)
  }

  /// A mapping with a list `containers` is a pod specification: in a Pod, in the templates of Deployment, StatefulSet, DaemonSet,
  /// ReplicaSet and Job, in CronJob's template of a template, and in the custom resources of training operators, one per role.
  private static func search(_ node: YAMLNode, _ yaml: YAMLSource, owner: String, into collector: inout Collector) {
    if let containers = node["containers"], !containers.elements.isEmpty {
      PodReader(pod: node, yaml: yaml, owner: owner).read(into: &collector)
    }
    for pair in node.entries where !["containers", "initContainers", "ephemeralContainers"].contains(pair.key) {
      search(pair.value, yaml, owner: owner, into: &collector)
    }
    for item in node.elements { search(item, yaml, owner: owner, into: &collector) }
  }
}

/// One pod specification.
private struct PodReader {
  let pod: YAMLNode
  let yaml: YAMLSource
  let owner: String
  // Looked up once: a pod can have as many containers as other keys.
  private let limited: Set<String>
  private let requested: Set<String>
  private let runtimeClass: String
  private let hasOneContainer: Bool

  init(pod: YAMLNode, yaml: YAMLSource, owner: String) {
    self.pod = pod
    self.yaml = yaml
    self.owner = owner
    let resources = pod["resources"]
    limited = Self.resources(resources?["limits"])
    requested = Self.resources(resources?["requests"])
    runtimeClass = pod["runtimeClassName"]?.scalarText ?? ""
    hasOneContainer = pod["containers"]?.elements.count == 1
  }

  private static func resources(_ node: YAMLNode?) -> Set<String> {
    Set((node?.entries ?? []).lazy.filter { !$0.value.isNull }.map(\.key))
  }

  func read(into collector: inout Collector) {
    for (key, word) in [("containers", "container"), ("initContainers", "init container"), ("ephemeralContainers", "ephemeral container")] {
      for (index, container) in (pod[key]?.elements ?? []).enumerated() where !container.entries.isEmpty {
        let name = container["name"]?.scalarText ?? "\(index + 1)"
        let user = "\(word) '\(name)' of \(owner)".shortened
        if let image = container["image"] { collector.check(image: image, yaml, user: user) }
        // Kubernetes allows no resources on ephemeral containers.
        if key != "ephemeralContainers" { checkResources(container, user, isInit: key == "initContainers", &collector) }
      }
    }
    for volume in pod["volumes"]?.elements ?? [] {
      guard let reference = volume["image"]?["reference"] else { continue }
      collector.check(image: reference, yaml, user: "volume '\(volume["name"]?.scalarText ?? "")' of \(owner)".shortened)
    }
  }

  // MARK: Resources

  private func checkResources(_ container: YAMLNode, _ user: String, isInit: Bool, _ collector: inout Collector) {
    guard let place = (container["name"] ?? container["image"]).map({ yaml.range($0).range }) ?? firstKey(container) else { return }
    let resources = container["resources"]
    // A value that a template or a variable gives cannot be judged here.
    if let resources, resources.isScalar { return }
    check("cpu", .cpuUnbounded, resources, user, place, &collector)
    check("memory", .memoryUnbounded, resources, user, place, &collector)
    checkGPU(container, resources, user, isInit: isInit, place, &collector)
  }

  private func firstKey(_ container: YAMLNode) -> Range<Int>? {
    container.entries.first.map { pair in
      let offset = yaml.offset(pair.mark)
      return offset..<(offset + pair.key.utf8.count)
    }
  }

  private func check(
    _ resource: String, _ rule: Rule, _ resources: YAMLNode?, _ user: String, _ place: Range<Int>, _ collector: inout Collector
  ) {
    // What the pod as a whole is given (Kubernetes 1.34, "Pod-level resources") holds for its containers.
    let hasLimit = resources?["limits"]?[resource] != nil || limited.contains(resource)
    guard !hasLimit else { return }
    let hasRequest = resources?["requests"]?[resource] != nil || requested.contains(resource)
    collector.report(
      rule, at: place, statement: place.lowerBound,
      hasRequest
        ? "\(user) has a \(resource) request but no \(resource) limit"
        : "\(user) has neither a \(resource) request nor a \(resource) limit",
      object: user)
  }

  /// Extended resources name a device by a domain: `nvidia.com/gpu`, `amd.com/gpu`, `nvidia.com/mig-1g.5gb`, `huawei.com/Ascend910`.
  private static func isDevice(_ name: String) -> Bool {
    guard let slash = name.firstIndex(of: "/") else { return false }
    let device = name[slash...].dropFirst().lowercased()
    return ["gpu", "mig-", "npu", "xpu", "ascend", "gaudi", "vgpu", "dcu", "mlu"].contains { device.contains($0) }
  }

  private func checkGPU(
    _ container: YAMLNode, _ resources: YAMLNode?, _ user: String, isInit: Bool, _ place: Range<Int>, _ collector: inout Collector
  ) {
    let devices = (resources?["limits"]?.entries ?? []).lazy.filter { Self.isDevice($0.key) }
    let limits = Dictionary(devices.map { ($0.key, $0.value) }) { first, _ in first }
    for request in resources?["requests"]?.entries ?? [] where Self.isDevice(request.key) {
      let limit = limits[request.key]
      if let limit, limit.scalarText == request.value.scalarText { continue }
      let found = limit.map { "the limit is \($0.scalarText)" } ?? "there is no limit"
      collector.report(
        .gpuUnbounded, at: yaml.range(request.value).range, statement: yaml.offset(request.mark),
        "\(user) requests \(request.value.scalarText) of \(request.key), but \(found)", object: user)
    }
    let claims = resources?["claims"]?.elements.isEmpty == false  // Dynamic resource allocation.
    let asked = !limits.isEmpty || claims || (resources?["requests"]?.entries ?? []).contains { Self.isDevice($0.key) }
    guard !asked, let sign = gpuSign(container, isInit: isInit) else { return }
    collector.report(
      .gpuUnbounded, at: place, statement: place.lowerBound, "\(user) uses GPUs (\(sign)) and limits none", object: user)
  }

  /// What shows that a container is meant to use a GPU.
  private func gpuSign(_ container: YAMLNode, isInit: Bool) -> String? {
    for variable in container["env"]?.elements ?? [] where variable["name"]?.scalarText == "NVIDIA_VISIBLE_DEVICES" {
      let value = variable["value"]?.scalarText ?? ""
      if !["none", "void", ""].contains(value) { return "NVIDIA_VISIBLE_DEVICES is \(value)" }
    }
    // Init containers usually prepare files in the same image.
    guard !isInit else { return nil }
    let image = container["image"]?.scalarText.lowercased() ?? ""
    let parts = image.split { "/:-_.".contains($0) }
    if let part = parts.first(where: { $0 == "gpu" || $0.hasPrefix("cuda") || $0.hasPrefix("cudnn") || $0 == "rocm" }) {
      return "the image's name says \(part)"
    }
    return hasOneContainer && runtimeClass.contains("nvidia") ? "the runtime class is \(runtimeClass)" : nil
  }
}
