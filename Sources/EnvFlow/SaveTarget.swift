/// Where an image may be written: into a file or a layout folder of its own, and never over what somebody else lives from.
import EnvCore
import EnvStore
import SafeFS
import SystemPackage

extension Workbench {
  /// Refuses a place whose replacement would destroy something: a device, a link, a folder, a part of the store.
  ///
  /// - Throws: `FlowError.unsuitableTarget`.
  public func requireSuitable(_ layout: LayoutReference) throws {
    let path = layout.path
    if let status = try FileSystem.status(path) {
      switch (status.kind, layout.form) {
      case (.file, .archive), (.directory, .folder): break
      case (.symlink, _):
        throw FlowError.unsuitableTarget(path, reason: "it is a symbolic link to '\(try FileSystem.linkTarget(path))'")
      default: throw FlowError.unsuitableTarget(path, reason: "it is \(status.kind)")
      }
    }
    let home = try FileSystem.canonicalPath(store.home)
    // A layout's folder for blobs may be a link as well.
    let places = layout.form == .folder ? [path, path.appending("blobs/sha256")] : [path]
    for place in places where try resolved(place).starts(with: home) {
      throw FlowError.unsuitableTarget(path, reason: "it is inside the store '\(home)'")
    }
  }

  /// The path with all links resolved, as far as it exists; what is still to be made holds none.
  private func resolved(_ path: FilePath) throws -> FilePath {
    if try FileSystem.status(path) != nil || path.isEmpty { return try FileSystem.canonicalPath(path.isEmpty ? "." : path) }
    guard let name = path.lastComponent, path.removingLastComponent() != path else { return path }
    // What does not exist yet, and a `..` after it, may still lead to a link that does.
    let below = try resolved(path.removingLastComponent()).appending(name).lexicallyNormalized()
    return try FileSystem.status(below) == nil ? below : FileSystem.canonicalPath(below)
  }
}
