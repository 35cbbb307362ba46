/// What a layer hides of those below it: whiteouts and opaque folders (image-spec layer.md, "Whiteouts").
import EnvCore
import SafeFS
import SystemPackage

extension LayerExtractor {
  /// Hides what the entry at `path`, whose name begins with `.wh.`, says.
  mutating func applyWhiteout(_ path: RelativePath) throws {
    // What is below a hidden folder is hidden with it.
    if isOfAufs(path) || hiddenFolder(above: path) != nil { return }
    if path.name == Self.opaqueMarker { return try makeOpaque(path.parent) }
    guard let hidden = String(path.name.utf8.dropFirst(4)), !["", ".", ".."].contains(hidden) else {
      throw malformed("\(path) is a whiteout without a name")
    }
    let target = try path.parent.appending(hidden)
    guard !whiteouts.contains(target) else { return }
    if let made = try root.status(target) {
      if made.kind == .directory { try makeOpaque(target) }
      return
    }
    try hide(target)
  }

  /// Leaves out an entry that cannot be made here, but not what it does to the layers below: their file of this name is gone.
  mutating func leaveOut(_ path: RelativePath) throws {
    guard !whiteouts.contains(path) else { return }
    if try root.status(path) != nil { try remove(path) }
    try hide(path)
  }

  /// Puts a whiteout where this layer has nothing, unless the layers below are known to show nothing there either.
  ///
  /// A whiteout over nothing is no harm in a folder that overlayfs merges. In one that a single layer has, it is listed as a name that leads
  /// to nothing, and the folder cannot be removed.
  private mutating func hide(_ path: RelativePath) throws {
    try makeFolder(path.parent)
    // Through a link the name below is another one.
    if let lower, try isPlainFolder(path.parent), try lower.find(path) == nil {
      dependsOnLower = true
      return
    }
    try makeDevice(path)
    whiteouts.insert(path)
  }

  private mutating func isPlainFolder(_ path: RelativePath) throws -> Bool {
    var folder = path
    while !folder.isRoot {
      guard try root.status(folder)?.kind == .directory else { return false }
      folder = folder.parent
    }
    return true
  }

  /// Takes back the whiteouts below folders that are opaque in the end, whatever the order of the entries: nothing shows through there.
  mutating func removeNeedlessWhiteouts() throws {
    if whiteouts.isEmpty { return }
    var opaque: Set<RelativePath> = []
    for folder in opaqueFolders where try isOpaque(folder) { opaque.insert(folder) }
    for path in whiteouts where opaque.containsFolder(above: path) {
      if try root.status(path)?.isWhiteout == true { try remove(path) }
    }
  }

  private mutating func isOpaque(_ path: RelativePath) throws -> Bool {
    guard try root.status(path)?.kind == .directory else { return false }
    return try root.extendedAttributes(path)[owners.opaqueMark] != nil
  }

  private static var opaqueMarker: String { ".wh..wh..opq" }

  /// aufs kept its own files at the top under `.wh..wh.` (`plnk`, `orph`, `aufs`); they mean nothing here.
  func isOfAufs(_ path: RelativePath) -> Bool {
    path.string.utf8.starts(with: ".wh..wh.".utf8) && path.string != Self.opaqueMarker
  }

  /// The folder on the way to `path` that a whiteout hides.
  func hiddenFolder(above path: RelativePath) -> RelativePath? { whiteouts.folder(above: path) }

  /// Turns a whiteout into an empty folder that goes on hiding what lower layers have below this name.
  mutating func reveal(_ path: RelativePath) throws {
    whiteouts.remove(path)
    try remove(path)
    try makeOpaque(path)
  }

  private mutating func makeDevice(_ path: RelativePath) throws {
    do {
      try root.makeNode(path, kind: .characterDevice, major: 0, minor: 0)
    } catch {
      throw needsRoot(error, call: "mknodat")
    }
  }

  /// Marks the folder at `path`, which is made when there is none, as one that shows nothing of the layers below.
  mutating func makeOpaque(_ path: RelativePath) throws {
    try makeFolder(path.parent)
    switch try root.status(path)?.kind {
    case .directory: break
    case nil: try root.makeDirectory(path)
    default: throw malformed("\(path) is marked as an opaque folder but is none")
    }
    do {
      try root.setExtendedAttribute(path, name: owners.opaqueMark, value: Array("y".utf8))
    } catch {
      throw needsRoot(error, call: "setxattr " + owners.opaqueMark)
    }
    opaqueFolders.insert(path)
  }
}

extension Set<RelativePath> {
  /// The lowest folder on the way to `path` that is in the set; the root is one too.
  func folder(above path: RelativePath) -> RelativePath? {
    if isEmpty { return nil }
    var folder = path
    while !folder.isRoot {
      folder = folder.parent
      if contains(folder) { return folder }
    }
    return nil
  }

  func containsFolder(above path: RelativePath) -> Bool { folder(above: path) != nil }
}
