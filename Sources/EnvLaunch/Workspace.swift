/// The record of a workspace: what it was made of. Whether it runs is asked of the runtime and the kernel, never read from here.
import ChildProcess
import EnvBundle
import EnvCore
import Hashing
import SystemPackage

/// A named, lasting container of one project folder, as its `workspace.json` describes it.
public struct Workspace: Codable, Sendable {
  /// The version of this record's form.
  public static let currentSchema = 1

  public let schema: Int
  /// The container's id as well: part of the folder's name and of the digest of its path.
  public let id: String
  /// What tells several workspaces of one folder apart; nil is the one without a name.
  public let name: String?
  /// Canonical path of the project's folder.
  public let folder: String
  /// The environment's name.
  public let environment: String
  public let image: LaunchImage
  public let request: LaunchRequest
  public let runtime: Runtime
  /// Seconds since the epoch.
  public let created: Int64
  /// Process 1 of the last start.
  public internal(set) var initProcess: ProcessIdentity?

  /// A process that cannot be mistaken for a later one with the same number.
  public struct ProcessIdentity: Codable, Sendable, Hashable {
    public let pid: Int32
    /// Clock ticks after boot.
    public let startTime: UInt64

    init?(pid: Int32) {
      guard let startTime = ProcessHandle.startTime(of: pid) else { return nil }
      self.pid = pid
      self.startTime = startTime
    }

    /// The process, when it still runs.
    var handle: ProcessHandle? { ProcessHandle(pid: pid, startTime: startTime) }
  }

  /// Whether workspaces can be called that: 1 to 20 lowercase letters, digits and hyphens, because a name becomes part of paths.
  public static func isName(_ text: String) -> Bool {
    (1...20).contains(text.utf8.count) && text.utf8.allSatisfy { $0 == 45 || (48...57).contains($0) || (97...122).contains($0) }
  }

  /// The id for the project in `folder` (a canonical path): the same on every call, another for every folder and name.
  public static func id(forFolder folder: FilePath, name: String? = nil) -> String {
    let letters = (folder.lastComponent?.string ?? "root").lowercased().utf8.map { byte in
      (byte >= 97 && byte <= 122) || (byte >= 48 && byte <= 57) ? byte : UInt8(ascii: "-")
    }
    let project = String(decoding: letters.prefix(20), as: UTF8.self)
    return project + "-" + Digest.sha256(of: Array(folder.string.utf8)).hex.prefix(8) + (name.map { "-" + $0 } ?? "")
  }
}

/// What is asked of a workspace's start.
public struct WorkspaceRequest: Sendable {
  /// Canonical path of the project's folder.
  public var folder: FilePath
  /// For one of several workspaces of the folder; `Workspace.isName` holds for it.
  public var name: String?
  /// The environment's name.
  public var environment: String
  public var image: LaunchImage
  /// Without a command, the workspace waits to be entered.
  public var launch: LaunchRequest

  /// The workspace's id.
  public var id: String { Workspace.id(forFolder: folder, name: name) }

  public init(folder: FilePath, name: String? = nil, environment: String, image: LaunchImage, launch: LaunchRequest) {
    self.folder = folder
    self.name = name
    self.environment = environment
    self.image = image
    self.launch = launch
  }
}

/// What a start came to.
public struct WorkspaceStart: Sendable {
  public let workspace: Workspace
  /// Whether this call started it; otherwise it ran already.
  public let wasStarted: Bool
  /// What it was started anew for.
  public let changes: [SettingChange]
}

/// A workspace and whether it runs, as the runtime and the kernel say now.
public struct WorkspaceStatus: Sendable {
  /// The states of a workspace's container.
  public enum State: String, Codable, Sendable { case running, paused, stopped }

  public let workspace: Workspace
  public let state: State
  /// Process 1 on the host, when it runs.
  public let pid: Int32?
}
