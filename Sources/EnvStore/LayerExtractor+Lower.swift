/// What a layer takes for granted: folders it does not list, and files of lower layers it links to.
import Archive
import EnvCore
import Hashing
import SafeFS
import SystemPackage

extension LayerExtractor {
  /// Sees to it that the folder a file goes into is there, as the lower layers have it: overlayfs shows the attributes of the upper one.
  ///
  /// - Throws: `LayerNeedsLower` when the layer does not list it and the layers below are not known.
  mutating func makeFolder(_ path: RelativePath) throws { try makeFolder(path, linksLeft: 40) }

  private mutating func makeFolder(_ path: RelativePath, linksLeft: Int) throws {
    if path.isRoot || path == knownFolder { return }
    if try root.statusFollowing(path)?.kind == .directory {
      knownFolder = path
      return
    }
    // A file of this layer stands in the way; making the entry says so.
    if try root.status(path).map({ $0.kind != .symlink }) ?? false { return }
    guard let lower else { throw LayerNeedsLower() }
    dependsOnLower = true
    try makeFolder(path.parent, linksLeft: linksLeft)
    let link: String? =
      if try root.status(path) != nil { try root.linkTarget(path) } else { try take(path, from: lower) }
    guard let link else { return knownFolder = path }
    guard linksLeft > 0 else { throw FileSystemError(call: "openat2", path: FilePath(path.string), errno: .tooManySymbolicLinkLevels) }
    try makeFolder(try path.target(ofLink: link), linksLeft: linksLeft - 1)
  }

  /// Makes the folder as the lower layers have it. Where they have a link, that is copied and its target returned.
  private mutating func take(_ path: RelativePath, from lower: LowerLayers) throws -> String? {
    let found = try lower.find(path)
    switch found?.status.kind {
    case .directory:
      try root.makeDirectory(path)
      if let found { try copyAttributes(found, to: path) }
    case .symlink:
      guard let found else { return nil }
      var source = try RootDirectory(found.root)
      let target = try source.linkTarget(path)
      try root.makeSymlink(path, target: target)
      try copyAttributes(found, to: path)
      return target
    default:
      try root.makeDirectory(path)
      // Nobody lists it; the time of unpacking would make every host's tree another one.
      folderTimes.append((path, 0))
    }
    return nil
  }

  /// Copies a lower layer's file into this one, so that it can be linked to here.
  mutating func copyUp(_ path: RelativePath, for link: RelativePath) throws {
    guard let lower else { throw LayerNeedsLower() }
    dependsOnLower = true
    guard let found = try lower.find(path), found.status.kind != .directory else {
      throw StoreError.malformedLayer(
        object: object, reason: "\(link) is a hardlink to \(path), which neither this layer nor one below it holds", underlying: nil)
    }
    try makeFolder(path.parent)
    var source = try RootDirectory(found.root)
    switch found.status.kind {
    case .file:
      let input = try source.openFile(path)
      let output = try root.createFile(path)
      var hasher = SHA256Hasher()
      try input.forEachChunk {
        hasher.update($0)
        try output.write($0)
      }
      digests[try output.status().inode] = hasher.finish()
    case .symlink: try root.makeSymlink(path, target: source.linkTarget(path))
    default: try root.makeNode(path, kind: found.status.kind, major: found.status.device.major, minor: found.status.device.minor)
    }
    try copyAttributes(found, to: path)
  }

  private mutating func copyAttributes(_ found: LowerLayers.Found, to path: RelativePath) throws {
    let source = try RootDirectory(found.root)
    // What makes a lower folder opaque hides what is below that folder, not below this one.
    let extended = try source.extendedAttributes(found.path).filter {
      !$0.key.hasPrefix("trusted.overlay.") && !$0.key.hasPrefix("user.overlay.") && $0.key != "security.selinux"
    }
    let status = found.status
    try root.setAttributes(
      path,
      FileAttributes(permissions: status.permissions, uid: status.uid, gid: status.gid, modified: status.modified, extended: extended),
      isSymlink: status.kind == .symlink)
    if status.kind == .directory { folderTimes.append((path, status.modified)) }
  }
}

extension RelativePath {
  /// Where a symbolic link at this path leads, within the root.
  fileprivate func target(ofLink link: String) throws -> RelativePath {
    let start = link.utf8.first == UInt8(ascii: "/") ? "" : parent.string
    var components: [Substring.UTF8View] = []
    for component in (start + "/" + link).utf8.split(separator: UInt8(ascii: "/")) {
      if component.elementsEqual("..".utf8) { _ = components.popLast() } else { components.append(Substring(component).utf8) }
    }
    return try RelativePath(components.map { String(Substring($0)) }.joined(separator: "/"))
  }
}
