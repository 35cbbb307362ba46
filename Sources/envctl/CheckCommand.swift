/// `envctl check` and `envctl baseline record`: measuring an environment.
import ArgumentParser
import EnvCatalog
import EnvCore
import EnvDrift
import EnvFlow
import EnvReport
import SafeFS
import SystemPackage

extension CheckRequest.Profile: ExpressibleByArgument {}

struct CheckCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Train the reference risk model in a fresh container and compare with the environment's baseline.",
    discussion: "Arguments after -- go to the workload, such as `-- --plant adam-epsilon` to see a planted drift found.")

  @OptionGroup var common: CommonOptions
  @OptionGroup var options: ProjectOptions

  @Option(help: "How long to train: quick (50 steps) or full (200 steps).")
  var profile = CheckRequest.Profile.quick

  @Option(name: .customLong("env"), help: "A variable for the workload's container: NAME=VALUE.")
  var variables: [VariableOption] = []

  @Option(help: "Keep the workload's records in this file.", completion: .file())
  var record: String?

  @Argument(parsing: .postTerminator, help: "Arguments for the workload.")
  var arguments: [String] = []

  func run() throws {
    let workbench = try options.workbench(common, asRoot: true)
    let project = try options.project(workbench.catalog)
    let environment = try workbench.provision(project)
    let request = CheckRequest(
      profile: profile, arguments: arguments, variables: variables.map { ($0.name, $0.value) }, records: record.map { FilePath($0) })
    let verdict = try workbench.check(environment, project, request)
    switch common.format {
    case .json: try Console.printJSON(verdict)
    case .text: try Console.printResult(VerdictText(verdict, isRemembered: false).lines)
    }
    if verdict.exitCode != .asExpected { throw Ending(verdict.exitCode) }
  }
}

struct BaselineCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "baseline", abstract: "The expected training results.", subcommands: [BaselineRecordCommand.self])
}

struct BaselineRecordCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "record", abstract: "Train the reference model in full and write the results as the environment's baseline.")

  @OptionGroup var common: CommonOptions
  @OptionGroup var options: ProjectOptions

  @Option(help: "Where to write it; by default where the catalog expects it.", completion: .file())
  var output: String?

  func run() throws {
    let workbench = try options.workbench(common, asRoot: true)
    let project = try options.project(workbench.catalog)
    let environment = try workbench.provision(project)
    guard let path = output.map({ FilePath($0) }) ?? environment.baseline else { throw ValidationError("name a file with --output") }
    let baseline = try workbench.recordBaseline(environment, project)
    try FileSystem.createDirectories(path.removingLastComponent())
    try FileSystem.writeAtomically(try baseline.encoded() + [UInt8(ascii: "\n")], to: path)
    try Console.printResult("\(path)")
  }
}
