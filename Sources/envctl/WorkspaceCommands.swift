/// The commands that work on workspaces that are there: ps, exec, logs, down.
import ArgumentParser
import EnvBundle
import EnvCore
import EnvLaunch
import EnvReport
import Glibc
import SafeFS

/// A workspace for machines.
struct WorkspaceDocument: Encodable {
  var id: String
  var folder: String
  var environment: String
  var image: Digest
  var state: WorkspaceStatus.State
  var pid: Int32?
  var runtime: String
  /// Seconds since the epoch.
  var created: Int64

  init(_ status: WorkspaceStatus) {
    id = status.workspace.id
    folder = status.workspace.folder
    environment = status.workspace.environment
    image = status.workspace.image.digest
    state = status.state
    pid = status.pid
    runtime = status.workspace.runtime.name
    created = status.workspace.created
  }
}

struct PsCommand: ReportingCommand {
  static let configuration = CommandConfiguration(commandName: "ps", abstract: "List the workspaces and whether they run.")
  @OptionGroup var common: CommonOptions

  func run() throws {
    let list = try common.launcher().list()
    guard common.format == .text else { return try Console.printJSON(list.map(WorkspaceDocument.init)) }
    let rows =
      [["WORKSPACE", "STATE", "ENVIRONMENT", "FOLDER"]]
      + list.map { [$0.workspace.id, $0.state.rawValue, $0.workspace.environment, $0.workspace.folder] }
    let widths = (0..<4).map { column in rows.map { $0[column].count }.max() ?? 0 }
    for row in rows {
      let cells = zip(row, widths).map { cell, width in cell + String(repeating: " ", count: width - cell.count) }
      try Console.printResult(cells.joined(separator: "  ").trimmingTrailingSpaces)
    }
  }
}

struct ExecCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "exec", abstract: "Run a command in the project's workspace; ends with the command's status.")
  @OptionGroup var common: CommonOptions
  @OptionGroup var options: WorkspaceOptions

  @Option(name: .customLong("env"), help: "A variable for the command: NAME=VALUE.")
  var variables: [VariableOption] = []

  @Option(help: "The user the command runs as.")
  var user: String?

  @Argument(parsing: .captureForPassthrough, help: "The command and its arguments, after --.")
  var command: [String] = []

  func run() throws {
    if command.asksForHelp { throw CleanExit.helpRequest(self) }
    var request = ExecRequest(try command.passedThrough())
    request.user = user
    request.terminal = Terminal.isInteractive
    for variable in variables { request.environment[variable.name] = variable.value }
    let id = try options.id()
    throw Ending(status: try endingAsShell { try common.launcher().exec(request, in: id).code })
  }
}

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run a command in a fresh, throw-away container of the project's environment; ends with its status.")
  @OptionGroup var common: CommonOptions
  @OptionGroup var options: ProjectOptions
  @OptionGroup var gpus: GPUOptions
  @OptionGroup(title: "Limits") var limits: ResourceOptions

  @Option(name: .customLong("env"), help: "A variable for the command: NAME=VALUE.")
  var variables: [VariableOption] = []

  @Argument(parsing: .captureForPassthrough, help: "The command and its arguments, after --.")
  var command: [String] = []

  func run() throws {
    if command.asksForHelp { throw CleanExit.helpRequest(self) }
    let gpu = try gpus.request
    let workbench = try options.workbench(common, isTerse: true, asRoot: true)
    let project = try options.project(workbench.catalog)
    let limits = try limits.request(over: project.resources)
    let command = try command.passedThrough()
    let variables = variables.map { ($0.name, $0.value) }
    throw Ending(
      status: try endingAsShell {
        try workbench.run(
          project, gpu: gpu, limits: limits, command: command, terminal: Terminal.isInteractive, variables: variables)
      })
  }
}

struct LogsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "logs", abstract: "Print what the workspace's first process wrote.")
  @OptionGroup var common: CommonOptions
  @OptionGroup var options: WorkspaceOptions

  func run() throws {
    let path = try common.launcher().logFile(of: try options.id())
    try OwnedDescriptor.read(path).forEachChunk { try Console.printBytes($0) }
  }
}

struct DownCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "down", abstract: "Stop the project's workspace and remove it with the changes made in it; the image stays.")
  @OptionGroup var common: CommonOptions
  @OptionGroup var options: WorkspaceOptions

  @Option(help: "Seconds the processes get to end by themselves.")
  var grace = 10

  func run() throws {
    let id = try options.id()
    try common.launcher().remove(id, grace: .seconds(grace))
    try Console.printResult("workspace \(id): removed")
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

enum Terminal {
  /// A person sits at both ends.
  static var isInteractive: Bool { isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 }
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

extension String {
  fileprivate var trimmingTrailingSpaces: String { String(reversed().drop { $0 == " " }.reversed()) }
}
