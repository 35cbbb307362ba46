/// The files of an image as overlayfs would show them, found in its unpacked layers without mounting anything.
import SafeFS
import SystemPackage

/// Unpacked layers on top of each other, lowest first.
struct LayerStack {
  let roots: [FilePath]

  /// The regular files whose path satisfies `isWanted`, each with the root of the layer it is seen in.
  ///
  /// What a layer hides of those below: a whiteout (character device 0/0) and any other file the name it stands at and all below it, an opaque
  /// folder all below it, a folder a file of its name (overlayfs, "whiteouts and opaque directories").
  func files(where isWanted: (String) -> Bool) throws -> [String: FilePath] {
    var seen: [String: FilePath] = [:]
    for root in roots {
      let watched = Set(seen.keys.flatMap { [$0] + Self.foldersAbove($0) })
      var hiddenNames: Set<String> = []
      var opaqueFolders: Set<String> = []
      var own: [String] = []
      try FileSystem.walk(root) { node in
        let kind = node.status.kind
        if kind == .file, isWanted(node.path) { own.append(node.path) }
        guard watched.contains(node.path) else { return }
        if kind != .directory || seen[node.path] != nil {
          hiddenNames.insert(node.path)
        } else if try Self.isOpaque(node) {
          opaqueFolders.insert(node.path)
        }
      }
      seen = seen.filter { path, _ in
        let above = Self.foldersAbove(path)
        return !hiddenNames.contains(path) && !above.contains { hiddenNames.contains($0) || opaqueFolders.contains($0) }
      }
      for path in own { seen[path] = root }
    }
    return seen
  }

  /// Every folder on the way to `path`, the root of the tree first.
  private static func foldersAbove(_ path: String) -> [String] {
    [""] + path.utf8.indices.filter { path.utf8[$0] == UInt8(ascii: "/") }.map { String(path[..<$0]) }
  }

  private static func isOpaque(_ node: borrowing TreeNode) throws -> Bool {
    let attributes = try node.extendedAttributes()
    return ["trusted.overlay.opaque", "user.overlay.opaque"].contains { attributes[$0] == [UInt8(ascii: "y")] }
  }
}
