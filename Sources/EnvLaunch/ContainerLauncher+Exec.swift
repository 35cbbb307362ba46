/// Commands in a workspace that runs.
import ChildProcess
import EnvBundle
import EnvCore
import Glibc
import SafeFS
import SystemPackage

extension ContainerLauncher {
  /// Runs a command in the workspace `id` and waits for it, or until its person leaves its terminal.
  ///
  /// What a command that was left writes goes to the workspace's log.
  /// - Parameter deadline: With streams of `.lines`: after this time the command is ended, or given up where the kernel does not end it.
  /// - Returns: how the command ended.
  /// - Throws: `LaunchError.notRunning`, `.paused`, `.deadlineExceeded`, and others when it could not be started; then `commandStatus` is
  ///   the status to end with. With streams of `.lines` also `.interrupted`.
  public func exec(
    _ request: ExecRequest, in id: String, streams: ContainerStreams = .inherited, detachKeys: DetachKeys = .standard,
    deadline: Duration? = nil
  ) throws(LaunchError) -> CommandEnding {
    try enter(id, streams: streams, detachKeys: detachKeys, deadline: deadline) { _, _ in request }
  }

  /// Opens a shell in the workspace `id`: the one its user's account names, else bash, else sh.
  ///
  /// - Parameter request: Its command counts as the shell's arguments.
  public func shell(_ request: ExecRequest, in id: String, detachKeys: DetachKeys = .standard) throws(LaunchError) -> CommandEnding {
    try enter(id, streams: .inherited, detachKeys: detachKeys) { root, spec in
      var request = request
      let users = try root.users()
      let uid = try request.user.map { try users.resolve($0).user.uid } ?? spec.process.user.uid
      request.command = [try root.shell(named: users.shell(ofUser: uid))] + request.command
      return request
    }
  }

  private func enter(
    _ id: String, streams: ContainerStreams, detachKeys: DetachKeys, deadline: Duration? = nil,
    _ request: (borrowing ContainerRoot, RuntimeSpec) throws -> ExecRequest
  ) throws(LaunchError) -> CommandEnding {
    try requireRoot()
    return try launching("running a command in workspace \(id)") {
      let workspace = try workspace(id)
      let pid = try processToEnter(workspace)
      let cgroups = try ContainerCgroups(of: pid)
      // A process that enters a frozen cgroup is frozen with it, and whoever waits for it waits for good.
      if cgroups.isFrozen { throw pausedError(workspace) }
      tellLostDevices(of: workspace, pid: pid, cgroups)
      let files = ExecFiles(layout.workspace(id))
      defer { files.remove() }
      let process = try self.process(for: request, files: layout.workspace(id), pid: pid)
      if process.terminal, isatty(STDIN_FILENO) == 0 { throw LaunchError.notATerminal }
      try RuntimeSelector.write(try CanonicalJSON.encode(process), to: files.process, mode: 0o600)
      CgroupGracePeriod.begin()
      let limited = workspace.request.resources?.memory == nil ? nil : cgroups
      let killsBefore = limited?.memoryKills ?? 0
      let ending: CommandEnding =
        process.terminal
        ? try runOnTerminal(in: workspace, files: files, detachKeys: detachKeys)
        : .ended(try run(in: workspace, files: files, streams: streams, deadline: deadline))
      tellMemoryKills((limited?.memoryKills ?? 0) - killsBefore, of: workspace.request.resources)
      return ending
    }
  }

  /// Process 1 by the record, which needs no call of the runtime, or by the runtime when the record is behind.
  func processToEnter(_ workspace: Workspace) throws -> Int32 {
    if let known = workspace.initProcess, known.handle != nil, client(workspace.runtime).knows(workspace.id) { return known.pid }
    guard let running = try runningProcess(of: workspace) else { throw LaunchError.notRunning(name: workspace.id) }
    return running.pid
  }

  private func process(
    for request: (borrowing ContainerRoot, RuntimeSpec) throws -> ExecRequest, files: ContainerFolder, pid: Int32
  ) throws -> RuntimeSpec.Process {
    let config = try FileSystem.readFile(files.config, limit: 16 << 20)
    let spec = try CanonicalJSON.decode(RuntimeSpec.self, from: config, object: files.config.string)
    // The container's own view, with all that is mounted in it.
    let root = try ContainerRoot(FilePath("/proc/\(pid)/root"))
    let request = try request(root, spec)
    var process = try spec.process.entering(request, users: request.user == nil ? nil : try root.users())
    process.takeWindowSize()
    try root.requireCommand(of: process)
    return process
  }

  private func run(in workspace: Workspace, files: ExecFiles, streams: ContainerStreams, deadline: Duration?) throws -> ExitStatus {
    let client = client(workspace.runtime)
    var command = client.execCommand(workspace.id, process: files.process, pidFile: files.pid, log: files.log)
    let relay = try SignalRelay()
    let started = StartedProcess(pidFile: files.pid, runtime: client.runtime, isFirst: false)
    let status: ExitStatus
    switch streams {
    case .inherited:
      command.standardInput = .inherit
      command.standardOutput = .inherit
      command.standardError = .inherit
      status = try command.start().finish(relay: relay, isListening: started.notices).status
    case .lines(let output, let errors):
      do throws(ProcessError) {
        status = try command.start().finish(
          output: .lines(output), errors: .lines(errors), deadline: deadline, relay: relay, isListening: started.notices
        ).status
      } catch {
        throw error.ofCommand(relay)
      }
      // Whoever takes the output apart must not mistake half of it for the whole.
      if let signal = relay.interruptingSignal() { throw LaunchError.interrupted(signal: signal) }
    }
    try requireNoRuntimeError(status, client: client, action: "enter", container: workspace.id, log: files.log)
    return status
  }

  private func runOnTerminal(in workspace: Workspace, files: ExecFiles, detachKeys: DetachKeys) throws -> CommandEnding {
    let client = client(workspace.runtime)
    let started = StartedProcess(pidFile: files.pid, runtime: client.runtime, isFirst: false)
    let terminal = try TerminalProcess.prepare(in: files.folder, name: files.consoleName, process: started)
    let command = client.execCommand(
      workspace.id, process: files.process, console: terminal.socket, pidFile: files.pid, log: files.log)
    let start = try command.run()
    try requireNoRuntimeError(start.status, client: client, action: "enter", container: workspace.id, log: files.log)
    guard start.status.isSuccess else {
      throw LaunchError.runtime(name: client.runtime.name, action: "enter", container: workspace.id, message: start.errorText)
    }
    switch try terminal.session(detachKeys: detachKeys) {
    case .ended(let status): return .ended(status)
    case .detached(let left):
      try AbandonedTerminal.keep(left, log: layout.workspace(workspace.id).log)
      return .detached
    }
  }
}

/// The files of one `exec`, in the workspace's folder.
private struct ExecFiles {
  let folder: FilePath
  private let name = "exec-" + FileSystem.uniqueSuffix()

  init(_ workspace: ContainerFolder) { folder = workspace.path }

  var process: FilePath { folder.appending(name + ".json") }
  var log: FilePath { folder.appending(name + ".log") }
  var pid: FilePath { folder.appending(name + ".pid") }
  /// Of the socket, which removes itself.
  var consoleName: String { name + ".console" }

  func remove() { for file in [process, log, pid] { try? FileSystem.removeFile(file) } }
}
