/// The content-addressed store: where things lie under `$ENVCTL_HOME`, who may touch them at once, and what a crash may leave behind.
import EnvCore
import SafeFS
import Synchronization
import SystemPackage

/// The folder `$ENVCTL_HOME`. Any number of processes may use one store at the same time.
///
/// ```
/// schema                      1
/// blobs/sha256/<hex>          packages, layers, configs, manifests; never changed, entered by rename
/// seals/<hex>                 inode identity of a blob when it was last proven
/// layers/<key hex>/           fs/ the unpacked tree · files.mtree what it holds · stamp; see `StoredImage.layerKeys`
/// layers-range, layers-single likewise, unpacked in a user namespace: with other marks for what is hidden, or with one owner for all files
/// images/<manifest hex>.json  where an image came from
/// run/, workspaces/           containers, see EnvLaunch's LaunchLayout
/// verdicts/                   what this host has measured, see EnvFlow's VerdictMemory
/// bisect/                     what was measured between two locks, see EnvFlow's BisectMemory
/// locks/                      one lock file for each piece of work that must be done once
/// tmp/<session>/              unfinished work; a session that ended leaves nothing that lasts
/// ```
public final class Store: Sendable {
  public let home: FilePath
  /// Trees unpacked under other `OwnerIDs` cannot be mounted or proven here, so each kind has a folder.
  let layersFolder: FilePath
  private let session: Mutex<Session?> = Mutex(nil)

  static let schema = 1

  /// Opens the store, making it on first use, and removes what crashed processes left unfinished.
  public init(home: FilePath) throws {
    self.home = home
    let owners = OwnerIDs.current
    layersFolder = home.appending(owners == .all ? "layers" : "layers-" + owners.rawValue)
    do {
      try FileSystem.createDirectories(home)
      try checkSchema()  // First of all: a store this program does not know stays as it is.
      for folder in ["blobs/sha256", "seals", "images", "locks", "tmp"] { try FileSystem.createDirectories(home.appending(folder)) }
      try FileSystem.createDirectories(layersFolder)
    } catch let error as FileSystemError {
      throw StoreError.unusableHome(path: home, underlying: error)
    }
    try removeAbandonedSessions()
  }

  deinit { session.withLock { $0?.discard() } }

  /// Runs work that must be done once, such as building one image, while no other process or thread runs work of this name.
  ///
  /// - Parameter waiting: Called once when somebody else is at it, before waiting for them.
  public func withLock<Result: ~Copyable>(
    _ name: String, waiting: () -> Void = {}, _ body: () throws -> Result
  ) throws -> Result {
    let path = home.appending("locks").appending(name)
    if let lock = try FileLock.attempt(path) {
      defer { withExtendedLifetime(lock) {} }
      return try body()
    }
    waiting()
    let lock = try FileLock(path)
    defer { withExtendedLifetime(lock) {} }
    return try body()
  }

  /// A path for unfinished work. It is on the same file system as the rest, so that finished work can be renamed into place.
  func temporaryPath(_ name: String) throws -> FilePath {
    try session.withLock { session in
      if let session { return session.folder }
      let new = try Session.begin(in: home.appending("tmp"), guardedBy: home.appending("locks/sessions"))
      session = new
      return new.folder
    }.appending("\(name).\(FileSystem.uniqueSuffix())")
  }

  func blobPath(_ digest: Digest) -> FilePath { home.appending("blobs/sha256").appending(digest.hex) }
  func sealPath(_ digest: Digest) -> FilePath { home.appending("seals").appending(digest.hex) }
  /// The name in the store of the layer whose unpacked tree is at `root`; nil for any other place.
  public func layerKey(at root: FilePath) -> Digest? {
    guard let name = root.removingLastComponent().lastComponent?.string, let diffID = try? Digest(hex: name) else { return nil }
    return layerPath(diffID).appending("fs") == root ? diffID : nil
  }

  func layerPath(_ diffID: Digest) -> FilePath { layersFolder.appending(diffID.hex) }

  private func checkSchema() throws {
    let path = home.appending("schema")
    guard FileSystem.exists(path) else { return try FileSystem.writeAtomically(Array("\(Self.schema)\n".utf8), to: path) }
    let text = String(decoding: try FileSystem.readFile(path, limit: 100), as: UTF8.self)
    guard let schema = Int(text.split(separator: "\n").first ?? "") else {
      throw StoreError.unreadableRecord(path: path, reason: "it should hold a schema number")
    }
    guard schema <= Self.schema else { throw StoreError.newerStore(path: home, schema: schema) }
  }

  private func removeAbandonedSessions() throws {
    let folder = home.appending("tmp")
    guard try !FileSystem.list(folder).isEmpty else { return }
    try withLock("sessions") { try sweepSessions(in: folder) }
  }

  private func sweepSessions(in folder: FilePath) throws {
    for name in try FileSystem.list(folder) where name.hasSuffix(".lock") {
      // Whoever can take a session's lock knows that the session's process is gone.
      guard try FileLock.attempt(folder.appending(name)) != nil else { continue }
      try FileSystem.removeTree(folder.appending(String(name.dropLast(5))))
      try FileSystem.removeFile(folder.appending(name))
    }
    // A session's lock file comes before its folder and goes after it, so a folder without one is nobody's.
    for name in try FileSystem.list(folder) where !name.hasSuffix(".lock") && !FileSystem.exists(folder.appending(name + ".lock")) {
      try FileSystem.removeTree(folder.appending(name))
    }
  }
}

/// This process's folder for unfinished work, marked as in use by a lock that dies with the process.
private final class Session: Sendable {
  let folder: FilePath
  private let lockPath: FilePath
  private let held: FileLock

  private init(folder: FilePath, lockPath: FilePath, held: consuming FileLock) {
    self.folder = folder
    self.lockPath = lockPath
    self.held = held
  }

  /// `guardian` keeps others from sweeping the session away between the making of its lock file and the locking.
  static func begin(in parent: FilePath, guardedBy guardian: FilePath) throws -> Session {
    let name = FileSystem.uniqueSuffix()
    let lockPath = parent.appending(name + ".lock")
    let sweepers = try FileLock(guardian)
    defer { withExtendedLifetime(sweepers) {} }
    let held = try FileLock(lockPath)
    try FileSystem.createDirectories(parent.appending(name))
    return Session(folder: parent.appending(name), lockPath: lockPath, held: held)
  }

  /// Removes the session at a normal end. A failure is of no consequence: the next command sweeps up.
  func discard() {
    if (try? FileSystem.removeTree(folder)) != nil { try? FileSystem.removeFile(lockPath) }
  }
}
