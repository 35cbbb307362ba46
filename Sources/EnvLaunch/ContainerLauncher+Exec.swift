/// Commands in a workspace that runs.
import ChildProcess
import EnvBundle
import EnvCore
import Glibc
import SafeFS
import SystemPackage

extension ContainerLauncher {
  /// Runs a command in the workspace `id` and waits for it.
  ///
  /// - Returns: how the command ended.
  /// - Throws: `LaunchError.notRunning`, and others when it could not be started; then `commandStatus` is the status to end with.
  public func exec(
    _ request: ExecRequest, in id: String, streams: ContainerStreams = .inherited
  ) throws(LaunchError) -> ExitStatus {
    try requireRoot()
    if request.terminal, isatty(STDIN_FILENO) == 0 { throw .notATerminal }
    return try launching("running a command in workspace \(id)") {
      let workspace = try workspace(id)
      let pid = try processToEnter(workspace)
      let files = layout.workspace(id)
      let name = "exec-" + FileSystem.uniqueSuffix()
      let (file, log) = (files.path.appending(name + ".json"), files.path.appending(name + ".log"))
      defer {
        try? FileSystem.removeFile(file)
        try? FileSystem.removeFile(log)
      }
      let process = try self.process(for: request, files: files, pid: pid)
      try RuntimeSelector.write(try CanonicalJSON.encode(process), to: file, mode: 0o600)
      let client = client(workspace.runtime)
      let limited = workspace.request.resources?.memory == nil ? nil : try ContainerCgroups(of: pid)
      let killsBefore = limited?.memoryKills ?? 0
      let status = try run(client.execCommand(id, process: file, log: log), streams: streams)
      tellMemoryKills((limited?.memoryKills ?? 0) - killsBefore, of: workspace.request.resources)
      try requireNoRuntimeError(status, client: client, action: "enter", container: id, log: log)
      return status
    }
  }

  /// Process 1 by the record, which needs no call of the runtime, or by the runtime when the record is behind.
  private func processToEnter(_ workspace: Workspace) throws -> Int32 {
    if let known = workspace.initProcess, known.handle != nil, client(workspace.runtime).knows(workspace.id) { return known.pid }
    guard let running = try runningProcess(of: workspace) else { throw LaunchError.notRunning(name: workspace.id) }
    return running.pid
  }

  private func process(for request: ExecRequest, files: ContainerFolder, pid: Int32) throws -> RuntimeSpec.Process {
    let config = try FileSystem.readFile(files.config, limit: 16 << 20)
    let spec = try CanonicalJSON.decode(RuntimeSpec.self, from: config, object: files.config.string)
    // The container's own view, with all that is mounted in it.
    let root = try ContainerRoot(FilePath("/proc/\(pid)/root"))
    let process = try spec.process.entering(request, users: request.user == nil ? nil : try root.users())
    try root.requireCommand(of: process)
    return process
  }

  private func run(_ command: Command, streams: ContainerStreams) throws -> ExitStatus {
    var command = command
    let relay = try SignalRelay()
    switch streams {
    case .inherited:
      command.standardInput = .inherit
      command.standardOutput = .inherit
      command.standardError = .inherit
      return try command.start().finish(relay: relay).status
    case .lines(let output, let errors):
      return try command.start().finish(output: .lines(output), errors: .lines(errors), relay: relay).status
    }
  }
}
