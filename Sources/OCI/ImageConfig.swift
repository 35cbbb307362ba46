/// The image configuration: what to run, and which unpacked layers it is made of.
import EnvCore

/// An image configuration (image-spec config.md).
public struct ImageConfig: Codable, Hashable, Sendable {
  /// Execution parameters; the keys are written as the specification does, with a capital.
  public struct Execution: Codable, Hashable, Sendable {
    /// `user`, `uid`, `user:group` or `uid:gid`.
    public var user: String?
    /// `NAME=value`.
    public var environment: [String]?
    public var entrypoint: [String]?
    public var command: [String]?
    public var workingDirectory: String?
    public var labels: [String: String]?
    public var stopSignal: String?

    public init(
      user: String? = nil, environment: [String]? = nil, entrypoint: [String]? = nil, command: [String]? = nil,
      workingDirectory: String? = nil, labels: [String: String]? = nil, stopSignal: String? = nil
    ) {
      self.user = user
      self.environment = environment
      self.entrypoint = entrypoint
      self.command = command
      self.workingDirectory = workingDirectory
      self.labels = labels
      self.stopSignal = stopSignal
    }

    enum CodingKeys: String, CodingKey {
      case user = "User"
      case environment = "Env"
      case entrypoint = "Entrypoint"
      case command = "Cmd"
      case workingDirectory = "WorkingDir"
      case labels = "Labels"
      case stopSignal = "StopSignal"
    }
  }

  /// The unpacked layers, lowest first.
  public struct RootFS: Codable, Hashable, Sendable {
    public var type: String
    /// Digest of each layer's uncompressed tar.
    public var diffIDs: [Digest]

    public init(diffIDs: [Digest]) {
      self.type = "layers"
      self.diffIDs = diffIDs
    }

    enum CodingKeys: String, CodingKey {
      case type
      case diffIDs = "diff_ids"
    }
  }

  /// How a layer came to be, for people.
  public struct History: Codable, Hashable, Sendable {
    public var created: String?
    public var createdBy: String?
    public var comment: String?
    public var isEmptyLayer: Bool?

    public init(created: String? = nil, createdBy: String? = nil, comment: String? = nil, isEmptyLayer: Bool? = nil) {
      self.created = created
      self.createdBy = createdBy
      self.comment = comment
      self.isEmptyLayer = isEmptyLayer
    }

    enum CodingKeys: String, CodingKey {
      case created
      case createdBy = "created_by"
      case comment
      case isEmptyLayer = "empty_layer"
    }
  }

  /// RFC 3339 date and time.
  public var created: String?
  public var architecture: String
  public var os: String
  public var variant: String?
  public var config: Execution?
  public var rootfs: RootFS
  public var history: [History]?

  public init(platform: Platform, created: String?, config: Execution, diffIDs: [Digest], history: [History]) {
    self.created = created
    self.architecture = platform.architecture
    self.os = platform.os
    self.variant = platform.variant
    self.config = config
    self.rootfs = RootFS(diffIDs: diffIDs)
    self.history = history
  }

  public var platform: Platform { Platform(os: os, architecture: architecture, variant: variant) }
}
