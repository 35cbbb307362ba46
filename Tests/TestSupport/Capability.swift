/// What a test may need of the machine. A test that is skipped names the capability it lacks.
import Glibc
import SafeFS
import SystemPackage

/// Something not every machine has.
public enum Capability {
  /// Owners, device nodes and `trusted.*` attributes can be made by root only.
  public static var isRoot: Bool { geteuid() == 0 }

  /// Where a tool lies on the PATH; nil when it is not installed.
  public static func tool(_ name: String) -> FilePath? {
    let folders = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
    return folders.split(separator: ":").map { FilePath(String($0)).appending(name) }.first { FileSystem.exists($0) }
  }

  public static func has(_ tools: String...) -> Bool { tools.allSatisfy { tool($0) != nil } }
}
