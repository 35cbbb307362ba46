/// What the user asks of one container, in the user's terms; the image supplies the rest.
import CDI
import EnvCatalog

/// A folder or file of the host made visible in the container.
public struct BindMount: Codable, Hashable, Sendable {
  /// Absolute path on the host.
  public var source: String
  /// Absolute path in the container.
  public var destination: String
  public var isReadOnly: Bool
  /// Who owns on the host what the container's own user makes here, where the host's file system can do that; nil is that user's number.
  public var owner: FileOwner?

  public init(source: String, destination: String, isReadOnly: Bool = false, owner: FileOwner? = nil) {
    self.source = source
    self.destination = destination
    self.isReadOnly = isReadOnly
    self.owner = owner
  }
}

/// The numbers of a file's user and group.
public struct FileOwner: Codable, Hashable, Sendable {
  public var uid: UInt32
  public var gid: UInt32

  public init(uid: UInt32, gid: UInt32) {
    self.uid = uid
    self.gid = gid
  }
}

/// One container to be launched. Nil means: as the image says.
public struct LaunchRequest: Codable, Hashable, Sendable {
  /// The name inside (uname -n): the environment's name.
  public var hostname: String
  /// What to run. The image's entrypoint goes before it, as the image-spec says (config.md, "Entrypoint").
  public var command: [String]?
  /// Replaces the image's entrypoint; empty means none.
  public var entrypoint: [String]?
  /// Variables that override the image's.
  public var environment: [String: String] = [:]
  /// Absolute path in the container.
  public var workingDirectory: String?
  /// `user`, `uid`, `user:group` or any mixture.
  public var user: String?
  /// A pseudo-terminal on the standard streams.
  public var terminal = false
  public var mounts: [BindMount] = []
  /// Where the cgroup is made; nil is below envctl's own.
  public var cgroupsPath: String?
  public var resourceLimits: [RuntimeSpec.ResourceLimit] = []
  /// The size limit of /dev/shm in bytes. Data loaders pass batches through it; memory is used only as far as it is filled.
  public var sharedMemory: Int64 = 1 << 30
  /// What it may use at most; `sharedMemory` and `resourceLimits` hold where this says nothing.
  public var resources: ResourceRequest?
  /// GPUs and other devices, completed with their numbers.
  public var devices: DeviceInjection?

  public init(hostname: String, command: [String]? = nil) {
    self.hostname = hostname
    self.command = command
  }
}
