/// Which cgroup controllers a host has and where (cgroups(7)), read from its /proc and /sys. Nothing is changed.
import EnvCore
import SafeFS

/// The cgroup hierarchies as this process finds them.
public struct CgroupHost: Sendable {
  /// Which of the kernel's two interfaces carries the controllers.
  public enum Mode: String, Sendable, Codable { case none, v1, v2, hybrid }

  /// Where one controller is.
  public struct Controller: Sendable, Hashable {
    public let isV2: Bool
    /// Where its hierarchy is mounted.
    public let mount: String
    /// The part of the hierarchy that is mounted.
    let root: String
    /// The cgroup of this process, as `/proc/self/cgroup` has it.
    let own: String

    /// The folder of this process's cgroup.
    public var folder: String { folder(of: own) }

    /// The folder of the cgroup this process's lies in. One with processes of its own cannot hand controllers on (cgroup-v2.rst, "No Internal
    /// Process Constraint"), so runtimes make a container's beside ours.
    var parentFolder: String { folder(of: own.lastIndex(of: "/").map { $0 == own.startIndex ? "/" : String(own[..<$0]) } ?? "/") }

    func folder(of cgroup: String) -> String {
      let below = root == "/" ? cgroup : cgroup.hasPrefix(root) ? String(cgroup.dropFirst(root.count)) : ""
      return below == "/" ? mount : mount + below
    }
  }

  public let mode: Mode
  /// By name. In hybrid mode those of the v2 hierarchy are left out, because runtimes work with the others there.
  public let controllers: [String: Controller]
  /// Controllers of a v2 hierarchy beside v1.
  public let unused: Set<String>

  public init(_ host: HostTree) throws(FileSystemError) {
    let mounts = Self.mounts(try host.text("/proc/self/mountinfo") ?? "")
    let own = Self.own(try host.text("/proc/self/cgroup") ?? "")
    var v1: [String: Controller] = [:]
    var v2: [String: Controller] = [:]
    for mount in mounts {
      if mount.type == "cgroup2" {
        let top = Controller(isV2: true, mount: mount.path, root: mount.root, own: own[""] ?? "/")
        // What the hierarchy has. What of it is handed on to an ordinary user, `ResourceCheck` asks.
        let text = try host.text(mount.path + "/cgroup.controllers") ?? ""
        for name in text.split(whereSeparator: \.isWhitespace) { v2[String(name)] = top }
      } else {
        // A hierarchy with a name has no controller.
        for name in mount.options where own[name] != nil && !name.contains("=") {
          v1[name] = Controller(isV2: false, mount: mount.path, root: mount.root, own: own[name] ?? "/")
        }
      }
    }
    let hasV2 = mounts.contains { $0.type == "cgroup2" }
    mode = v1.isEmpty ? (hasV2 ? .v2 : .none) : (hasV2 ? .hybrid : .v1)
    controllers = v1.isEmpty ? v2 : v1
    unused = v1.isEmpty ? [] : Set(v2.keys).subtracting(v1.keys)
  }

  /// The folders of another process's cgroup, by controller.
  ///
  /// - Parameter text: its `/proc/PID/cgroup`.
  public func folders(of text: String) -> [String: String] {
    let cgroups = Self.own(text)
    return controllers.reduce(into: [:]) { folders, entry in
      guard let path = cgroups[entry.value.isV2 ? "" : entry.key] else { return }
      folders[entry.key] = entry.value.folder(of: path)
    }
  }

  private struct Mount {
    let type: String
    let path: String
    let root: String
    let options: [String]
  }

  /// The cgroup mounts in `/proc/self/mountinfo` (proc_pid_mountinfo(5)).
  private static func mounts(_ text: String) -> [Mount] {
    text.split(separator: "\n").compactMap { line in
      let fields = line.split(separator: " ").map(String.init)
      guard let dash = fields.firstIndex(of: "-"), dash >= 6, fields.count > dash + 3, ["cgroup", "cgroup2"].contains(fields[dash + 1])
      else { return nil }
      return Mount(
        type: fields[dash + 1], path: fields[4], root: fields[3], options: fields[dash + 3].split(separator: ",").map(String.init))
    }
  }

  /// The cgroup of this process by controller (cgroups(7), "/proc/pid/cgroup"); the v2 hierarchy has the empty name.
  private static func own(_ text: String) -> [String: String] {
    var own: [String: String] = [:]
    for line in text.split(separator: "\n") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
      guard fields.count == 3 else { continue }
      for name in fields[1].split(separator: ",", omittingEmptySubsequences: false) { own[String(name)] = fields[2] }
    }
    return own
  }
}
