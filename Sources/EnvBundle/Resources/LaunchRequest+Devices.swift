/// Device nodes of the host that a request names by path, with their numbers looked up.
import CDI
import EnvCatalog
import SafeFS

extension LaunchRequest {
  /// Adds the devices of `resources` to those of CDI specifications.
  ///
  /// - Throws: `BundleError.noSuchDevice`, or `CDIError` for a path that is no device node.
  public mutating func addDeviceNodes(of host: HostTree) throws {
    guard let wanted = resources?.devices, !wanted.isEmpty else { return }
    for device in wanted where try !host.exists(device.path) { throw BundleError.noSuchDevice(path: device.path) }
    var named = ContainerEdits()
    named.deviceNodes = wanted.map { device in
      var node = ContainerEdits.DeviceNode(path: device.destination)
      node.hostPath = device.path
      node.permissions = device.permissions
      return node
    }
    var injection = devices ?? DeviceInjection(edits: ContainerEdits())
    injection.edits.deviceNodes += try named.completed(on: host).deviceNodes
    devices = injection
  }
}
