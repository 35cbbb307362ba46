/// The configuration a runtime reads (OCI runtime-spec 1.0.2, config.md), as value types: only the properties envctl sets.
/// Deciding their values is `BundleBuilder`'s work.

/// `config.json` of a bundle (config.md).
///
/// Hooks come from CDI specifications and from the launch floor. They run with the runtime's privileges, so each carries an explicit
/// environment of its own and never the image's (CVE-2025-23266: `LD_PRELOAD` of an image reached a privileged hook).
public struct RuntimeSpec: Codable, Hashable, Sendable {
  /// The version of the specification this document follows (config.md, "Specification version").
  public var ociVersion = "1.0.2"
  public var process: Process
  public var root: Root
  public var hostname: String
  public var mounts: [Mount]
  public var annotations: [String: String]?
  public var linux: Linux
  public var hooks: Hooks?

  /// The container's root filesystem (config.md, "Root").
  public struct Root: Codable, Hashable, Sendable {
    /// Absolute, or relative to the bundle.
    public var path: String
    public var readonly: Bool
  }

  /// One mount, in the order in which the runtime makes them (config.md, "Mounts").
  public struct Mount: Codable, Hashable, Sendable {
    /// Absolute path in the container.
    public var destination: String
    public var type: String
    public var source: String
    public var options: [String]
  }
}

extension RuntimeSpec {
  /// What runs in the container (config.md, "Process"). `exec` takes one of its own.
  public struct Process: Codable, Hashable, Sendable {
    public var terminal: Bool
    /// The terminal's size when the process begins.
    public var consoleSize: ConsoleSize?
    public var user: User
    public var args: [String]
    /// `NAME=value`, each name once.
    public var env: [String]
    /// Absolute.
    public var cwd: String
    public var capabilities: Capabilities
    public var rlimits: [ResourceLimit]?
    public var noNewPrivileges: Bool
  }

  /// Characters (config.md, "Process").
  public struct ConsoleSize: Codable, Hashable, Sendable {
    public var height: UInt
    public var width: UInt

    public init(height: UInt, width: UInt) {
      self.height = height
      self.width = width
    }
  }

  /// Numeric ids only: the runtime knows nothing of the image's passwd file (config.md, "POSIX-platform user").
  public struct User: Codable, Hashable, Sendable {
    public var uid: UInt32
    public var gid: UInt32
    public var additionalGids: [UInt32]?
  }

  /// The five capability sets, as `CAP_…` names (config.md, "Linux process").
  public struct Capabilities: Codable, Hashable, Sendable {
    public var bounding: [String]
    public var effective: [String]
    public var permitted: [String]
    public var inheritable: [String]?
    public var ambient: [String]?
  }

  /// One limit of setrlimit(2), with its `RLIMIT_…` name (config.md, "POSIX process").
  public struct ResourceLimit: Codable, Hashable, Sendable {
    public var type: String
    public var soft: UInt64
    public var hard: UInt64

    public init(type: String, soft: UInt64, hard: UInt64) {
      self.type = type
      self.soft = soft
      self.hard = hard
    }
  }
}

extension RuntimeSpec {
  /// Programs the runtime calls at the stages of a container's life (config.md, "POSIX-platform Hooks").
  public struct Hooks: Codable, Hashable, Sendable {
    public var prestart: [Hook]?
    public var createRuntime: [Hook]?
    public var createContainer: [Hook]?
    public var startContainer: [Hook]?
    public var poststart: [Hook]?
    public var poststop: [Hook]?
  }

  /// One of them.
  public struct Hook: Codable, Hashable, Sendable {
    /// Absolute path on the host.
    public var path: String
    public var args: [String]?
    /// Never empty: without one, a runtime may hand on an environment of somebody else.
    public var env: [String]
    /// Seconds.
    public var timeout: Int?

    public init(path: String, args: [String]?, env: [String], timeout: Int? = nil) {
      self.path = path
      self.args = args
      self.env = env
      self.timeout = timeout
    }
  }

  /// Puts a hook before all others that are called when the container is made and nothing in it has run.
  public mutating func insertFirst(_ hook: Hook) {
    var all = hooks ?? Hooks()
    all.createRuntime = [hook] + (all.createRuntime ?? [])
    hooks = all
  }
}
