/// Completing device nodes with what the host says of them. Nothing else of the edits needs the host.
import EnvCore
import SafeFS

extension ContainerEdits {
  /// The edits with type, numbers, mode and owner of every device node, read from the node on the host where the file leaves them open.
  ///
  /// Of several nodes for one path the last counts. Mode and owner follow the host's node, so that the container grants no more than the
  /// host does; the reference implementation gives the node to the container's user instead.
  /// - Throws: `CDIError.noDeviceNode`, `.notADevice`, `.deviceTypeMismatch`.
  public func completed(on host: HostTree) throws(CDIError) -> ContainerEdits {
    var edits = self
    var nodes: [DeviceNode] = []
    for node in deviceNodes {
      let complete = try node.completed(on: host)
      nodes.removeAll { $0.path == complete.path }
      nodes.append(complete)
    }
    edits.deviceNodes = nodes
    return edits
  }
}

extension ContainerEdits.DeviceNode {
  fileprivate func completed(on host: HostTree) throws(CDIError) -> Self {
    if isComplete { return self }
    let status: FileStatus?
    do throws(FileSystemError) {
      status = try host.status(source)
    } catch {
      throw .unreadable(file: source, underlying: error)
    }
    guard let status else {
      if hasNumbers { return self }
      throw .noDeviceNode(path: source, host: host.root.string)
    }
    let found: String
    switch status.kind {
    case .characterDevice: found = "c"
    case .blockDevice: found = "b"
    case .fifo: found = "p"
    default: throw .notADevice(path: source)
    }
    // u is an unbuffered character device: mknod(1) makes the same node of both.
    if let type, (type == "u" ? "c" : type) != found { throw .deviceTypeMismatch(path: source, wanted: type, found: found) }
    var node = self
    node.type = type ?? found
    // A major number of zero stands for "not given": no device has it.
    if found != "p", (major ?? 0) == 0 {
      node.major = Int64(status.device.major)
      node.minor = Int64(status.device.minor)
    }
    node.fileMode = fileMode ?? status.permissions & 0o777
    node.uid = uid ?? status.uid
    node.gid = gid ?? status.gid
    return node
  }

  /// Whether the runtime could make the node from what is given, without the host's.
  private var hasNumbers: Bool { type != nil && (type == "p" || (major ?? 0) != 0) }

  private var isComplete: Bool { hasNumbers && fileMode != nil && uid != nil && gid != nil }
}
