/// Why a container could not be started, entered or ended. A command that ran and failed is a result and not one of these.
import ChildProcess
import EnvCore
import SystemPackage

/// A failure of the launch floor.
public enum LaunchError: Diagnostic {
  /// Neither root nor root of a user namespace.
  case notRoot
  /// An ordinary user cannot be made root of a user namespace here.
  case rootless(RootlessProblem)
  /// None of the OCI runtimes looked for is installed.
  case noRuntime(lookedFor: [String])
  /// Runtimes are installed and none can start a container here; one line for each.
  case noWorkingRuntime([String])
  /// The kernel refused a system call that a container needs.
  case systemCall(String, object: String, errno: Errno)
  /// Neither the kernel nor fuse-overlayfs makes a root filesystem for an ordinary user.
  case overlayRefused(String, Errno, inUserSpace: UserSpaceOverlayProblem)
  /// The image has more layers than one overlay mount takes.
  case tooManyLayers(Int)
  /// The runtime could not do what it was asked; `message` is its own.
  case runtime(name: String, action: String, container: String, message: String)
  case commandNotFound(command: String, searched: String)
  case commandNotExecutable(command: String)
  /// The runtime came to an end of its own without calling the hook that holds a program back until its image is proven.
  case ignoredHook(runtime: String, status: ExitStatus)
  /// A workspace needs a process that stays, and neither image nor host has one.
  case noPauseProgram
  case noWorkspace(name: String)
  case notRunning(name: String)
  /// The workspace's processes are frozen, which envctl does not do; `resume` is the command that lets them go on.
  case paused(name: String, resume: String)
  /// The workspace runs, and what is asked is for one that does not.
  case stillRunning(name: String)
  /// The workspace holds changes over another image than is asked for now.
  case workspaceDiffers(name: String, changes: [SettingChange])
  /// A path that is to be copied, or into which, is not there.
  case noSuchPath(String)
  /// What is at a path cannot be copied, or cannot take what is copied; `reason` says why.
  case notCopyable(path: String, reason: String)
  /// A path of a stopped workspace below a folder of the host.
  case mountedPath(String, mount: String, source: String)
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
    case .notRoot: "containers are started by root, or by root of a user namespace"
    case .rootless(let problem): problem.summary
    case .noRuntime(let names): "no OCI runtime is installed: looked for \(names.joined(separator: ", "))"
    case .noWorkingRuntime(let reasons): "no installed OCI runtime can start a container here: \(reasons.joined(separator: "; "))"
    case .systemCall(let call, let object, let errno): "\(call) for \(object) failed: \(errno)"
    case .overlayRefused(let target, let errno, let problem):
      "the kernel makes no overlay for an ordinary user at \(target) (\(errno)), and \(problem.summary)"
    case .tooManyLayers(let count): "the image has \(count) layers, more than one overlay mount takes"
    case .runtime(let name, let action, let container, let message): "\(name) could not \(action) \(container): \(message)"
    case .commandNotFound(let command, let searched): "command '\(command)' is not in the environment (looked in \(searched))"
    case .commandNotExecutable(let command): "'\(command)' in the environment is not an executable file"
    case .ignoredHook(let runtime, let status):
      "\(runtime) ended with \(status) and never called the hook that waits for the proof of the image"
    case .noPauseProgram: "the environment has no program that can keep a workspace alive"
    case .noWorkspace(let name): "there is no workspace '\(name)'"
    case .notRunning(let name): "workspace '\(name)' is not running"
    case .paused(let name, _): "workspace '\(name)' is paused: its processes are frozen, and would freeze any that joins them"
    case .stillRunning(let name): "workspace '\(name)' is running"
    case .workspaceDiffers(let name, let changes):
      "workspace '\(name)' holds changes made over another image, which fit no other: "
        + changes.map(\.description).joined(separator: "; ")
    case .noSuchPath(let path): "there is no '\(path)'"
    case .notCopyable(let path, let reason): "'\(path)' \(reason)"
    case .mountedPath(let path, let mount, _):
      "'\(path)' lies in \(mount), which is a folder of the host and not there while the workspace is stopped"
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
    case .rootless(let problem): problem.hint
    case .noRuntime: "install one (apt install runc), or name one with ENVCTL_RUNTIME"
    case .ignoredHook: "choose another runtime (apt install runc) with ENVCTL_RUNTIME"
    case .noWorkingRuntime: "install another one (apt install runc), or name one with ENVCTL_RUNTIME"
    case .overlayRefused(_, _, let problem): problem.hint
    case .systemCall("mount overlay", _, .invalidArgument): "ENVCTL_HOME must lie on a file system that can hold an overlay's upper folder"
    case .systemCall(_, _, .notPermitted), .systemCall(_, _, .permissionDenied):
      "this machine does not let the current user make mounts; inside a container that takes a privileged one"
    case .noPauseProgram: "add catatonit to the image, or install it on the host: apt install catatonit"
    case .noWorkspace: "envctl ps lists the workspaces"
    case .notRunning: "envctl up starts it"
    case .paused(_, let resume): "`\(resume)` lets them go on; `envctl stop` ends them"
    case .stillRunning: "envctl down ends and removes it; envctl stop ends it only"
    case .workspaceDiffers:
      "`envctl diff` lists the changes and `envctl cp` takes them out; `envctl up --recreate` starts anew without them"
    case .mountedPath(_, _, let source): "it is '\(source)' on the host"
    case .newerRecord: "use that version, or newer"
    case .notATerminal: "run it from a terminal, or leave the terminal option out"
    default: nil
    }
  }

  public var exitCode: ExitCode {
    switch self {
    case .notRoot, .rootless, .noRuntime, .noWorkingRuntime, .systemCall, .overlayRefused, .noPauseProgram, .ignoredHook: .host
    case .notATerminal, .missingMountSource, .mountedPath: .usage
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

extension ProcessError {
  /// As this floor tells it of a command in a container. One that did not end for whoever interrupted it is no silent one.
  func ofCommand(_ relay: SignalRelay) -> any Error {
    if let signal = relay.interruptingSignal() { return LaunchError.interrupted(signal: signal) }
    return if case .deadlineExceeded(_, let limit) = self { LaunchError.deadlineExceeded(limit: limit) } else { self }
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
