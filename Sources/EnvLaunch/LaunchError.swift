/// Why a container could not be started, entered or ended. A command that ran and failed is a result and not one of these.
import ChildProcess
import EnvCore
import SystemPackage

/// A failure of the launch floor.
public enum LaunchError: Diagnostic {
  case notRoot
  /// None of the OCI runtimes looked for is installed.
  case noRuntime(lookedFor: [String])
  /// Runtimes are installed and none can start a container here; one line for each.
  case noWorkingRuntime([String])
  /// The kernel refused a system call that a container needs.
  case systemCall(String, object: String, errno: Errno)
  /// The image has more layers than one overlay mount takes.
  case tooManyLayers(Int)
  /// The runtime could not do what it was asked; `message` is its own.
  case runtime(name: String, action: String, container: String, message: String)
  case commandNotFound(command: String, searched: String)
  case commandNotExecutable(command: String)
  /// A workspace needs a process that stays, and neither image nor host has one.
  case noPauseProgram
  case noWorkspace(name: String)
  case notRunning(name: String)
  /// The workspace exists and was made otherwise than is asked now.
  case workspaceDiffers(name: String, differences: [String])
  /// A record that a later version of envctl wrote.
  case newerRecord(file: String, schema: Int)
  /// A terminal was asked for and standard input is none.
  case notATerminal
  case missingMountSource(path: String)
  /// We were told to end while a command whose output is read was running; it has ended too.
  case interrupted(signal: Int32)
  /// The command was still running when its time was over; it has been ended.
  case deadlineExceeded(limit: Duration)
  /// Files and processes of lower floors.
  case underlying(doing: String, any Error & Sendable)

  public var summary: String {
    switch self {
    case .notRoot: "containers are started as root for now; rootless workspaces are not there yet"
    case .noRuntime(let names): "no OCI runtime is installed: looked for \(names.joined(separator: ", "))"
    case .noWorkingRuntime(let reasons): "no installed OCI runtime can start a container here: \(reasons.joined(separator: "; "))"
    case .systemCall(let call, let object, let errno): "\(call) for \(object) failed: \(errno)"
    case .tooManyLayers(let count): "the image has \(count) layers, more than one overlay mount takes"
    case .runtime(let name, let action, let container, let message): "\(name) could not \(action) \(container): \(message)"
    case .commandNotFound(let command, let searched): "command '\(command)' is not in the environment (looked in \(searched))"
    case .commandNotExecutable(let command): "'\(command)' in the environment is not an executable file"
    case .noPauseProgram: "the environment has no program that can keep a workspace alive"
    case .noWorkspace(let name): "there is no workspace '\(name)'"
    case .notRunning(let name): "workspace '\(name)' is not running"
    case .workspaceDiffers(let name, let differences):
      "workspace '\(name)' was made with another \(differences.joined(separator: " and another "))"
    case .newerRecord(let file, let schema): "\(file) has schema \(schema), which a later version of envctl wrote"
    case .notATerminal: "a terminal was asked for, but standard input is not one"
    case .missingMountSource(let path): "'\(path)', which is to be mounted in the container, does not exist"
    case .interrupted(let signal): "interrupted by signal \(signal)"
    case .deadlineExceeded(let limit): "the command did not end within \(limit.forPeople)"
    case .underlying(let doing, _): "failed while \(doing)"
    }
  }

  public var cause: (any Error)? {
    if case .underlying(_, let error) = self { return error }
    return nil
  }

  public var hint: String? {
    switch self {
    case .notRoot: "run the command as root, for example with sudo"
    case .noRuntime: "install one (apt install runc), or name one with ENVCTL_RUNTIME"
    case .noWorkingRuntime: "install another one (apt install runc), or name one with ENVCTL_RUNTIME"
    case .systemCall("mount overlay", _, .invalidArgument): "ENVCTL_HOME must lie on a file system that can hold an overlay's upper folder"
    case .systemCall(_, _, .notPermitted), .systemCall(_, _, .permissionDenied):
      "this machine does not let the current user make mounts; inside a container that takes a privileged one"
    case .noPauseProgram: "add catatonit to the image, or install it on the host: apt install catatonit"
    case .noWorkspace: "envctl ps lists the workspaces"
    case .notRunning: "envctl up starts it"
    case .workspaceDiffers: "envctl down removes it together with its changes; then run envctl up again"
    case .newerRecord: "use that version, or newer"
    case .notATerminal: "run it from a terminal, or leave the terminal option out"
    default: nil
    }
  }

  public var exitCode: ExitCode {
    switch self {
    case .notRoot, .noRuntime, .noWorkingRuntime, .systemCall, .noPauseProgram: .host
    case .notATerminal, .missingMountSource: .usage
    default: .failed
    }
  }

  /// The status `run` and `exec` end with when there was no command to take it from: 127 and 126 as in a shell, 128 + n after a signal.
  public var commandStatus: Int32 {
    switch self {
    case .commandNotFound: 127
    case .commandNotExecutable: 126
    case .interrupted(let signal): 128 + signal
    default: DiagnosticChain(self).exitCode.rawValue
    }
  }
}

/// Runs `body` and wraps what it throws, unless it is this module's already.
func launching<Value: ~Copyable>(_ doing: String, _ body: () throws -> Value) throws(LaunchError) -> Value {
  do {
    return try body()
  } catch let error as LaunchError {
    throw error
  } catch {
    throw .underlying(doing: doing, error)
  }
}
