/// Files on their way into a workspace and out of it, whether it runs or not.
import EnvBundle
import EnvCore
import Glibc
import SafeFS
import SystemPackage

/// One end of a copy.
public struct CopyEnd: Sendable, Hashable {
  /// Nil is the host.
  public var workspace: String?
  /// As it was written. On the host it may be relative.
  public var path: String

  public init(workspace: String?, path: String) {
    self.workspace = workspace
    self.path = path
  }

  /// A folder's content instead of the folder, as cp(1) has it.
  fileprivate var meansContent: Bool { path.hasSuffix("/.") || path == "." }
  fileprivate var mustBeFolder: Bool { path.hasSuffix("/") || meansContent }
}

/// What was copied.
public struct CopyResult: Sendable, Encodable {
  public var files: Int
  public var bytes: Int64
  /// Devices, FIFOs and sockets, which are not.
  public var leftOut: [String]
}

extension ContainerLauncher {
  /// Copies a file, or a folder with all in it. Copies belong to the owner of the folder they are put into.
  ///
  /// Paths in the workspace are resolved as a process in it would, and no link in it leads to the host.
  /// - Throws: `LaunchError.noSuchPath`, `notCopyable`, `mountedPath`.
  public func copy(_ source: CopyEnd, to target: CopyEnd) throws(LaunchError) -> CopyResult {
    try requireRoot()
    return try launching("copying \(source.path)") {
      guard let id = source.workspace ?? target.workspace else { throw LaunchError.noWorkspace(name: "") }
      return try withRoot(of: try workspace(id), touching: [source, target].filter { $0.workspace != nil }.map(\.path)) { root in
        try Self.copy(source, in: source.workspace == nil ? "/" : root, to: target, in: target.workspace == nil ? "/" : root)
      }
    }
  }

  /// Calls `body` with the root filesystem of a workspace: that of its processes, or one mounted for the call.
  private func withRoot<Value: Sendable>(
    of workspace: Workspace, touching paths: [String], _ body: @escaping @Sendable (FilePath) throws -> Value
  ) throws -> Value {
    if let running = try runningProcess(of: workspace) { return try body(FilePath("/proc/\(running.pid)/root")) }
    return try withWorkspaceLocked(workspace.id) { _ in
      // It may have been started, or made anew, while we waited: two overlays must not share an upper folder (overlayfs.rst).
      let workspace = try self.workspace(workspace.id)
      if let running = try runningProcess(of: workspace) { return try body(FilePath("/proc/\(running.pid)/root")) }
      for path in paths { try Self.requireUnmounted(path, in: workspace) }
      let files = layout.workspace(workspace.id)
      return try PrivateMounts.run {
        try OverlayMount(
          layers: workspace.image.layers.map { FilePath($0) }, upper: files.upper, work: files.work, target: files.root, isVolatile: false
        ).mount()
        return try body(files.root)
      }
    }
  }

  private static func requireUnmounted(_ path: String, in workspace: Workspace) throws {
    let place = RelativePath.root == (try RelativePath(path)) ? "/" : "\(try RelativePath(path))"
    for mount in workspace.request.mounts where place == mount.destination || place.hasPrefix(mount.destination + "/") {
      throw LaunchError.mountedPath(path, mount: mount.destination, source: mount.source + place.dropFirst(mount.destination.utf8.count))
    }
  }

  private static func copy(_ source: CopyEnd, in sourceRoot: FilePath, to target: CopyEnd, in targetRoot: FilePath) throws -> CopyResult {
    let sourcePath = try resolved(source)
    guard let kind = try RootDirectory(sourceRoot).statusFollowing(sourcePath)?.kind else { throw LaunchError.noSuchPath(source.path) }
    let isFolder = kind == .directory
    guard isFolder || kind == .file else { throw LaunchError.notCopyable(path: source.path, reason: "is \(kind)") }
    if !isFolder, source.mustBeFolder { throw LaunchError.notCopyable(path: source.path, reason: "is not a folder") }
    let place = try place(of: target, in: targetRoot, sourceName: sourcePath.name, content: source.meansContent, isFolder: isFolder)
    guard let folder = try RootDirectory(targetRoot).openFollowing(place.folder), try folder.status().kind == .directory else {
      throw LaunchError.noSuchPath(place.folder.description)
    }
    guard let found = try RootDirectory(sourceRoot).openFollowing(sourcePath) else { throw LaunchError.noSuchPath(source.path) }
    var copy = try TreeCopy(into: folder)
    try copy.copy(found, to: place.name)
    return CopyResult(files: copy.fileCount, bytes: copy.byteCount, leftOut: copy.leftOut)
  }

  /// The folder that will hold the copy, and its name there: the root for a folder's content.
  private static func place(
    of target: CopyEnd, in root: FilePath, sourceName: String, content: Bool, isFolder: Bool
  ) throws -> (folder: RelativePath, name: RelativePath) {
    let path = try resolved(target)
    if let status = try RootDirectory(root).statusFollowing(path) {
      if status.kind == .directory {
        return (path, content || sourceName.isEmpty ? .root : try RelativePath(sourceName))
      }
      guard !isFolder, !target.mustBeFolder, status.kind == .file else {
        throw LaunchError.notCopyable(path: target.path, reason: "is \(status.kind), which the copy cannot replace")
      }
    } else if target.mustBeFolder, !(isFolder && content) {
      throw LaunchError.noSuchPath(target.path)
    }
    return (path.parent, try RelativePath(path.name))
  }

  /// The path below its root. On the host `..` and the current folder are resolved here, in a workspace nothing is relative.
  private static func resolved(_ end: CopyEnd) throws -> RelativePath {
    guard end.workspace == nil else { return try RelativePath(end.path) }
    guard !end.path.isEmpty else { throw LaunchError.noSuchPath("") }
    let path = FilePath(end.path)
    if FileSystem.exists(path) { return try RelativePath(try FileSystem.canonicalPath(path).string) }
    let parent = path.removingLastComponent()
    guard FileSystem.exists(parent.isEmpty ? "." : parent), let name = path.lastComponent else { throw LaunchError.noSuchPath(end.path) }
    return try RelativePath(try FileSystem.canonicalPath(parent.isEmpty ? "." : parent).appending(name).string)
  }
}
