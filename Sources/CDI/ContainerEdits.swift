/// What a CDI device changes in a container, as values. Reading them from a file and writing them into a configuration happen elsewhere.
import EnvCore

/// The `containerEdits` of a CDI specification: everything a device needs in a container.
public struct ContainerEdits: Hashable, Sendable {
  /// `NAME=value`; replaces a variable of that name.
  public var env: [String] = []
  public var deviceNodes: [DeviceNode] = []
  public var netDevices: [NetDevice] = []
  public var mounts: [Mount] = []
  public var hooks: [Hook] = []
  /// Supplementary groups of the container's process.
  public var additionalGIDs: [UInt32] = []
  public var intelRdt: IntelRdt?

  public init() {}

  /// A device node in the container.
  public struct DeviceNode: Codable, Hashable, Sendable {
    /// Where it appears in the container; absolute.
    public var path: String
    /// Where it is on the host, when that is another place.
    public var hostPath: String?
    /// `b`, `c`, `u` or `p`, as in mknod(1).
    public var type: String?
    public var major: Int64?
    public var minor: Int64?
    /// Permission bits.
    public var fileMode: UInt32?
    /// Of the letters `r`, `w` and `m`, or `none`; nil is `rwm`.
    public var permissions: String?
    public var uid: UInt32?
    public var gid: UInt32?

    public init(path: String) { self.path = path }

    /// The node on the host that this one stands for.
    public var source: String { hostPath ?? path }
  }

  /// A network interface of the host that moves into the container.
  public struct NetDevice: Codable, Hashable, Sendable {
    public var hostInterfaceName: String
    /// Its name in the container.
    public var name: String
  }

  /// A mount.
  public struct Mount: Codable, Hashable, Sendable {
    public var hostPath: String
    /// Absolute.
    public var containerPath: String
    public var type: String?
    /// Mount options as the runtime takes them.
    public var options: [String]?

    public init(hostPath: String, containerPath: String, type: String? = nil, options: [String]? = nil) {
      self.hostPath = hostPath
      self.containerPath = containerPath
      self.type = type
      self.options = options
    }

    /// Whether it shows a file or folder of the host, so that this has to be there.
    public var isBind: Bool { (type ?? "bind") == "bind" || (options ?? []).contains { $0 == "bind" || $0 == "rbind" } }
  }

  /// A program the runtime calls.
  public struct Hook: Codable, Hashable, Sendable {
    public var hookName: Stage
    /// Absolute path on the host.
    public var path: String
    /// The first is the program's own name.
    public var args: [String]?
    /// `NAME=value`.
    public var env: [String]?
    /// Seconds.
    public var timeout: Int?

    public init(hookName: Stage, path: String, args: [String]? = nil, env: [String]? = nil, timeout: Int? = nil) {
      self.hookName = hookName
      self.path = path
      self.args = args
      self.env = env
      self.timeout = timeout
    }

    /// When it is called (runtime-spec config.md, "POSIX-platform Hooks").
    public enum Stage: String, Codable, Sendable, CaseIterable {
      case prestart, createRuntime, createContainer, startContainer, poststart, poststop
    }
  }

  /// Cache and memory bandwidth of Intel's Resource Director Technology.
  public struct IntelRdt: Codable, Hashable, Sendable {
    public var closID: String?
    public var l3CacheSchema: String?
    public var memBwSchema: String?
    public var enableCMT: Bool?
    public var enableMBM: Bool?
    public var schemata: [String]?
    public var enableMonitoring: Bool?

    public init() {}
  }

  public var isEmpty: Bool { self == ContainerEdits() }

  /// Adds what `other` wants; of two `intelRdt` the later one counts.
  public mutating func append(_ other: ContainerEdits) {
    env += other.env
    deviceNodes += other.deviceNodes
    netDevices += other.netDevices
    mounts += other.mounts
    hooks += other.hooks
    additionalGIDs += other.additionalGIDs
    intelRdt = other.intelRdt ?? intelRdt
  }
}

extension ContainerEdits: Codable {
  private enum CodingKeys: String, CodingKey {
    case env, deviceNodes, netDevices, mounts, hooks, intelRdt
    case additionalGIDs = "additionalGids"
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    env = try container.decodeIfPresent([String].self, forKey: .env) ?? []
    deviceNodes = try container.decodeIfPresent([DeviceNode].self, forKey: .deviceNodes) ?? []
    netDevices = try container.decodeIfPresent([NetDevice].self, forKey: .netDevices) ?? []
    mounts = try container.decodeIfPresent([Mount].self, forKey: .mounts) ?? []
    hooks = try container.decodeIfPresent([Hook].self, forKey: .hooks) ?? []
    additionalGIDs = try container.decodeIfPresent([UInt32].self, forKey: .additionalGIDs) ?? []
    intelRdt = try container.decodeIfPresent(IntelRdt.self, forKey: .intelRdt)
  }

  /// Leaves out what is empty: a field that is there, even an empty one, counts as used and asks for the version that brought it.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    if !env.isEmpty { try container.encode(env, forKey: .env) }
    if !deviceNodes.isEmpty { try container.encode(deviceNodes, forKey: .deviceNodes) }
    if !netDevices.isEmpty { try container.encode(netDevices, forKey: .netDevices) }
    if !mounts.isEmpty { try container.encode(mounts, forKey: .mounts) }
    if !hooks.isEmpty { try container.encode(hooks, forKey: .hooks) }
    if !additionalGIDs.isEmpty { try container.encode(additionalGIDs, forKey: .additionalGIDs) }
    try container.encodeIfPresent(intelRdt, forKey: .intelRdt)
  }
}

/// What the devices chosen for one container do to it.
public struct DeviceInjection: Codable, Hashable, Sendable {
  /// Every device node completed with its numbers.
  public var edits: ContainerEdits
  /// Folders in the container that are appended to `LD_LIBRARY_PATH`, for libraries no hook makes the linker know.
  public var libraryFolders: [String]

  public init(edits: ContainerEdits, libraryFolders: [String] = []) {
    self.edits = edits
    self.libraryFolders = libraryFolders
  }
}
