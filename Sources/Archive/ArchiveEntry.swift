/// One entry of an archive as a value: what both the reader and the writer speak.

/// The header of an archive entry.
public struct ArchiveEntry: Sendable, Equatable {
  /// What kind of file the entry makes.
  public enum Kind: Sendable, Equatable {
    case file
    case directory
    case symlink(target: String)
    /// A further name of the entry at path `target`.
    case hardlink(target: String)
    case characterDevice(major: UInt32, minor: UInt32)
    case blockDevice(major: UInt32, minor: UInt32)
    case fifo
  }

  /// As it stands in the archive; untrusted.
  public var path: String
  public var kind: Kind
  /// Permission bits incl. set-user-id, set-group-id and sticky (`07777`).
  public var permissions: UInt32
  public var uid: UInt32
  public var gid: UInt32
  /// Bytes of content that follow; 0 for anything but a file.
  public var size: Int64
  /// Nanoseconds since the epoch.
  public var modified: Int64
  /// Extended attributes by their full name, such as `security.capability`.
  public var extendedAttributes: [String: [UInt8]]

  public init(
    path: String, kind: Kind, permissions: UInt32, uid: UInt32 = 0, gid: UInt32 = 0, size: Int64 = 0, modified: Int64 = 0,
    extendedAttributes: [String: [UInt8]] = [:]
  ) {
    self.path = path
    self.kind = kind
    self.permissions = permissions
    self.uid = uid
    self.gid = gid
    self.size = size
    self.modified = modified
    self.extendedAttributes = extendedAttributes
  }
}
