/// The folder of one throw-away container, and how it is put right when its owner died.
import EnvCore
import Glibc
import SafeFS
import SystemPackage

/// A folder owned by one `run`. Two locks tell the truth about it: the owner's dies with envctl, the runtime's with the runtime.
final class ThrowawayFolder: Sendable {
  let id: String
  let files: ContainerFolder
  private let ownerLock: FileLock
  /// Inherited by the runtime; free when no runtime works on the container any more.
  let runtimeLock: FileLock

  /// How long an orphaned runtime may take to notice that its container was killed.
  private static let patience = Duration.seconds(10)

  private init(id: String, files: ContainerFolder, ownerLock: consuming FileLock, runtimeLock: consuming FileLock) {
    self.id = id
    self.files = files
    self.ownerLock = ownerLock
    self.runtimeLock = runtimeLock
  }

  /// A new folder for a container of `runtime`.
  static func create(in layout: LaunchLayout, runtime: Runtime) throws -> ThrowawayFolder {
    for folder in [layout.throwaways, layout.bundle, layout.shelf] { try FileSystem.createDirectories(folder, mode: 0o700) }
    let id = "run-" + FileSystem.uniqueSuffix()
    let files = layout.throwaway(id)
    // Between mkdir and flock the folder looks abandoned; the lock keeps those away who look for such.
    let creation = try FileLock(layout.throwawayLock)
    try FileSystem.createDirectories(files.path, mode: 0o700)
    do {
      let folder = ThrowawayFolder(
        id: id, files: files, ownerLock: try FileLock(ownerFile(files)), runtimeLock: try FileLock(runtimeFile(files)))
      _ = consume creation
      try RuntimeSelector.write(try CanonicalJSON.encode(runtime), to: runtimeRecord(files), mode: 0o600)
      return folder
    } catch {
      // A full disk, for one, still lets go of what is on it.
      try? FileSystem.removeTree(files.path)
      throw error
    }
  }

  /// Removes the container, if the runtime still knows it, and what it changed; the emptied folder goes to the shelf.
  ///
  /// rmdir(2) can wait milliseconds for the kernel without working (2.3 ms each on ext4, Linux 6.18), and the folder holds a handful that
  /// overlayfs made. `sweep` removes them beside the next run.
  func remove(_ client: RuntimeClient, layout: LaunchLayout) throws {
    try client.delete(id)
    let changed = FileSystem.exists(files.upper) ? try FileSystem.list(files.upper) : []
    for name in changed { try FileSystem.removeTree(files.upper.appending(name)) }
    try FileSystem.rename(files.path, to: layout.shelf.appending(id))
  }

  /// Removes the emptied folders of earlier runs. Another process may be at it too: what one misses, the next finds.
  static func sweep(_ layout: LaunchLayout) {
    guard let names = try? FileSystem.list(layout.shelf) else { return }
    for name in names { try? FileSystem.removeTree(layout.shelf.appending(name)) }
  }

  /// Ends and removes the throw-away containers whose envctl has died. Those at work are not touched.
  static func removeAbandoned(in layout: LaunchLayout) throws {
    guard FileSystem.exists(layout.throwaways), let names = try? FileSystem.list(layout.throwaways), !names.isEmpty else { return }
    var abandoned: [Abandoned] = []
    do {
      guard let creation = try FileLock.attempt(layout.throwawayLock) else { return }
      for name in names {
        let files = layout.throwaway(name)
        // The folder may vanish under our eyes; then there is nothing to do.
        guard let lock = try? FileLock.attempt(ownerFile(files)) else { continue }
        abandoned.append(Abandoned(id: name, files: files, lock: lock))
      }
      _ = consume creation
    }
    for folder in abandoned { try folder.remove(layout) }
  }

  private static func ownerFile(_ files: ContainerFolder) -> FilePath { files.path.appending("owner.lock") }
  fileprivate static func runtimeFile(_ files: ContainerFolder) -> FilePath { files.path.appending("runtime.lock") }
  fileprivate static func runtimeRecord(_ files: ContainerFolder) -> FilePath { files.path.appending("runtime.json") }

  /// A folder whose owner is dead, claimed by holding the owner's lock.
  private final class Abandoned {
    let id: String
    let files: ContainerFolder
    private let lock: FileLock

    init(id: String, files: ContainerFolder, lock: consuming FileLock) {
      self.id = id
      self.files = files
      self.lock = lock
    }

    func remove(_ layout: LaunchLayout) throws {
      // Without a whole record no runtime was started.
      if let bytes = try? FileSystem.readFile(runtimeRecord(files), limit: 1 << 16),
        let runtime = try? CanonicalJSON.decode(Runtime.self, from: bytes, object: "a runtime's record")
      {
        try endContainer(RuntimeClient(runtime, runFolder: layout.run))
      }
      try FileSystem.removeTree(files.path)
    }

    /// Kills the container as soon as its orphaned runtime has made it whole: one that is half made cannot be removed without a trace.
    private func endContainer(_ client: RuntimeClient) throws {
      let end = ContinuousClock.now + patience
      while ContinuousClock.now < end {
        if try FileLock.attempt(runtimeFile(files)) != nil { break }
        if try client.state(of: id) != nil { try client.delete(id) }
        usleep(20_000)
      }
      try client.delete(id)
    }
  }
}
