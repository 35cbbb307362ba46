/// The commands that look after workspaces: ps, logs, stop, down, rm.
import ArgumentParser
import EnvCore
import EnvLaunch

/// A workspace for machines.
struct WorkspaceDocument: Encodable {
  var id: String
  var name: String?
  var folder: String
  var environment: String
  var image: Digest
  var state: WorkspaceStatus.State
  var pid: Int32?
  var runtime: String
  /// Seconds since the epoch.
  var created: Int64
  /// Device nodes its processes may no longer open.
  var lostDevices: [String]?

  init(_ status: WorkspaceStatus, lostDevices: [String]? = nil) {
    self.lostDevices = lostDevices.flatMap { $0.isEmpty ? nil : $0 }
    id = status.workspace.id
    name = status.workspace.name
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
    let launcher = try common.launcher()
    let list = try launcher.list()
    let lost = list.map { launcher.lostDevices(of: $0) }
    guard common.format == .text else {
      return try Console.printJSON(zip(list, lost).map { WorkspaceDocument($0, lostDevices: $1) })
    }
    for (status, nodes) in zip(list, lost) where !nodes.isEmpty {
      Console.tell("warning: \(LostDevices(workspace: status.workspace.id, nodes: nodes))")
    }
    let rows =
      [["WORKSPACE", "NAME", "STATE", "ENVIRONMENT", "FOLDER"]]
      + list.map { [$0.workspace.id, $0.workspace.name ?? "-", $0.state.rawValue, $0.workspace.environment, $0.workspace.folder] }
    let widths = (0..<5).map { column in rows.map { $0[column].count }.max() ?? 0 }
    for row in rows {
      let cells = zip(row, widths).map { cell, width in cell + String(repeating: " ", count: width - cell.count) }
      try Console.printResult(cells.joined(separator: "  ").trimmingTrailingSpaces)
    }
  }
}

struct LogsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "logs", abstract: "Print what the workspace's first process wrote, and commands that were left.")
  @OptionGroup var common: CommonOptions
  @OptionGroup var options: WorkspaceOptions

  @Flag(name: [.customShort("f"), .long], help: "Go on with what is written later, until the workspace stops.")
  var follow = false

  @Option(name: [.customShort("n"), .long], help: "Only so many lines from the end.")
  var tail: Int?

  func validate() throws {
    if let tail, tail < 0 { throw ValidationError("--tail is a number of lines") }
  }

  func run() throws {
    try common.launcher().readLog(of: try options.id(), tail: tail, following: follow) { try Console.printBytes($0) }
  }
}

struct StopCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "stop", abstract: "Stop the project's workspace; the changes made in it stay for the next up.")
  @OptionGroup var common: CommonOptions
  @OptionGroup var options: WorkspaceOptions

  @Option(help: "Seconds the processes get to end by themselves.")
  var grace = 10

  func run() throws {
    let id = try options.id()
    let launcher = try common.launcher()
    let wasRunning = try launcher.stop(id, grace: .seconds(grace))
    guard common.format == .text else { return try Console.printJSON(WorkspaceDocument(try launcher.state(of: id))) }
    try Console.printResult("workspace \(id): \(wasRunning ? "stopped" : "was not running")")
  }
}

struct RemoveCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "rm", abstract: "Remove the project's workspace, which does not run, with the changes made in it; the image stays.")
  @OptionGroup var common: CommonOptions
  @OptionGroup var options: WorkspaceOptions

  @Flag(help: "Remove every workspace that does not run.")
  var all = false

  func run() throws {
    let launcher = try common.launcher()
    let ids = all ? try launcher.list().filter { $0.state == .stopped }.map(\.workspace.id) : [try options.id()]
    for id in ids { try launcher.removeStopped(id) }
    guard common.format == .text else { return try Console.printJSON(ids) }
    try Console.printResult(ids.map { "workspace \($0): removed" })
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

extension String {
  fileprivate var trimmingTrailingSpaces: String { String(reversed().drop { $0 == " " }.reversed()) }
}
