/// Processes of containers on a terminal of their own, which envctl joins to the one the person sits at.
import ChildProcess
import EnvBundle
import EnvCore
import Glibc
import SafeFS
import SystemPackage

/// How a command in a workspace ended for the person who called it.
public enum CommandEnding: Sendable, Hashable {
  case ended(ExitStatus)
  /// The person left its terminal; the command goes on.
  case detached

  /// The status to end with.
  public var code: Int32 {
    switch self {
    case .ended(let status): status.code
    case .detached: 0
    }
  }
}

extension RuntimeSpec.Process {
  /// Makes the terminal as large as ours from the beginning.
  mutating func takeWindowSize() {
    guard terminal, let size = WindowSize(of: .standardInput) else { return }
    consoleSize = RuntimeSpec.ConsoleSize(height: UInt(size.rows), width: UInt(size.columns))
  }
}

/// A process that a runtime starts on a pseudo-terminal and leaves to us.
struct TerminalProcess: ~Copyable {
  private let console: ConsoleSocket
  private let relay: SignalRelay
  private let process: StartedProcess

  /// For the runtime's command line.
  var socket: String { console.path }

  /// Made before the runtime is started.
  ///
  /// - Parameters:
  ///   - folder: Where the socket is made, as `name`.
  ///   - process: As the runtime will name it.
  ///   - gate: What it is held back by.
  static func prepare(in folder: FilePath, name: String, process: StartedProcess, gate: StartGate? = nil) throws -> TerminalProcess {
    try ChildProcess.adoptOrphans()
    let relay = try SignalRelay { gate?.interrupt($0) }
    return TerminalProcess(console: try ConsoleSocket(in: folder, name: name), relay: relay, process: process)
  }

  private init(console: consuming ConsoleSocket, relay: SignalRelay, process: StartedProcess) {
    self.console = console
    self.relay = relay
    self.process = process
  }

  /// Waits for a runtime, which ends when it has started the process. Signals that come meanwhile are for the process.
  func wait(for runtime: consuming ChildProcess) throws -> ExitStatus {
    try runtime.finish(relay: relay, successor: { nil }).status
  }

  /// Joins our terminal with that of the process a runtime has started.
  consuming func session(detachKeys: DetachKeys) throws -> SessionEnding {
    let runtime = process.runtime
    guard let pid = process.pid else {
      throw LaunchError.runtime(name: runtime.name, action: "start", container: "the process", message: "it left no process number")
    }
    let child = try ChildProcess(adopting: pid, executable: FilePath(runtime.path))
    let terminal = try console.receive(from: runtime.name)
    return TerminalSession(terminal, process: child, relay: relay, isListening: process.notices, detachKeys: detachKeys).run()
  }
}

/// Looks after the terminal of a command whose person has left: without a reader the command would be hung up, or stop at a full terminal.
enum AbandonedTerminal {
  /// What the command writes from now on is appended to `log`. The reader ends with the last process on the terminal.
  static func keep(_ terminal: consuming PseudoTerminal, log: FilePath) throws {
    let output = try OwnedDescriptor.open(log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, mode: 0o600)
    var reader = Command(try Executable.find("cat"), environment: [:])
    reader.standardInput = .descriptor(terminal.descriptor)
    reader.standardOutput = .descriptor(FileDescriptor(rawValue: output.rawValue))
    // It ends with an error, as every reader of a terminal that is gone.
    reader.standardError = .null
    reader.processGroup = .newSession
    try reader.start().release()
    _ = consume terminal
  }
}
