/// Workspaces: started once, found again, looked at. Ending them is in `ContainerLauncher+Stop.swift`.
import ChildProcess
import EnvBundle
import EnvCore
import Glibc
import SafeFS
import SystemPackage

extension ContainerLauncher {
  /// Starts the workspace of a project, or finds it running. Of several calls at once, one starts it and the others find it.
  ///
  /// A stopped workspace comes back with the changes made in it. One that was made with other settings is ended and started anew with
  /// the new ones, its changes kept as long as the image is the same: files that were changed over one image fit no other.
  /// - Parameter discardingChanges: The workspace starts as the image has it, whatever was changed in it.
  /// - Throws: `LaunchError.workspaceDiffers` when it holds changes over another image.
  public func start(_ request: WorkspaceRequest, discardingChanges: Bool = false) throws(LaunchError) -> WorkspaceStart {
    try requireRoot()
    try requireEnforceable(request.launch.resources)
    let id = request.id
    return try launching("starting workspace \(id)") {
      try removeAbandoned()
      return try withWorkspaceLocked(id) { lock in try startLocked(id, request, discarding: discardingChanges, lock: lock) }
    }
  }

  private func startLocked(
    _ id: String, _ request: WorkspaceRequest, discarding: Bool, lock: FileDescriptor
  ) throws -> WorkspaceStart {
    var known = try layout.readWorkspace(id)
    let changes = known?.changes(to: request) ?? []
    if let former = known {
      if changes.isEmpty, !discarding, let (pid, isPaused) = try runningProcess(of: former) {
        // Whoever froze it had a reason, which an `up` in the morning does not know.
        if isPaused { throw pausedError(former) }
        tellLostDevices(of: former, pid: pid, try ContainerCgroups(of: pid))
        return WorkspaceStart(workspace: try remember(pid, in: former), wasStarted: false, changes: [])
      }
      let mustDiscard = former.image.digest != request.image.digest
      // What cannot be compared, because the old image is gone, may hold anything.
      if mustDiscard, !discarding, (try? self.changes(in: former))?.isEmpty != true {
        throw LaunchError.workspaceDiffers(name: id, changes: changes)
      }
      // What runs, and what was changed in it, is given up for an environment that is whole only.
      try request.image.proof?.wait(telling: reporter)
      for change in changes { reporter.warned("workspace \(id) is started anew: \(change)") }
      _ = try end(former, grace: .seconds(10))
      if mustDiscard || discarding {
        try layout.removeWorkspace(id)
        known = nil
      }
    }
    let runtime = try selectRuntime()
    try client(runtime).delete(id)
    try layout.removeExecFiles(id)
    let workspace = Workspace(
      schema: Workspace.currentSchema, id: id, name: request.name, folder: request.folder.string, environment: request.environment,
      image: request.image, request: request.launch, runtime: runtime, created: known?.created ?? Int64(time(nil)))
    do {
      return WorkspaceStart(workspace: try start(workspace, lock: lock), wasStarted: true, changes: changes)
    } catch {
      // One that never ran holds nothing of value, and would only stand in the way of the next try.
      if known == nil { try? layout.removeWorkspace(id) }
      throw error
    }
  }

  /// All workspaces with their true states.
  public func list() throws(LaunchError) -> [WorkspaceStatus] {
    try launching("listing the workspaces") {
      try removeAbandoned()
      return try layout.workspaceIDs().compactMap { try layout.readWorkspace($0) }.map(status)
    }
  }

  /// The ids of all workspaces.
  public func workspaceIDs() throws(LaunchError) -> [String] {
    try launching("listing the workspaces") { try layout.workspaceIDs() }
  }

  /// The workspace `id` with its true state.
  public func state(of id: String) throws(LaunchError) -> WorkspaceStatus {
    try launching("looking at workspace \(id)") { try status(of: workspace(id)) }
  }

  func workspace(_ id: String) throws(LaunchError) -> Workspace {
    let found = try launching("reading workspace \(id)") { try layout.readWorkspace(id) }
    guard let found else { throw .noWorkspace(name: id) }
    return found
  }

  /// One command at a time works on a workspace; a runtime that envctl left orphaned holds the lock too until it is done.
  func withWorkspaceLocked<Value>(_ id: String, _ body: (FileDescriptor) throws -> Value) throws -> Value {
    try FileSystem.createDirectories(layout.locks, mode: 0o700)
    if let lock = try FileLock.attempt(layout.lock(id)) { return try body(lock.descriptor) }
    reporter.warned("workspace \(id) is being worked on by another command; waiting for that")
    let lock = try FileLock(layout.lock(id))
    return try body(lock.descriptor)
  }

  func pausedError(_ workspace: Workspace) -> LaunchError {
    let client = client(workspace.runtime)
    return .paused(name: workspace.id, resume: "\(client.runtime.path) --root \(client.stateFolder) resume \(workspace.id)")
  }

  /// Process 1 of a workspace and whether it is paused; nil when it does not run.
  func runningProcess(of workspace: Workspace) throws -> (pid: Int32, isPaused: Bool)? {
    guard let state = try client(workspace.runtime).state(of: workspace.id), let pid = state.pid else { return nil }
    guard state.status == .running || state.status == .paused else { return nil }
    // The record's process is older knowledge; when the numbers agree, the start times must as well.
    if let known = workspace.initProcess, known.pid == pid, known.handle == nil { return nil }
    return (pid, state.status == .paused)
  }

  private func status(of workspace: Workspace) throws -> WorkspaceStatus {
    guard let process = try runningProcess(of: workspace) else {
      return WorkspaceStatus(workspace: workspace, state: .stopped, pid: nil)
    }
    return WorkspaceStatus(workspace: workspace, state: process.isPaused ? .paused : .running, pid: process.pid)
  }

  private func start(_ workspace: Workspace, lock: FileDescriptor) throws -> Workspace {
    let files = layout.workspace(workspace.id)
    // The record comes first: whatever happens from here on, `list` and `stop` know of it.
    try layout.writeWorkspace(workspace)
    let client = client(workspace.runtime)
    let log = try OwnedDescriptor.open(files.log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, mode: 0o600)
    var start = ContainerStart(
      client: client, container: workspace.id, files: files, image: workspace.image, request: workspace.request, isWorkspace: true,
      lock: lock, reporter: reporter)
    let logStream = StandardStream.descriptor(FileDescriptor(rawValue: log.rawValue))
    let gate = try startGate(workspace.image, workspace.request)
    start.gate = gate
    let outcome = Result { try start.start(input: .null, output: logStream, errors: logStream).finish().status }
    do {
      try gate?.finish(outcome, of: client.runtime, log: files.runtimeLog)
    } catch {
      try client.delete(workspace.id)
      throw error
    }
    let status = try outcome.get()
    guard status.isSuccess else {
      let room = Result { try FileSystem.requireRoom(in: layout.run) }
      try client.delete(workspace.id)
      try room.get()
      let message = RuntimeLog.errors(in: files.runtimeLog).last ?? "it ended with \(status)"
      throw LaunchError.runtime(name: workspace.runtime.name, action: "start", container: workspace.id, message: message)
    }
    let text = String(decoding: try FileSystem.readFile(files.pidFile, limit: 64), as: UTF8.self)
    guard let pid = Int32(text) else { return workspace }
    return try remember(pid, in: workspace)
  }

  /// The record with process 1 as it is now, written when that is news.
  private func remember(_ pid: Int32, in workspace: Workspace) throws -> Workspace {
    let identity = Workspace.ProcessIdentity(pid: pid)
    guard workspace.initProcess != identity else { return workspace }
    var workspace = workspace
    workspace.initProcess = identity
    try layout.writeWorkspace(workspace)
    return workspace
  }
}
