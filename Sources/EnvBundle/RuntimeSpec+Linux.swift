/// The Linux part of the runtime configuration (OCI runtime-spec 1.0.2, config-linux.md).
import CDI

extension RuntimeSpec {
  /// Linux-specific settings.
  public struct Linux: Codable, Hashable, Sendable {
    public var namespaces: [Namespace]
    /// Where the container's cgroup is made (config-linux.md, "Cgroups path"). Nil leaves it to the runtime, which puts it below the cgroup
    /// envctl itself runs in, so that the limits of a batch job or a session hold for the container as well.
    public var cgroupsPath: String?
    public var resources: Resources?
    public var seccomp: Seccomp?
    /// Paths that read as empty (config-linux.md, "Masked Paths").
    public var maskedPaths: [String]
    public var readonlyPaths: [String]
    /// Device nodes beside the few every container has (config-linux.md, "Devices").
    public var devices: [Device]?
    /// Intel's Resource Director Technology (config-linux.md, "IntelRdt"), which CDI writes with the same keys.
    public var intelRdt: ContainerEdits.IntelRdt?
    /// Interfaces of the host that move into the container, by their name there (runtime-spec 1.3.0, "Network Devices").
    public var netDevices: [String: NetDevice]?
  }

  /// A device node of the container (config-linux.md, "Devices").
  public struct Device: Codable, Hashable, Sendable {
    public var path: String
    /// `c`, `b`, `u` or `p`.
    public var type: String
    public var major: Int64?
    public var minor: Int64?
    public var fileMode: UInt32?
    public var uid: UInt32?
    public var gid: UInt32?
  }

  /// The name an interface gets in the container.
  public struct NetDevice: Codable, Hashable, Sendable {
    public var name: String
  }

  /// A namespace of the container's own (config-linux.md, "Namespaces"); kinds not listed are shared with the host.
  public struct Namespace: Codable, Hashable, Sendable {
    public var type: Kind

    /// The kinds of namespaces envctl uses.
    public enum Kind: String, Codable, Sendable { case pid, ipc, uts, mount, cgroup, network, user }
  }

  /// Limits and device rules (config-linux.md, "Control groups").
  public struct Resources: Codable, Hashable, Sendable {
    public var devices: [DeviceRule]
    public var memory: Memory?
    public var cpu: CPU?
    public var pids: Pids?
    public var hugepageLimits: [HugepageLimit]?

    init(devices: [DeviceRule]) { self.devices = devices }
  }

  /// One entry of the device allow list. The runtime adds the few devices every container has.
  public struct DeviceRule: Codable, Hashable, Sendable {
    public var allow: Bool
    public var access: String
    /// `c` or `b`; nil is every type.
    public var type: String?
    /// Nil is every number.
    public var major: Int64?
    public var minor: Int64?
  }

  /// System call filter (config-linux.md, "Seccomp").
  public struct Seccomp: Codable, Hashable, Sendable {
    public var defaultAction: Action
    public var defaultErrnoRet: UInt32?
    public var architectures: [String]
    public var syscalls: [Rule]

    /// What happens to a call.
    public enum Action: String, Codable, Sendable {
      case allow = "SCMP_ACT_ALLOW"
      case errno = "SCMP_ACT_ERRNO"
    }

    /// System calls that share an action.
    public struct Rule: Codable, Hashable, Sendable {
      public var names: [String]
      public var action: Action
      public var errnoRet: UInt32?
      /// All must hold.
      public var args: [Argument]?
    }

    /// A condition on one argument of the call.
    public struct Argument: Codable, Hashable, Sendable {
      public var index: UInt32
      public var value: UInt64
      public var valueTwo: UInt64?
      public var op: Comparison
    }

    /// How an argument is compared; with `maskedEqual`, `value` is the mask and `valueTwo` the result wanted.
    public enum Comparison: String, Codable, Sendable {
      case equal = "SCMP_CMP_EQ"
      case notEqual = "SCMP_CMP_NE"
      case maskedEqual = "SCMP_CMP_MASKED_EQ"
    }
  }
}
