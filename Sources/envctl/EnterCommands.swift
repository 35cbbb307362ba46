/// The commands that end as the command in the container does: exec, shell, run.
import ArgumentParser
import EnvBundle
import EnvCore
import EnvLaunch
import EnvReport

struct ExecCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "exec", abstract: "Run a command in the project's workspace; ends with the command's status.")
  @OptionGroup var common: CommonOptions
  @OptionGroup var options: WorkspaceOptions
  @OptionGroup var process: ProcessOptions
  @OptionGroup var terminal: TerminalOptions
  @OptionGroup var detach: DetachOptions

  @Argument(parsing: .captureForPassthrough, help: "The command and its arguments, after --.")
  var command: [String] = []

  func run() throws {
    if command.asksForHelp { throw CleanExit.helpRequest(self) }
    let request = try ExecRequest(try command.passedThrough(), process, terminal)
    let (id, keys) = (try options.id(), try detach.keys())
    let launcher = try common.launcher()
    throw Ending(status: try entering(id) { try launcher.exec(request, in: id, detachKeys: keys) })
  }
}

struct ShellCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "shell", abstract: "Open a shell in the project's workspace; ends with its status.",
    discussion: "It is the shell the user's account in the image names, else bash, else sh. Arguments after -- are the shell's.")
  @OptionGroup var common: CommonOptions
  @OptionGroup var options: WorkspaceOptions
  @OptionGroup var process: ProcessOptions
  @OptionGroup var terminal: TerminalOptions
  @OptionGroup var detach: DetachOptions

  @Argument(parsing: .postTerminator, help: "Arguments for the shell.")
  var arguments: [String] = []

  func run() throws {
    let request = try ExecRequest(arguments, process, terminal)
    let (id, keys) = (try options.id(), try detach.keys())
    let launcher = try common.launcher()
    throw Ending(status: try entering(id) { try launcher.shell(request, in: id, detachKeys: keys) })
  }
}

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run a command in a fresh, throw-away container of the project's environment; ends with its status.")
  @OptionGroup var common: CommonOptions
  @OptionGroup var options: ProjectOptions
  @OptionGroup var gpus: GPUOptions
  @OptionGroup(title: "Limits") var limits: ResourceOptions
  @OptionGroup var launch: LaunchOptions
  @OptionGroup var terminal: TerminalOptions

  @Argument(parsing: .captureForPassthrough, help: "The command and its arguments, after --.")
  var command: [String] = []

  func run() throws {
    if command.asksForHelp { throw CleanExit.helpRequest(self) }
    let gpu = try gpus.request
    var settings = try launch.settings()
    settings.variables = terminal.variables.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } + settings.variables
    let workbench = try options.workbench(common, isTerse: true, asRoot: true)
    let project = try options.project(workbench.catalog)
    settings.limits = try limits.request(over: project.resources)
    let command = try command.passedThrough()
    throw Ending(
      status: try endingAsShell {
        try workbench.run(project, gpu: gpu, command: command, terminal: terminal.isWanted, settings: settings)
      })
  }
}

extension ExecRequest {
  fileprivate init(_ command: [String], _ process: ProcessOptions, _ terminal: TerminalOptions) throws {
    self.init(command)
    user = process.user
    workingDirectory = process.workdir
    self.terminal = terminal.isWanted
    environment = terminal.variables
    for (name, value) in try process.allVariables() { environment[name] = value }
  }
}

/// Tells whoever leaves a terminal where the command went.
private func entering(_ id: String, _ body: () throws -> CommandEnding) throws -> Int32 {
  try endingAsShell {
    let ending = try body()
    if ending == .detached { Console.tell("left workspace \(id) with the command running; what it writes goes to `envctl logs`") }
    return ending.code
  }
}

/// A command that could not be started ends as in a shell: 127 when it is not there, 126 when it cannot be executed.
private func endingAsShell(_ body: () throws -> Int32) throws -> Int32 {
  do {
    return try body()
  } catch let error as LaunchError {
    Console.tell(ErrorText(error))
    return error.commandStatus
  }
}

extension [String] {
  /// What stands before `--` is for envctl, also where the parser takes it for the command.
  fileprivate var asksForHelp: Bool { first == "--help" || first == "-h" }

  /// The command after `--`, which the parser leaves in place.
  fileprivate func passedThrough() throws -> [String] {
    let command = first == "--" ? Array(dropFirst()) : self
    guard !command.isEmpty else { throw ValidationError("name a command after --, such as: -- python3 train.py") }
    return command
  }
}
