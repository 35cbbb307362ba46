/// Bind mounts in a user namespace, which cannot shed what their file system is mounted with.
import EnvBundle
import SafeFS
import SystemPackage

extension RuntimeSpec.Mount {
  /// The mount with the options that its source's file system imposes. Older runtimes try without and fail.
  func withLockedOptions() throws(FileSystemError) -> RuntimeSpec.Mount {
    guard options.contains("bind") || options.contains("rbind"), FileSystem.exists(FilePath(source)) else { return self }
    var mount = self
    let locked = try FileSystem.lockedOptions(at: FilePath(source)).filter { !options.contains($0) }
    if locked.contains("ro") { mount.options.removeAll { $0 == "rw" } }
    mount.options += locked
    return mount
  }
}
