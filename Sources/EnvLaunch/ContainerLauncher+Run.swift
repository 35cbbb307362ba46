/// Throw-away containers: one command in a fresh copy of the environment, nothing left afterwards.
import ChildProcess
import EnvBundle
import EnvCore
import Glibc
import SafeFS
import SystemPackage

extension ContainerLauncher {
  /// Runs one command in a fresh container and waits for it. What it changes outside its mounts is gone afterwards.
  ///
  /// - Parameter deadline: With streams of `.lines`: after this time the command is ended.
  /// - Returns: how the command ended.
  /// - Throws: `LaunchError.deadlineExceeded`; another `LaunchError` when it could not be started; then `commandStatus` is the status to end with.
  public func run(
    _ request: LaunchRequest, image: LaunchImage, streams: ContainerStreams = .inherited, deadline: Duration? = nil
  ) throws(LaunchError) -> ExitStatus {
    try requireRoot()
    try requireEnforceable(request.resources)
    if request.terminal, isatty(STDIN_FILENO) == 0 { throw .notATerminal }
    return try launching("running a command in \(request.hostname)") {
      let client = client(try selectRuntime())
      try removeAbandoned()
      let folder = try ThrowawayFolder.create(in: layout, runtime: client.runtime)
      let outcome = Result { try run(request, image: image, in: folder, client: client, streams: streams, deadline: deadline) }
      do {
        try folder.remove(client, layout: layout)
      } catch {
        // The command's own ending is what its user waits for; the next command removes what is left.
        reporter.warned("\(folder.files.path) could not be removed: \(error)")
      }
      return try outcome.get()
    }
  }

  /// Puts right what a killed envctl left of throw-away containers and of removed workspaces.
  public func removeAbandoned() throws(LaunchError) {
    layout.removeWorkspacesAside()
    try launching("removing what an interrupted run left") { try ThrowawayFolder.removeAbandoned(in: layout) }
  }

  private func run(
    _ request: LaunchRequest, image: LaunchImage, in folder: ThrowawayFolder, client: RuntimeClient, streams: ContainerStreams,
    deadline: Duration?
  ) throws -> ExitStatus {
    let watch = request.resources.map { LimitWatch(client, folder.id, $0) }
    var start = ContainerStart(
      client: client, container: folder.id, files: folder.files, image: image, request: request, isWorkspace: false,
      lock: folder.runtimeLock.descriptor, reporter: reporter)
    start.keepsEnded = watch != nil && client.canKeepEnded && !request.terminal
    // Beside the runtime's work the waiting for rmdir(2) costs nobody anything.
    let sweeper = EnvCore.Thread { [layout] in ThrowawayFolder.sweep(layout) }
    defer { sweeper.join() }
    let watcher = watch.map { watch in EnvCore.Thread { watch.watch() } }
    defer {
      _ = try? watch?.finish()
      watcher?.join()
    }
    let started = StartedProcess(pidFile: folder.files.pidFile, runtime: client.runtime, isFirst: true)
    if request.terminal {
      let status = try runOnTerminal(start, started, folder)
      if let watch { tellMemoryKills(try watch.finish(), of: request.resources) }
      return status
    }
    // Before the start, so that no signal kills us between the two.
    let relay = try SignalRelay()
    let child: ChildProcess
    let status: ExitStatus
    switch streams {
    case .inherited:
      child = try start.start(input: .inherit, output: .inherit, errors: .inherit)
      status = try child.finish(relay: relay, isListening: started.notices).status
    case .lines(let output, let errors):
      child = try start.start(input: .null, output: .pipe, errors: .pipe)
      do throws(ProcessError) {
        status = try child.finish(
          output: .lines(output), errors: .lines(errors), deadline: deadline, relay: relay, isListening: started.notices
        ).status
      } catch {
        guard case .deadlineExceeded(_, let limit) = error else { throw error }
        throw LaunchError.deadlineExceeded(limit: limit)
      }
      // Whoever takes the output apart must not mistake half of it for the whole.
      if let signal = relay.interruptingSignal() { throw LaunchError.interrupted(signal: signal) }
    }
    if let watch { tellMemoryKills(try watch.finish(), of: request.resources) }
    try requireNoRuntimeError(status, client: client, action: "run", container: folder.id, log: folder.files.runtimeLog)
    return status
  }

  /// A throw-away container has nobody to look after it when its person leaves: there are no detach keys.
  private func runOnTerminal(_ start: ContainerStart, _ started: StartedProcess, _ folder: ThrowawayFolder) throws -> ExitStatus {
    let terminal = try TerminalProcess.prepare(in: folder.files.path, name: "console", process: started)
    let status = try start.start(input: .null, output: .null, errors: .null, console: terminal.socket).finish().status
    try requireNoRuntimeError(status, client: start.client, action: "run", container: folder.id, log: folder.files.runtimeLog)
    guard status.isSuccess, case .ended(let ending) = try terminal.session(detachKeys: .none) else { return status }
    return ending
  }

  /// The runtime's exit status is the command's, unless the runtime itself failed, which only its log tells.
  func requireNoRuntimeError(
    _ status: ExitStatus, client: RuntimeClient, action: String, container: String, log: FilePath
  ) throws(LaunchError) {
    guard !status.isSuccess, let message = RuntimeLog.errors(in: log).last else { return }
    throw .runtime(name: client.runtime.name, action: action, container: container, message: message)
  }
}
