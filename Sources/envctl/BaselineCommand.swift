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

  @Option(
    help: "Where to write it; by default where it is looked for, in a folder as a file named after the hardware.", completion: .file())
  var output: String?

  @Flag(help: "Measure the noise too: other thread counts, code paths of MKL and oneDNN, and seeds. Takes ten times as long.")
  var calibrate = false

  @Option(help: "Also train this many further seeds, for `check --statistical`.")
  var seeds = 0

  @Option(
    help: "Keep the records of every run in this folder, and take from it what is there: for a long calibration.", completion: .directory)
  var records: String?

  @Option(help: "Runs of one's own training: how far they lie apart widens the bands.")
  var runs = 1

  func validate() throws {
    guard (0...1000).contains(seeds), seeds != 1 else { throw ValidationError("--seeds needs 2 to 1000, or 0 for none") }
    guard (1...100).contains(runs) else { throw ValidationError("--runs is a number from 1 to 100") }
  }

  func run() throws {
    let workbench = try options.workbench(common, asRoot: true)
    let project = try options.project(workbench.catalog)
    guard project.program == nil || (!calibrate && seeds == 0 && records == nil) else {
      throw ValidationError("--calibrate, --seeds and --records are of the reference model; one's own training has --runs")
    }
    let environment = try workbench.provision(project)
    let file = output.map { FilePath($0) }
    if let program = project.program {
      try Console.printResult("\(try workbench.recordProgramBaseline(environment, project, program, runs: runs, output: file))")
      return
    }
    guard file != nil || environment.baseline != nil else { throw ValidationError("name a file with --output") }
    let baseline = try workbench.recordBaseline(
      environment, project, BaselineRequest(calibrates: calibrate, seeds: seeds, records: records.map { FilePath($0) }))
    let path = try file ?? environment.baselineFile(for: baseline)
    try FileSystem.createDirectories(path.removingLastComponent())
    try FileSystem.writeAtomically(try baseline.encoded() + [UInt8(ascii: "\n")], to: path)
    try Console.printResult("\(path)")
  }
}
