/// Where a program of the host lies.
import EnvCore
import Glibc
import SystemPackage

/// Look-up of programs by name, as a shell does it and in the system folders that an ordinary user's PATH leaves out.
public enum Executable {
  private static let systemFolders: [FilePath] = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin"]

  /// The folders of `path` in its order, then the system's own.
  private static func folders(_ path: String) -> [FilePath] {
    var folders: [FilePath] = []
    for folder in path.split(separator: ":").map({ FilePath(String($0)) }) + systemFolders
    where folder.isAbsolute && !folders.contains(folder) {
      folders.append(folder)
    }
    return folders
  }

  /// The first executable regular file called `name` in the folders of `path`, else in the system's own; a name with a slash is taken as a
  /// path.
  public static func find(
    _ name: String, path: String = ProcessEnvironment.inherited["PATH"] ?? ""
  ) throws(ProcessError) -> FilePath {
    let folders = name.contains("/") ? [] : folders(path)
    let candidates = name.contains("/") ? [FilePath(name)] : folders.map { $0.appending(name) }
    guard let found = candidates.first(where: isExecutableFile) else { throw .notFound(name: name, searched: folders) }
    return found
  }

  private static func isExecutableFile(_ path: FilePath) -> Bool {
    var status = stat()
    return stat(path.string, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && access(path.string, X_OK) == 0
  }
}
