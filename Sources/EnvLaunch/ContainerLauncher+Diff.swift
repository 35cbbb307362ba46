/// What was changed in a workspace since its image, read from the writable folder of its overlay.
import EnvBundle
import EnvCore
import SafeFS
import SystemPackage

/// A path that is not as the image has it.
public struct PathChange: Sendable, Hashable, Encodable {
  public enum Kind: String, Sendable, Encodable { case added, changed, removed }

  /// Absolute, in the workspace.
  public var path: String
  public var kind: Kind
}

extension ContainerLauncher {
  /// The changes in the workspace `id`, in the order of the paths folder by folder. Mounted folders are no part of it.
  public func changes(in id: String) throws(LaunchError) -> [PathChange] {
    try requireRoot()
    return try launching("comparing workspace \(id) with its image") { try changes(in: try workspace(id)) }
  }

  func changes(in workspace: Workspace) throws -> [PathChange] {
    let files = layout.workspace(workspace.id)
    guard FileSystem.exists(files.upper) else { return [] }
    let config = try? FileSystem.readFile(files.config, limit: 16 << 20)
    let spec = try config.map { try CanonicalJSON.decode(RuntimeSpec.self, from: $0, object: files.config.string) }
    let mounts = spec?.mounts.map(\.destination) ?? []
    try FileSystem.createDirectories(layout.bundle, mode: 0o700)
    let scratch = layout.bundle
    return try PrivateMounts.run {
      // The image as one tree: an overlay whose own changes are in memory, and none.
      try MemoryMount.make(at: scratch)
      let (image, upper, work) = (scratch.appending("image"), scratch.appending("upper"), scratch.appending("work"))
      for folder in [image, upper, work] { try FileSystem.createDirectories(folder) }
      try OverlayMount(
        layers: workspace.image.layers.map { FilePath($0) }, upper: upper, work: work, target: image, isVolatile: true
      ).mount()
      return try comparing(files.upper, with: image, mounts: mounts)
    }
  }

  /// Processes may be at work meanwhile; when a file goes away under our eyes, the comparison begins anew.
  private func comparing(_ upper: FilePath, with image: FilePath, mounts: [String]) throws -> [PathChange] {
    var attempts = 0
    while true {
      do {
        return try UpperComparison(image: image, mounts: mounts).changes(in: upper)
      } catch let error as FileSystemError where error.errno == .noSuchFileOrDirectory && attempts < 20 {
        attempts += 1
      }
    }
  }
}

/// Compares an overlay's writable folder with what lies below it (kernel: overlayfs.rst, "whiteouts and opaque directories").
private final class UpperComparison {
  private var image: RootDirectory
  private let mounts: Set<String>
  /// fuse-overlayfs may have written the folder, who has marks of its own where the file system takes none of the kernel's.
  private let knowsMarkerFiles = OwnerIDs.current != .all
  /// A folder the image does not have, or has as something else: all in it is new.
  private var fresh: String?
  private var changes: [PathChange] = []

  init(image: FilePath, mounts: [String]) throws {
    self.image = try RootDirectory(image)
    self.mounts = Set(mounts)
  }

  func changes(in upper: FilePath) throws -> [PathChange] {
    try FileSystem.walk(upper) { node in if !node.path.isEmpty { try take(node, in: upper) } }
    return changes
  }

  private func take(_ node: borrowing TreeNode, in upper: FilePath) throws {
    let (path, status) = ("/" + node.path, node.status)
    if let fresh, !path.hasPrefix(fresh + "/") { self.fresh = nil }
    if let hidden = markedAsHidden(path, status) {
      if fresh == nil, try image.status(RelativePath(hidden)) != nil { changes.append(PathChange(path: hidden, kind: .removed)) }
      return
    }
    let known = fresh == nil ? try image.status(RelativePath(node.path)) : nil
    if isMountPoint(path, status, known) { return }
    guard let known else {
      changes.append(PathChange(path: path, kind: .added))
      if status.kind == .directory, fresh == nil { fresh = path }
      return
    }
    guard status.kind == .directory, known.kind == .directory else {
      if !isSame(status, known) { changes.append(PathChange(path: path, kind: .changed)) }
      if status.kind == .directory { fresh = path }
      return
    }
    if (status.permissions, status.uid, status.gid) != (known.permissions, known.uid, known.gid) {
      changes.append(PathChange(path: path, kind: .changed))
    }
    if try isOpaque(node, in: upper) { try takeOpaque(node.path, in: upper) }
  }

  /// The path that a mark hides, or that of the mark itself when that says something of its folder; nil for what is no mark.
  private func markedAsHidden(_ path: String, _ status: FileStatus) -> String? {
    if status.kind == .characterDevice, status.device == (0, 0) { return path }
    guard knowsMarkerFiles, status.kind == .file, status.size == 0, let slash = path.lastIndex(of: "/") else { return nil }
    let name = path[path.index(after: slash)...]
    guard name.hasPrefix(Self.marker) else { return nil }
    return name == Self.opaqueMarker ? path : String(path[...slash] + name.dropFirst(Self.marker.count))
  }

  private func isOpaque(_ node: borrowing TreeNode, in upper: FilePath) throws -> Bool {
    let attributes = try node.extendedAttributes()
    let marks = ["trusted.overlay.opaque", "user.overlay.opaque"] + (knowsMarkerFiles ? ["user.fuseoverlayfs.opaque"] : [])
    if marks.contains(where: { attributes[$0] == [UInt8(ascii: "y")] }) { return true }
    return knowsMarkerFiles && FileSystem.exists(upper.appending(node.path).appending(Self.opaqueMarker))
  }

  /// Files that say what an attribute or a device node says elsewhere (image-spec layer.md, "Whiteouts").
  private static let marker = ".wh."
  private static let opaqueMarker = ".wh..wh..opq"

  /// An opaque folder hides all the image has in it; what is in both is compared as ever.
  private func takeOpaque(_ path: String, in upper: FilePath) throws {
    let present = Set(try FileSystem.list(upper.appending(path)))
    guard let folder = try image.openFollowing(RelativePath(path)) else { return }
    for name in try FileSystem.list(FilePath("/proc/self/fd/\(folder.rawValue)")) where !present.contains(name) {
      changes.append(PathChange(path: "/\(path)/\(name)", kind: .removed))
    }
  }

  /// The runtime makes the places it mounts on: empty files and folders, and the folders that lead there.
  private func isMountPoint(_ path: String, _ status: FileStatus, _ known: FileStatus?) -> Bool {
    if mounts.contains(path) { return status.kind == .directory || status.size == 0 }
    return known == nil && status.kind == .directory && mounts.contains { $0.hasPrefix(path + "/") }
  }

  /// A file that was only opened for writing has been copied up and is as it was.
  private func isSame(_ one: FileStatus, _ other: FileStatus) -> Bool {
    one.kind == other.kind && one.permissions == other.permissions && one.uid == other.uid && one.gid == other.gid && one.size == other.size
      && one.modified == other.modified && one.device == other.device
  }
}
