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

  @Option(help: "How much to measure: quick (operators, 50 steps), full (also 200 steps and inference), soak (full, several times).")
  var profile = CheckRequest.Profile.quick

  @Option(help: "How often the soak profile runs; all runs must give the same bits.")
  var repetitions = 3

  @Option(help: "Instead of bits, compare what this many seeds come to, by equivalence tests: for hardware that does not repeat itself.")
  var statistical: Int?

  @Option(name: .customLong("env"), help: "A variable for the workload's container: NAME=VALUE.")
  var variables: [VariableOption] = []

  @Option(help: "Keep the workload's records in this file; of further repetitions in FILE.2 and so on.", completion: .file())
  var record: String?

  @Option(help: "Judge the records in this file, kept by --record, instead of running anything.", completion: .file())
  var replay: String?

  @Argument(parsing: .postTerminator, help: "Arguments for the workload.")
  var arguments: [String] = []

  func validate() throws {
    guard repetitions >= 2 else { throw ValidationError("--repetitions needs at least 2: one run repeats nothing") }
    if replay != nil, statistical != nil || record != nil || !arguments.isEmpty || !variables.isEmpty {
      throw ValidationError("--replay runs nothing, so there is nothing to record, vary or repeat")
    }
    if let statistical, !(2...1000).contains(statistical) { throw ValidationError("--statistical needs 2 to 1000 seeds") }
  }

  func run() throws {
    let workbench = try options.workbench(common, asRoot: true)
    let project = try options.project(workbench.catalog)
    let environment = try workbench.provision(project)
    let request = CheckRequest(
      profile: profile, repetitions: repetitions, arguments: arguments, variables: variables.map { ($0.name, $0.value) },
      records: record.map { FilePath($0) })
    let verdict =
      if let replay {
        try workbench.judge(environment, records: FilePath(replay))
      } else if let statistical {
        try workbench.checkStatistically(environment, project, seeds: statistical, request)
      } else {
        try workbench.check(environment, project, request)
      }
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

  @Option(
    help: "Where to write it; by default where the catalog expects it, in a folder as a file named after the hardware.", completion: .file()
  )
  var output: String?

  @Flag(help: "Measure the noise too: other thread counts, code paths of MKL and oneDNN, and seeds. Takes ten times as long.")
  var calibrate = false

  @Option(help: "Also train this many further seeds, for `check --statistical`.")
  var seeds = 0

  @Option(
    help: "Keep the records of every run in this folder, and take from it what is there: for a long calibration.", completion: .directory)
  var records: String?

  func validate() throws {
    guard (0...1000).contains(seeds), seeds != 1 else { throw ValidationError("--seeds needs 2 to 1000, or 0 for none") }
  }

  func run() throws {
    let workbench = try options.workbench(common, asRoot: true)
    let project = try options.project(workbench.catalog)
    let environment = try workbench.provision(project)
    guard output != nil || environment.baseline != nil else { throw ValidationError("name a file with --output") }
    let baseline = try workbench.recordBaseline(
      environment, project, BaselineRequest(calibrates: calibrate, seeds: seeds, records: records.map { FilePath($0) }))
    let path = try output.map { FilePath($0) } ?? environment.baselineFile(for: baseline)
    try FileSystem.createDirectories(path.removingLastComponent())
    try FileSystem.writeAtomically(try baseline.encoded() + [UInt8(ascii: "\n")], to: path)
    try Console.printResult("\(path)")
  }
}
