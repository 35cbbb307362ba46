/// A list of the regular files and the links below a folder, for tools that read other people's trees.
import Glibc
import SystemPackage

/// What a walk found.
public struct FileListing: Sendable {
  /// Path below the root and size in bytes, in the order of the names' bytes, folder by folder.
  public fileprivate(set) var files: [(path: String, size: Int64)] = []
  /// Symbolic links, which were not followed.
  public fileprivate(set) var links: [String] = []
  /// Folders that could not be looked into.
  public fileprivate(set) var unreadable: [(path: String, error: FileSystemError)] = []
}

extension FileSystem {
  /// The regular files below `root`; no link is followed, and what cannot be read is told and passed over.
  ///
  /// - Parameter entering: Whether a folder of this name is looked into.
  public static func files(below root: FilePath, entering: (_ name: String) -> Bool) throws(FileSystemError) -> FileListing {
    var listing = FileListing()
    let folder = try OwnedDescriptor.directory(root)
    list(folder.rawValue, path: "", root: root, depth: 0, entering, &listing)
    return listing
  }

  private static func list(
    _ folder: CInt, path: String, root: FilePath, depth: Int, _ entering: (String) -> Bool, _ listing: inout FileListing
  ) {
    do throws(FileSystemError) {
      for name in try names(in: folder, path: root.appending(path)) {
        let text = text(of: name)
        let child = path.isEmpty ? text : path + "/" + text
        var value = stat()
        // A file that went away meanwhile is no file any more.
        guard fstatat(folder, name, &value, AT_SYMLINK_NOFOLLOW) == 0 else { continue }
        switch value.st_mode & S_IFMT {
        case S_IFREG: listing.files.append((child, Int64(value.st_size)))
        case S_IFLNK: listing.links.append(child)
        case S_IFDIR where entering(text):
          // Descriptors stay open along the way down, and so does the stack.
          guard depth < 200 else { throw FileSystemError(call: "openat", path: root.appending(child), errno: .fileNameTooLong) }
          try descend(folder, name, child, root: root, depth: depth, entering, &listing)
        default: continue
        }
      }
    } catch {
      listing.unreadable.append((path, error))
    }
  }

  private static func descend(
    _ folder: CInt, _ name: [CChar], _ child: String, root: FilePath, depth: Int, _ entering: (String) -> Bool, _ listing: inout FileListing
  ) throws(FileSystemError) {
    do throws(FileSystemError) {
      let raw = try check("openat", root.appending(child)) { Glibc.openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) }
      let opened = OwnedDescriptor(owning: raw, path: root.appending(child))
      list(opened.rawValue, path: child, root: root, depth: depth + 1, entering, &listing)
    } catch {
      listing.unreadable.append((child, error))
    }
  }
}
