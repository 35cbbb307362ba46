/// What lies below a layer while it is unpacked: needed when it names a file of a lower layer, or a folder it does not list itself.
import EnvCore
import Hashing
import SafeFS
import SystemPackage

/// The layer cannot be unpacked without knowing those below it. Never leaves the store.
struct LayerNeedsLower: Error {}

/// The unpacked trees below a layer, seen as overlayfs would show them.
struct LowerLayers {
  /// Highest first.
  let roots: [FilePath]

  /// A file of a lower layer.
  struct Found {
    let root: FilePath
    let path: RelativePath
    let status: FileStatus
  }

  /// What the lower layers show at `path`; nil when nothing, or when it is hidden. Links on the way are not followed.
  func find(_ path: RelativePath) throws -> Found? {
    for root in roots {
      switch try look(for: path, in: root) {
      case .found(let found): return found
      case .hidden: return nil
      case .absent: continue
      }
    }
    return nil
  }

  private enum Look {
    case found(Found)
    case hidden
    case absent
  }

  private func look(for path: RelativePath, in root: FilePath) throws -> Look {
    var folder = try RootDirectory(root)
    let opaqueMark = OwnerIDs.current.opaqueMark
    var isOpaque = try folder.extendedAttributes(.root)[opaqueMark] != nil
    for step in path.steps {
      guard let status = try folder.status(step) else { return isOpaque ? .hidden : .absent }
      if status.isWhiteout { return .hidden }
      if step == path { return .found(Found(root: root, path: path, status: status)) }
      guard status.kind == .directory else { return .hidden }
      if try folder.extendedAttributes(step)[opaqueMark] != nil { isOpaque = true }
    }
    return .absent
  }
}

extension FileStatus {
  /// What overlayfs takes for a name that is hidden (overlayfs.rst, "whiteouts and opaque directories").
  var isWhiteout: Bool { kind == .characterDevice && device.major == 0 && device.minor == 0 }
}

extension RelativePath {
  /// The path's ancestors from the top, and the path itself.
  fileprivate var steps: [RelativePath] {
    var steps: [RelativePath] = []
    var step = self
    while !step.isRoot {
      steps.append(step)
      step = step.parent
    }
    return steps.reversed()
  }
}
