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
  /// A stopped workspace comes back with the changes made in it.
  /// - Returns: the workspace, and whether this call started it.
  /// - Throws: `LaunchError.workspaceDiffers` when it was made of another image or with other settings.
  public func start(_ request: WorkspaceRequest) throws(LaunchError) -> (workspace: Workspace, wasStarted: Bool) {
    try requireRoot()
    try requireEnforceable(request.launch.resources)
    let id = Workspace.id(forFolder: request.folder)
    return try launching("starting workspace \(id)") {
      try removeAbandoned()
      return try withWorkspaceLocked(id) { lock in try startLocked(id, request, lock: lock) }
    }
  }

  private func startLocked(
    _ id: String, _ request: WorkspaceRequest, lock: FileDescriptor
  ) throws -> (workspace: Workspace, wasStarted: Bool) {
    let known = try layout.readWorkspace(id)
    if let known {
      try requireSame(known, request)
      if let pid = try runningProcess(of: known)?.pid { return (try remember(pid, in: known), false) }
      try client(known.runtime).delete(id)
    }
    let runtime = try selectRuntime()
    try client(runtime).delete(id)
    try layout.removeExecFiles(id)
    let workspace = Workspace(
      schema: Workspace.currentSchema, id: id, folder: request.folder.string, environment: request.environment, image: request.image,
      request: request.launch, runtime: runtime, created: known?.created ?? Int64(time(nil)))
    do {
      return (try start(workspace, lock: lock), true)
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

  /// The workspace `id` with its true state.
  public func state(of id: String) throws(LaunchError) -> WorkspaceStatus {
    try launching("looking at workspace \(id)") { try status(of: workspace(id)) }
  }

  /// The file that what process 1 of the workspace writes is appended to.
  public func logFile(of id: String) throws(LaunchError) -> FilePath {
    layout.workspace(try workspace(id).id).log
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
    let start = ContainerStart(
      client: client, container: workspace.id, files: files, image: workspace.image, request: workspace.request, isWorkspace: true,
      lock: lock)
    let logStream = StandardStream.descriptor(FileDescriptor(rawValue: log.rawValue))
    let status = try start.start(input: .null, output: logStream, errors: logStream).finish().status
    guard status.isSuccess else {
      try client.delete(workspace.id)
      let message = RuntimeLog.errors(in: files.runtimeLog).last ?? "it ended with \(status)"
      throw LaunchError.runtime(name: workspace.runtime.name, action: "start", container: workspace.id, message: message)
    }
    let text = String(decoding: try FileSystem.readFile(files.pidFile, limit: 64), as: UTF8.self)
    guard let pid = Int32(text) else { return workspace }
    if let resources = workspace.request.resources {
      do {
        try ContainerCgroups(of: pid).require(resources)
      } catch {
        try client.delete(workspace.id)
        throw error
      }
    }
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

  /// The device nodes' places. Numbers and libraries change with the driver and are read anew at every start.
  private func devices(of request: LaunchRequest) -> Set<String> { Set(request.devices?.edits.deviceNodes.map(\.path) ?? []) }

  private func requireSame(_ known: Workspace, _ request: WorkspaceRequest) throws(LaunchError) {
    let differences = [
      known.environment == request.environment ? nil : "environment (\(known.environment))",
      known.image.digest == request.image.digest ? nil : "image (\(known.image.digest.short))",
      known.request.mounts == request.launch.mounts ? nil : "set of mounts",
      known.request.environment == request.launch.environment ? nil : "set of variables",
      known.request.command == request.launch.command ? nil : "command",
      known.request.resources == request.launch.resources ? nil : "set of limits",
      devices(of: known.request) == devices(of: request.launch) ? nil : "set of devices",
    ].compactMap { $0 }
    guard differences.isEmpty else { throw .workspaceDiffers(name: known.id, differences: differences) }
  }
}
