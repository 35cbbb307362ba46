/// `envctl check`: measuring an environment, with the reference workload or with the user's own training.
import ArgumentParser
import EnvCatalog
import EnvCore
import EnvDrift
import EnvFlow
import EnvReport
import SafeFS
import SystemPackage

extension CheckRequest.Profile: ExpressibleByArgument {}

/// How a check is printed on stdout.
enum CheckFormat: String, ExpressibleByArgument, CaseIterable {
  case text, json, markdown, junit, sarif, github
}

struct CheckCommand: ParsableCommand, JSONReporting, StoryTelling {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Train in a fresh container and compare with the baseline: identical, equivalent, drift or broken?",
    discussion: """
      Without more, the reference risk model is trained. With `check: {command: […]}` in envctl.yaml it is the project's own training, unless \
      --profile asks for the reference model. Arguments after -- go to what is trained, such as `-- --plant adam-epsilon` to see a planted \
      drift found.
      """)

  @Option(help: "How the result is printed on stdout: text, json, markdown, junit, sarif (2.1.0) or github (annotation).")
  var format: CheckFormat = .text

  @OptionGroup var tools: ToolOptions
  @OptionGroup var options: ProjectOptions

  @Option(help: "How long to train the reference model: quick (50 steps) or full (200 steps).")
  var profile: CheckRequest.Profile?

  @Option(name: .customLong("env"), help: "A variable for the workload's container: NAME=VALUE.")
  var variables: [VariableOption] = []

  @Option(help: "Keep the workload's records in this file.", completion: .file())
  var record: String?

  @Option(help: "End what has not ended after this many seconds.")
  var deadline: Int?

  @Option(help: "Write the report, one HTML file, as `envctl report` does.", completion: .file())
  var report: String?

  @OptionGroup var gpus: GPUOptions
  @OptionGroup var metrics: MetricsOptions

  @Argument(parsing: .postTerminator, help: "Arguments for the workload.")
  var arguments: [String] = []

  var wantsJSON: Bool { format == .json }
  var logFormat: LogFormat { tools.logFormat }

  func validate() throws {
    if let deadline, deadline <= 0 { throw ValidationError("--deadline is a number of seconds from 1") }
  }

  func run() throws {
    let workbench = try options.workbench(tools)
    let project = try options.project(workbench.catalog)
    let watch = try metrics.watch { workbench.reporter.ended("watch", summary: $0, duration: .zero) }
    defer { watch?.finish() }
    let environment = try workbench.provision(project)
    let limit = deadline.map { Duration.seconds($0) }
    let keptRecords = record.map { FilePath($0) }
    if let program = project.program, profile == nil {
      let request = ProgramCheckRequest(
        arguments: arguments, variables: variables.map { ($0.name, $0.value) }, records: keptRecords, deadline: limit,
        gpu: try gpus.request,
        watcher: watch)
      let result = try workbench.check(environment, project, program, request)
      let report = CheckReport(result.verdict, result.observed, against: result.comparison, run: result.run)
      try show(report, document: result.verdict)
    } else {
      let request = CheckRequest(
        profile: profile ?? .quick, arguments: arguments, variables: variables.map { ($0.name, $0.value) }, records: keptRecords,
        deadline: limit, watcher: watch)
      let result = try workbench.check(environment, project, request)
      try show(CheckReport(result.verdict, result.observation, against: result.baseline, run: result.run), document: result.verdict)
    }
  }

  private func show(_ check: CheckReport, document: some Encodable) throws {
    if let report { try Console.deliver(CheckPage(check, generator: ReportCommand.generator).html, to: report) }
    switch format {
    case .text: try Console.printResult(check.text)
    case .json: try Console.printJSON(document)
    case .markdown: try Console.deliver(check.markdown, to: "-")
    case .junit: try Console.deliver(JUnitReport(check).text, to: "-")
    case .sarif: try Console.printJSON(SARIFLog(check, version: Envctl.programVersion))
    case .github: try Console.printResult(GitHubAnnotation(check).description)
    }
    if check.exitCode != .asExpected { throw Ending(check.exitCode) }
  }
}
