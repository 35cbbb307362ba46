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
    // The time a command may take begins with the runtime; the reading of a large image is no part of it.
    if deadline != nil { try image.proof?.wait(telling: reporter) }
    let gate = try startGate(image, request)
    var start = ContainerStart(
      client: client, container: folder.id, files: folder.files, image: image, request: request, isWorkspace: false,
      lock: folder.runtimeLock.descriptor, reporter: reporter)
    // Of a container with limits the kernel's counters are wanted after its end, and a runtime in the foreground removes them with it.
    start.isDetached = request.resources != nil
    start.gate = gate
    // Beside the runtime's work the waiting for rmdir(2) costs nobody anything.
    let sweeper = EnvCore.Thread { [layout] in ThrowawayFolder.sweep(layout) }
    defer { sweeper.join() }
    let outcome = Result { try run(start, streams: streams, deadline: deadline) }
    try gate?.finish(outcome, of: client.runtime, log: folder.files.runtimeLog)
    tellMemoryKills(gate?.memoryKills ?? 0, of: request.resources)
    let status = try outcome.get()
    try requireNoRuntimeError(status, client: client, action: "run", container: folder.id, log: folder.files.runtimeLog)
    return status
  }

  /// The command from its start to its end.
  private func run(_ start: ContainerStart, streams: ContainerStreams, deadline: Duration?) throws -> ExitStatus {
    let started = StartedProcess(pidFile: start.files.pidFile, runtime: start.client.runtime, isFirst: true)
    if start.request.terminal { return try runOnTerminal(start, started) }
    if start.isDetached { try ChildProcess.adoptOrphans() }
    let isListening = { (signal: CInt) in start.gate?.isOpen ?? true && started.notices(signal) }
    let successor = start.isDetached ? { started.pid } : nil
    // Before the start, so that no signal kills us between the two.
    let relay = try SignalRelay { start.gate?.interrupt($0) }
    switch streams {
    case .inherited:
      let child = try start.start(input: .inherit, output: .inherit, errors: .inherit)
      return try child.finish(relay: relay, isListening: isListening, successor: successor).status
    case .lines(let output, let errors):
      let child = try start.start(input: .null, output: .pipe, errors: .pipe)
      let status: ExitStatus
      do throws(ProcessError) {
        status = try child.finish(
          output: .lines(output), errors: .lines(errors), deadline: deadline, relay: relay, isListening: isListening, successor: successor
        ).status
      } catch {
        throw error.ofCommand(relay)
      }
      // Whoever takes the output apart must not mistake half of it for the whole.
      if let signal = relay.interruptingSignal() { throw LaunchError.interrupted(signal: signal) }
      return status
    }
  }

  /// A throw-away container has nobody to look after it when its person leaves: there are no detach keys.
  private func runOnTerminal(_ start: ContainerStart, _ started: StartedProcess) throws -> ExitStatus {
    let terminal = try TerminalProcess.prepare(in: start.files.path, name: "console", process: started, gate: start.gate)
    let child = try start.start(input: .null, output: .null, errors: .null, console: terminal.socket)
    let status = try terminal.wait(for: child)
    guard status.isSuccess, case .ended(let ending) = try terminal.session(detachKeys: .none) else { return status }
    return ending
  }

  /// What holds a container back until it may start; nil when nothing does.
  func startGate(_ image: LaunchImage, _ request: LaunchRequest) throws(LaunchError) -> StartGate? {
    guard image.proof != nil || request.resources != nil else { return nil }
    return try StartGate(proof: image.proof, resources: request.resources, reporter: reporter)
  }

  /// The runtime's exit status is the command's, unless the runtime itself failed, which only its log tells.
  func requireNoRuntimeError(
    _ status: ExitStatus, client: RuntimeClient, action: String, container: String, log: FilePath
  ) throws(LaunchError) {
    guard !status.isSuccess, let message = RuntimeLog.errors(in: log).last else { return }
    try launching("asking \(client.runtime.name) to \(action) \(container)") { try FileSystem.requireRoom(in: layout.run) }
    throw .runtime(name: client.runtime.name, action: action, container: container, message: message)
  }
}
