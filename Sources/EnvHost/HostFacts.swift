/// What matters of a host for starting containers, as plain values. They are gathered elsewhere and judged elsewhere.
import EnvBundle
import EnvCatalog
import SafeFS

/// A host as `envctl doctor` sees it.
public struct HostFacts: Sendable {
  /// An OCI runtime that is installed.
  public struct Runtime: Sendable, Equatable {
    public var name: String
    public var path: String
    /// Upstream's version number; nil when it could not be learnt.
    public var version: Version?
    /// The version of the distribution's package, which may have mends its number does not show.
    public var package: String?
    /// Whether it is a release candidate, which is older than the release of its number.
    public var isCandidate = false
  }

  /// Where the store lies.
  public struct StorePlace: Sendable, Equatable {
    public var path: String
    /// The kind of file system, such as `ext4`.
    public var fileSystem: String?
    /// Options of its mount, such as `nodev`.
    public var options: Set<String>
    public var space: FileSystemSpace?
  }

  /// The ids a user may give to files in a container.
  public struct Subordinates: Sendable, Equatable {
    public var uids: Int
    public var gids: Int
    /// The mapping programs that are installed, and whether each may do its work.
    public var programs: [String: Bool]
  }

  public var isRoot = true
  public var user: String?
  /// Such as `6.1.0-18-amd64`.
  public var kernel: String?
  /// Kinds of file systems the kernel has now or can load.
  public var fileSystems: Set<String> = []
  /// Whether the kernel knows system call filters; nil when it does not say.
  public var hasSeccomp: Bool?
  public var hasUserNamespaces = true
  /// Settings of the kernel by their sysctl names.
  public var settings: [String: Int] = [:]
  public var cgroupMode = CgroupHost.Mode.none
  /// Controllers a runtime can use, and whether this user may.
  public var controllers: [String: Bool] = [:]
  public var runtimes: [Runtime] = []
  public var subordinates = Subordinates(uids: 0, gids: 0, programs: [:])
  public var hasFuseOverlay = false
  public var hasFuseDevice = false
  public var store: StorePlace?
  /// Bytes.
  public var memoryAvailable: Int64?
  /// Seconds since the epoch.
  public var now: Int64 = 0
  /// A time that is certainly past: when the newest of the files looked at was written.
  public var latestKnownTime: Int64 = 0
  public var locale: String?
  /// CDI specifications that cannot be read, each with the reason.
  public var brokenSpecifications: [(file: String, reason: String)] = []
  /// Devices two specifications describe.
  public var conflictingDevices: [String] = []
  public var gpuCount = 0
  /// The versions of NVIDIA's kernel module and of its libraries.
  public var driver: Version?
  public var driverLibraries: Version?

  public init() {}
}
