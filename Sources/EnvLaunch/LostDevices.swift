/// Devices a running container had and may no longer open. systemd, when it reloads its units, writes the device rules of every cgroup it
/// takes for its own anew, and knows nothing of a container's (nvidia-container-toolkit #48).
import CDI
import CLinux
import EnvBundle
import EnvCore
import Glibc
import SafeFS
import SystemPackage

extension ContainerLauncher {
  /// The device nodes a workspace was started with and its processes may no longer open; none for one that does not run.
  public func lostDevices(of status: WorkspaceStatus) -> [String] {
    guard status.state == .running, let pid = status.pid, let cgroups = try? ContainerCgroups(of: pid) else { return [] }
    return lostDevices(of: status.workspace, pid: pid, cgroups)
  }

  func lostDevices(of workspace: Workspace, pid: Int32, _ cgroups: ContainerCgroups) -> [String] {
    var request = workspace.request
    if let host = try? HostTree() { try? request.addDeviceNodes(of: host) }
    guard let nodes = request.devices?.edits.deviceNodes, !nodes.isEmpty, let joined = cgroups.deviceProcesses else { return [] }
    return nodes.filter { Self.isRefused($0, pid: pid, joined) }.map(\.path)
  }

  /// Tells a workspace's user before what they run there does, in words that say less.
  func tellLostDevices(of workspace: Workspace, pid: Int32, _ cgroups: ContainerCgroups) {
    let lost = lostDevices(of: workspace, pid: pid, cgroups)
    if !lost.isEmpty { reporter.warned(LostDevices(workspace: workspace.id, nodes: lost).description) }
  }

  /// Asks the kernel on behalf of a process that joins the container's cgroup for that moment. access(2) goes through the rules for devices
  /// as open(2) does and wakes no driver.
  private static func isRefused(_ node: ContainerEdits.DeviceNode, pid: Int32, _ processes: FilePath) -> Bool {
    let permissions = node.permissions ?? "rwm"
    let mode = (permissions.contains("r") ? R_OK : 0) | (permissions.contains("w") ? W_OK : 0)
    return cl_access_in_cgroup(processes.string, "/proc/\(pid)/root\(node.path)", mode) == EPERM
  }
}

/// What is said of a workspace that has lost devices.
public struct LostDevices: Sendable, CustomStringConvertible {
  let workspace: String
  let nodes: [String]

  public init(workspace: String, nodes: [String]) {
    self.workspace = workspace
    self.nodes = nodes
  }

  public var description: String {
    let more = nodes.count > 1 ? " and \(nodes.count - 1) more of its devices" : ""
    return "workspace \(workspace) may no longer open \(nodes.first ?? "a device")\(more), as after systemd has reloaded its units "
      + "(systemctl daemon-reload): `envctl stop`, then `envctl up`"
  }
}
