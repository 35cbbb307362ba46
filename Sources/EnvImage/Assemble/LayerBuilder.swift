/// One layer on its way to a tar: parents before children, each path once, nothing that depends on when or where it is built.
/// What the files are is the business of the packages.
import Archive
import EnvCore
import Hashing
import SafeFS

/// What stands at a path of a layer.
struct Fingerprint: Equatable, Sendable {
  enum Content: Equatable, Sendable {
    case file(Digest)
    case directory
    case symlink(String)
    case hardlink(String)
    case special
  }
  var content: Content
  var permissions: UInt32
  var uid: UInt32
  var gid: UInt32
}

/// What a finished layer holds, by path without a leading slash, and which package brought it.
struct LayerInventory: Sendable {
  struct Item: Sendable {
    var fingerprint: Fingerprint
    var origin: String
  }
  fileprivate(set) var items: [String: Item] = [:]
  /// Paths written to replace what a lower layer has.
  fileprivate(set) var replacements: Set<String> = []
}

/// The attributes of a file to come.
struct FileHeader {
  var path: RelativePath
  var permissions: UInt32
  var uid: UInt32 = 0
  var gid: UInt32 = 0
  /// Nanoseconds since the epoch; later than the image's own time counts as that.
  var modified: Int64 = .max
  var extendedAttributes: [String: [UInt8]] = [:]
}

/// Writes a layer's entries to a tar.
struct LayerBuilder: ~Copyable {
  private var tar: TarWriter
  private let created: Int64
  private(set) var inventory = LayerInventory()

  /// Builds a layer whose bytes go to `sink`. The result of `body` is returned once the tar is complete.
  static func build(
    created: Timestamp, sink: (RawSpan) throws -> Void, _ body: (inout LayerBuilder) throws -> Void
  ) throws -> LayerInventory {
    try withoutActuallyEscaping(sink) { sink in
      let buffer = WriteBuffer(sink)
      var builder = LayerBuilder(tar: TarWriter(buffer.append), created: created.secondsSinceEpoch * 1_000_000_000)
      // Some tools cannot mount a layer that has no entry for its root.
      try builder.directory(FileHeader(path: .root, permissions: 0o755), origin: "the image")
      try body(&builder)
      let inventory = builder.inventory
      try builder.finish()
      try buffer.flush()
      return inventory
    }
  }

  private init(tar: consuming TarWriter, created: Int64) {
    self.tar = tar
    self.created = created
  }

  private consuming func finish() throws { try tar.finish() }

  /// Adds a folder. One that is there already keeps its attributes, as with dpkg.
  mutating func directory(_ header: FileHeader, origin: String) throws {
    let path = header.path.string
    if let present = inventory.items[path] {
      guard present.fingerprint.content == .directory else { throw conflict(path, present, origin) }
      return
    }
    try add(header, kind: .directory, content: .directory, origin: origin)
  }

  mutating func symlink(_ header: FileHeader, target: String, origin: String) throws {
    try add(header, kind: .symlink(target: target), content: .symlink(target), origin: origin)
  }

  /// Adds a further name for the file at `target`, which must be in this layer already.
  mutating func hardlink(_ header: FileHeader, target: RelativePath, origin: String) throws {
    guard let item = inventory.items[target.string], case .file = item.fingerprint.content else {
      throw ImageError.malformedPackage(object: origin, reason: "\(header.path) is a hard link to \(target), which it does not hold")
    }
    try add(header, kind: .hardlink(target: target.string), content: .hardlink(target.string), origin: origin)
  }

  mutating func special(_ header: FileHeader, kind: ArchiveEntry.Kind, origin: String) throws {
    try add(header, kind: kind, content: .special, origin: origin)
  }

  /// Adds a file of `size` bytes that `content` writes piece by piece; returns the digest of what it wrote.
  ///
  /// A path that is there already must be the same file in every respect; it is then not written again.
  @discardableResult
  mutating func file(
    _ header: FileHeader, size: Int64, origin: String, _ content: ((RawSpan) throws -> Void) throws -> Void
  ) throws -> Digest {
    let path = header.path.string
    let present = inventory.items[path]
    if present == nil {
      try parents(of: header.path, origin: origin)
      try tar.append(entry(header, kind: .file, size: size))
    }
    let digest = try stream(content, toTar: present == nil)
    let fingerprint = Fingerprint(content: .file(digest), permissions: header.permissions, uid: header.uid, gid: header.gid)
    if let present, present.fingerprint != fingerprint { throw conflict(path, present, origin) }
    if present == nil { inventory.items[path] = .init(fingerprint: fingerprint, origin: origin) }
    return digest
  }

  /// Adds a file held in memory.
  @discardableResult
  mutating func file(_ header: FileHeader, _ bytes: [UInt8], origin: String) throws -> Digest {
    try file(header, size: Int64(bytes.count), origin: origin) { try $0(bytes.span.bytes) }
  }

  /// Adds a file that supersedes one of a lower layer, such as a database that grows with each layer.
  mutating func replacement(_ header: FileHeader, _ bytes: [UInt8], origin: String) throws {
    try file(header, bytes, origin: origin)
    inventory.replacements.insert(header.path.string)
  }

  private mutating func stream(_ content: ((RawSpan) throws -> Void) throws -> Void, toTar: Bool) throws -> Digest {
    var hasher = SHA256Hasher()
    try content { bytes in
      hasher.update(bytes)
      if toTar { try tar.write(bytes) }
    }
    return hasher.finish()
  }

  private mutating func add(
    _ header: FileHeader, kind: ArchiveEntry.Kind, content: Fingerprint.Content, origin: String
  ) throws {
    let path = header.path.string
    let fingerprint = Fingerprint(content: content, permissions: header.permissions, uid: header.uid, gid: header.gid)
    if let present = inventory.items[path] {
      guard present.fingerprint == fingerprint else { throw conflict(path, present, origin) }
      return
    }
    try parents(of: header.path, origin: origin)
    try tar.append(entry(header, kind: kind, size: 0))
    inventory.items[path] = .init(fingerprint: fingerprint, origin: origin)
  }

  /// Adds the folders above `path` that no package has brought, with the modes they have on any Debian system.
  private mutating func parents(of path: RelativePath, origin: String) throws {
    guard !path.isRoot else { return }
    let parent = path.parent
    if let present = inventory.items[parent.string] {
      // Writing through a link would put the file somewhere else than where its name says.
      guard present.fingerprint.content == .directory else { throw conflict(parent.string, present, origin) }
      return
    }
    try directory(FileHeader(path: parent, permissions: Self.unusualModes[parent.string] ?? 0o755), origin: origin)
  }

  /// Folders that are not 0755. A layer that names them again must not change them.
  private static let unusualModes: [String: UInt32] = ["root": 0o700, "tmp": 0o1777, "var/tmp": 0o1777, "etc/ssl/private": 0o700]

  private func entry(_ header: FileHeader, kind: ArchiveEntry.Kind, size: Int64) -> ArchiveEntry {
    ArchiveEntry(
      path: header.path.isRoot ? "." : header.path.string, kind: kind, permissions: header.permissions, uid: header.uid, gid: header.gid,
      size: size, modified: max(0, min(header.modified, created)), extendedAttributes: header.extendedAttributes)
  }

  private func conflict(_ path: String, _ present: LayerInventory.Item, _ origin: String) -> ImageError {
    .conflict(path: path, first: present.origin, second: origin)
  }
}

extension LayerInventory {
  /// Refuses paths that two layers hold differently: the upper would hide the lower's file without anybody having meant it.
  static func requireNoConflicts(_ inventories: [LayerInventory]) throws(ImageError) {
    var seen: [String: Item] = [:]
    for inventory in inventories {
      for (path, item) in inventory.items {
        if let lower = seen[path], !inventory.replacements.contains(path), !item.fingerprint.isCompatible(with: lower.fingerprint) {
          throw .conflict(path: path, first: lower.origin, second: item.origin)
        }
        seen[path] = item
      }
    }
  }
}

extension [LayerInventory] {
  /// Refuses a link of the recipe that would lead to nothing: a package of another version may have renamed what it meant.
  func requireTargets(of links: [Recipe.Link]) throws(ImageError) {
    for link in links where !contains(where: { $0.items[link.target.relative] != nil }) {
      throw .danglingLink(path: link.path.description, target: link.target.description)
    }
  }
}

extension Fingerprint {
  fileprivate func isCompatible(with lower: Fingerprint) -> Bool {
    content == .directory && lower.content == .directory ? true : self == lower
  }
}

/// Joins the many small writes of tar headers into few large ones.
private final class WriteBuffer {
  private static let capacity = 1 << 18
  private let sink: (RawSpan) throws -> Void
  private var bytes: [UInt8] = []

  init(_ sink: @escaping (RawSpan) throws -> Void) {
    self.sink = sink
    bytes.reserveCapacity(2 * Self.capacity)
  }

  func append(_ span: RawSpan) throws {
    if span.byteCount >= Self.capacity {
      try flush()
      return try sink(span)
    }
    span.withUnsafeBytes { bytes.append(contentsOf: $0) }
    if bytes.count >= Self.capacity { try flush() }
  }

  func flush() throws {
    guard !bytes.isEmpty else { return }
    var pending: [UInt8] = []
    swap(&pending, &bytes)
    try sink(pending.span.bytes)
    pending.removeAll(keepingCapacity: true)
    swap(&pending, &bytes)
  }
}
