/// One layer's tar turned into a folder in the form overlayfs wants its lower layers in (image-spec layer.md; kernel overlayfs.rst).
import Archive
import EnvCore
import Hashing
import SafeFS
import SystemPackage

/// Extracts entries below a root. Whiteouts become 0/0 character devices, opaque folders get overlayfs's mark.
///
/// In a user namespace that mark is an attribute of the user's, device nodes are left out, because nobody could open them, and attributes
/// only the host's root may set are too; where one id is mapped, all files get that owner.
struct LayerExtractor: ~Copyable {
  var root: RootDirectory
  let object: String
  /// What lies below; nil when that is not known.
  let lower: LowerLayers?
  let owners: OwnerIDs
  private let folder: FilePath
  private let limit: Int64
  private var byteCount: Int64 = 0
  /// Whether something was taken from below, or was looked for there: then the tree is right on top of these layers only.
  var dependsOnLower = false
  /// A folder that is known to be there: archives list a folder's files one after the other.
  var knownFolder = RelativePath.root
  /// Content digests by inode: names may be replaced or linked later, an inode keeps its content.
  var digests: [UInt64: Digest] = [:]
  /// Folder times are set last, because every file made inside a folder changes them.
  var folderTimes: [(path: RelativePath, modified: Int64)] = []
  /// Names that are hidden. Whatever else is below the root was made by this layer, and a whiteout, wherever it stands among its
  /// siblings, hides lower layers only.
  var whiteouts: Set<RelativePath> = []
  /// Folders that were marked as opaque; a later entry may have replaced one.
  var opaqueFolders: Set<RelativePath> = []

  /// - Parameters:
  ///   - lower: The trees below, highest first; nil when they are not known.
  ///   - limit: The most bytes all files together may have: a sparse file may claim anything in a short archive.
  ///   - owners: Those this process can give to files.
  init(into folder: FilePath, lower: [FilePath]?, limit: Int64, object: String, owners: OwnerIDs = .current) throws {
    root = try RootDirectory(folder)
    self.owners = owners
    self.folder = folder
    self.lower = lower.map { LowerLayers(roots: $0) }
    self.limit = limit
    self.object = object
  }

  /// Extracts every entry of the tar.
  mutating func extract(_ tar: TarStream) throws {
    var reader = try ArchiveReader(format: .tar, object: object, buffers: { try tar.next() })
    while let entry = try reader.next() {
      let path = try RelativePath(entry.path)
      do {
        if path.name.utf8.starts(with: ".wh.".utf8) {
          try applyWhiteout(path)
        } else if !isOfAufs(path) {
          try extract(entry, at: path, from: &reader, of: tar)
        }
      } catch let error as FileSystemError where !error.isOfHost {
        // The error names a file of the temporary tree; the entry is what can be looked for.
        throw malformed("\(path) cannot be made: \(error.errno)")
      }
    }
    try removeNeedlessWhiteouts()
    // In the order of the archive, because the last entry of a folder that is listed twice is the one that counts.
    for folder in folderTimes where try root.status(folder.path)?.kind == .directory {
      try root.setModified(folder.path, nanoseconds: folder.modified)
    }
  }

  private mutating func extract(
    _ entry: ArchiveEntry, at path: RelativePath, from reader: inout ArchiveReader, of tar: TarStream
  ) throws {
    guard !path.isRoot else {
      guard entry.kind == .directory else { throw malformed("its root is not a folder") }
      return try finish(entry, path)
    }
    if let hidden = hiddenFolder(above: path) { try reveal(hidden) }
    if entry.isDevice, owners != .all { return try leaveOut(path) }
    try makeFolder(path.parent)
    let wasWhiteout = whiteouts.remove(path) != nil
    switch entry.kind {
    case .file: return try extractFile(entry, at: path, from: &reader, of: tar)
    case .hardlink(let target): return try makeHardlink(entry, at: path, target: RelativePath(target))
    default: try makeNode(entry, at: path)
    }
    try finish(entry, path)
    // The lower layers' folder of this name was hidden by the whiteout, so the new one must not merge with it.
    if wasWhiteout, entry.kind == .directory { try makeOpaque(path) }
  }

  private mutating func makeNode(_ entry: ArchiveEntry, at path: RelativePath) throws {
    do {
      try makeNewNode(entry, at: path)
    } catch let error as FileSystemError where error.errno == .fileExists {
      if try makeRoom(for: entry, at: path) { try makeNewNode(entry, at: path) }
    }
  }

  private mutating func makeNewNode(_ entry: ArchiveEntry, at path: RelativePath) throws {
    switch entry.kind {
    case .directory: try root.makeDirectory(path)
    case .symlink(let target): try root.makeSymlink(path, target: target)
    case .characterDevice(let major, let minor): try root.makeNode(path, kind: .characterDevice, major: major, minor: minor)
    case .blockDevice(let major, let minor): try root.makeNode(path, kind: .blockDevice, major: major, minor: minor)
    case .fifo: try root.makeNode(path, kind: .fifo, major: 0, minor: 0)
    case .file, .hardlink: preconditionFailure("made elsewhere")
    }
  }

  /// Removes what is at `path`, since the later entry counts; false when it can stay: a folder over a folder takes its attributes.
  private mutating func makeRoom(for entry: ArchiveEntry, at path: RelativePath) throws -> Bool {
    guard let present = try root.status(path) else { return true }
    if present.kind == .directory, entry.kind == .directory { return false }
    if case .hardlink(let target) = entry.kind, try RelativePath(target) == path { throw malformed("\(path) is a hardlink to itself") }
    try remove(path)
    return true
  }

  mutating func remove(_ path: RelativePath) throws {
    try root.remove(path)
    knownFolder = .root
  }

  private mutating func extractFile(
    _ entry: ArchiveEntry, at path: RelativePath, from reader: inout ArchiveReader, of tar: TarStream
  ) throws {
    var file = FileContent(try createFile(entry, at: path), size: entry.size)
    var hasher = SHA256Hasher()
    var count: Int64 = 0
    let (object, limit, before) = (object, limit, byteCount)
    let isCut = malformed("it ends within \(path)")
    try reader.readData { bytes in
      // The zeros that fill the last block are none of a file's bytes.
      guard !tar.isPadded else { throw isCut }
      guard before + count <= limit else { throw StoreError.decompressionBomb(object: object, limit: limit) }
      tar.hash(bytes, into: &hasher)
      try file.write(bytes)
      count += Int64(bytes.byteCount)
    }
    byteCount += count
    guard count == entry.size else { throw malformed("\(path) has \(count) bytes, its header says \(entry.size)") }
    guard let made = try file.finish() else { preconditionFailure("a file is finished once") }
    digests[try made.status().inode] = hasher.finish()
    do {
      try made.setAttributes(attributes(of: entry))
    } catch {
      throw refused(error, call: "fchown", entry)
    }
  }

  private mutating func createFile(_ entry: ArchiveEntry, at path: RelativePath) throws -> OwnedDescriptor {
    do {
      return try root.createFile(path)
    } catch  where error.errno == .fileExists {
      _ = try makeRoom(for: entry, at: path)
      return try root.createFile(path)
    }
  }

  private mutating func makeHardlink(_ entry: ArchiveEntry, at path: RelativePath, target: RelativePath) throws {
    _ = try makeRoom(for: entry, at: path)
    let present = try root.status(target)
    let isHidden = present?.isWhiteout ?? (hiddenFolder(above: target) != nil || opaqueFolders.containsFolder(above: target))
    guard !isHidden else { throw malformed("\(path) is a hardlink to \(target), which this layer hides") }
    if present == nil { try copyUp(target, for: path) }
    guard let status = try root.status(target), status.kind != .directory else {
      throw malformed("\(path) is a hardlink to \(target), which is no file")
    }
    try root.makeHardlink(path, target: target)
  }

  private mutating func finish(_ entry: ArchiveEntry, _ path: RelativePath) throws {
    do {
      try root.setAttributes(path, attributes(of: entry), isSymlink: entry.isSymlink)
    } catch {
      throw refused(error, call: "fchownat", entry)
    }
    if entry.kind == .directory { folderTimes.append((path, entry.modified)) }
  }

  private func attributes(of entry: ArchiveEntry) -> FileAttributes {
    // overlayfs's own attributes are ours to set, never the archive's: they could expose what lower layers hide.
    var extended = entry.extendedAttributes.filter { !$0.key.hasPrefix("trusted.overlay.") && !$0.key.hasPrefix("user.overlay.") }
    // Of any other namespace the kernel knows nothing (xattr(7)); macOS leaves some in archives, and nobody here would ask for them.
    extended = extended.filter { attribute in Self.namespaces.contains { attribute.key.hasPrefix($0) } }
    if owners != .all { extended = extended.filter { $0.key.hasPrefix("user.") || $0.key == "security.capability" } }
    let (uid, gid) = owners == .single ? (0, 0) : (entry.uid, entry.gid)
    return FileAttributes(permissions: entry.permissions, uid: uid, gid: gid, modified: entry.modified, extended: extended)
  }

  private static let namespaces = ["user.", "trusted.", "security.", "system."]

  /// What an ordinary user may not do is told as such and not as a failed system call.
  func needsRoot(_ error: FileSystemError, call: String) -> any Error {
    error.call == call && error.errno == .notPermitted ? StoreError.needsRoot(action: "unpacking a layer") : error
  }

  private func refused(_ error: FileSystemError, call: String, _ entry: ArchiveEntry) -> any Error {
    if let attribute = error.attribute, isOfArchive(error, setting: attribute, of: entry) {
      return malformed("the attribute '\(attribute)' of /\(entry.path) cannot be set: \(error.errno)")
    }
    // The kernel's answer to an id that has no number in this namespace (chown(2)).
    guard owners == .range, error.call == call, error.errno == .invalidArgument else { return needsRoot(error, call: call) }
    return StoreError.unmappedOwner(file: "/" + entry.path, uid: entry.uid, gid: entry.gid)
  }

  /// Whether the archive asks for an attribute that no file, or none of this kind, can have.
  private func isOfArchive(_ error: FileSystemError, setting attribute: Substring, of entry: ArchiveEntry) -> Bool {
    switch error.errno {
    case .argListTooLong, .outOfRange, .invalidArgument, .notSupported, .notSupportedOnSocket: return true
    // Only files and folders have attributes of users (xattr(7)).
    case .notPermitted: return attribute.hasPrefix("user.") && entry.kind != .file && entry.kind != .directory
    case .noSpace:
      // It is also the answer to more attributes than an inode has room for; then the disk is not full.
      guard let space = try? FileSystem.space(at: folder) else { return false }
      return space.freeBytes > 1 << 20 && space.freeFiles != 0
    default: return false
    }
  }

  func malformed(_ reason: String) -> StoreError { .malformedLayer(object: object, reason: reason, underlying: nil) }
}

extension ArchiveEntry {
  fileprivate var isSymlink: Bool {
    if case .symlink = kind { return true }
    return false
  }

  fileprivate var isDevice: Bool {
    switch kind {
    case .characterDevice, .blockDevice: true
    default: false
    }
  }
}

extension FileSystemError {
  /// The extended attribute, where one could not be set.
  fileprivate var attribute: Substring? {
    let words = call.split(separator: " ", maxSplits: 1)
    return words.count == 2 && (words[0] == "setxattr" || words[0] == "fsetxattr") ? words[1] : nil
  }
}

/// Where the content of one file goes: past the page cache when it is large, so that a big image does not push out what the machine works with.
private struct FileContent: ~Copyable {
  /// Bytes from which a file counts as large.
  private static let threshold: Int64 = 4 << 20

  private var cached: OwnedDescriptor?
  private var uncached: UncachedWriter?

  init(_ file: consuming OwnedDescriptor, size: Int64) {
    if size < Self.threshold { cached = consume file } else { uncached = UncachedWriter(file) }
  }

  mutating func write(_ bytes: RawSpan) throws(FileSystemError) {
    try cached?.write(bytes)
    try uncached?.write(bytes)
  }

  /// The file with all its content.
  mutating func finish() throws(FileSystemError) -> OwnedDescriptor? {
    if let file = cached.take() { return file }
    return try uncached.take()?.finish()
  }
}

extension OwnerIDs {
  /// The attribute by which overlayfs knows an opaque folder (overlayfs.rst, "userxattr"): `trusted.` is for the host's root alone.
  var opaqueMark: String { self == .all ? "trusted.overlay.opaque" : "user.overlay.opaque" }
}
