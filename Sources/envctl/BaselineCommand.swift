/// `envctl baseline record`: the results other machines are compared with.
import ArgumentParser
import EnvCatalog
import EnvCore
import EnvDrift
import EnvFlow
import SafeFS
import SystemPackage

struct BaselineCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "baseline", abstract: "The expected training results.", subcommands: [BaselineRecordCommand.self])
}

struct BaselineRecordCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "record", abstract: "Train, and write the results as what is expected from now on.",
    discussion: """
      With `check: {command: […]}` in envctl.yaml the project's own training is recorded, in envctl.baseline.json beside it, and locked; \
      otherwise the reference model in full, as the environment's baseline.
      """)

  @OptionGroup var common: CommonOptions
  @OptionGroup var options: ProjectOptions

  @Option(help: "Where to write it; by default where it is looked for.", completion: .file())
  var output: String?

  @Option(help: "Runs of one's own training: how far they lie apart widens the bands.")
  var runs = 1

  func validate() throws {
    guard (1...100).contains(runs) else { throw ValidationError("--runs is a number from 1 to 100") }
  }

  func run() throws {
    let workbench = try options.workbench(common)
    let project = try options.project(workbench.catalog)
    let environment = try workbench.provision(project)
    let file = output.map { FilePath($0) }
    if let program = project.program {
      try Console.printResult("\(try workbench.recordProgramBaseline(environment, project, program, runs: runs, output: file))")
      return
    }
    guard let path = file ?? environment.baseline else { throw ValidationError("name a file with --output") }
    let baseline = try workbench.recordBaseline(environment, project)
    try FileSystem.createDirectories(path.removingLastComponent())
    try FileSystem.writeAtomically(try baseline.encoded() + [UInt8(ascii: "\n")], to: path)
    try Console.printResult("\(path)")
  }
}
