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
      --profile or --statistical asks for the reference model. Arguments after -- go to what is trained, such as `-- --plant adam-epsilon` to \
      see a planted drift found.
      """)

  @Option(help: "How the result is printed on stdout: text, json, markdown, junit, sarif (2.1.0) or github (annotation).")
  var format: CheckFormat = .text

  @OptionGroup var tools: ToolOptions
  @OptionGroup var options: ProjectOptions

  @Option(
    help: """
      How much of the reference model to measure: quick (operators, 50 steps), full (also 200 steps and inference), soak (full, several \
      times).
      """)
  var profile: CheckRequest.Profile?

  @Option(help: "How often the soak profile runs; all runs must give the same bits.")
  var repetitions = 3

  @Option(help: "Instead of bits, compare what this many seeds come to, by equivalence tests: for hardware that does not repeat itself.")
  var statistical: Int?

  @Option(help: "Keep the workload's records in this file too; of further runs in FILE.2 and so on.", completion: .file())
  var record: String?

  @Option(help: "Judge the records in this file, kept by --record, instead of running anything.", completion: .file())
  var replay: String?

  @Option(help: "End a run that has not ended after this many seconds.")
  var deadline: Int?

  @Option(help: "Write the report, one HTML file, as `envctl report` does.", completion: .file())
  var report: String?

  @OptionGroup var gpus: GPUOptions
  @OptionGroup(title: "Limits") var limits: ResourceOptions
  @OptionGroup var launch: LaunchOptions
  @OptionGroup var metrics: MetricsOptions

  @Argument(parsing: .postTerminator, help: "Arguments for what is trained.")
  var arguments: [String] = []

  var wantsJSON: Bool { format == .json }
  var logFormat: LogFormat { tools.logFormat }

  func validate() throws {
    guard repetitions >= 2 else { throw ValidationError("--repetitions needs at least 2: one run repeats nothing") }
    if let deadline, deadline <= 0 { throw ValidationError("--deadline is a number of seconds from 1") }
    let varies = statistical != nil || profile == .soak || !arguments.isEmpty || launch.isGiven || limits.isGiven
    if replay != nil, varies || record != nil || deadline != nil {
      throw ValidationError("--replay runs nothing, so there is nothing to record, limit, vary or repeat")
    }
    if let statistical {
      guard (2...1000).contains(statistical) else { throw ValidationError("--statistical needs 2 to 1000 seeds") }
      guard profile == nil || profile == .quick else { throw ValidationError("--statistical trains the seeds in the quick profile only") }
    }
  }

  func run() throws {
    let workbench = try options.workbench(tools, asRoot: true)
    let project = try options.project(workbench.catalog)
    var request = try request(project)
    let watch = try metrics.watch { workbench.reporter.ended("watch", summary: $0, duration: .zero) }
    defer { watch?.finish() }
    request.watcher = watch
    let environment = try workbench.provision(project)
    try show(try workbench.check(environment, project, request))
  }

  private func request(_ project: ProjectFile) throws -> CheckRequest {
    let measure: CheckRequest.Measure
    if let statistical {
      measure = .seeds(statistical)
    } else if let program = project.program, profile == nil {
      measure = .program(program)
    } else {
      measure = .reference(profile ?? .quick)
    }
    if gpus.gpu != nil {
      guard case .program = measure else { throw ValidationError("--gpu is for a training of one's own: the reference model needs none") }
    }
    var settings = try launch.settings()
    settings.limits = try limits.request(over: project.resources)
    return CheckRequest(
      measure, repetitions: repetitions, arguments: arguments, settings: settings,
      records: record.map { FilePath($0) }, replay: replay.map { FilePath($0) }, deadline: deadline.map { .seconds($0) },
      gpu: try gpus.request)
  }

  private func show(_ result: CheckResult) throws {
    let check = CheckReport(result)
    if let report { try Console.deliver(CheckPage(check, generator: ReportCommand.generator).html, to: report) }
    switch format {
    case .text: try Console.printResult(check.text)
    case .json:
      switch result {
      case .reference(let result): try Console.printJSON(result.verdict)
      case .program(let result): try Console.printJSON(result.verdict)
      }
    case .markdown: try Console.deliver(check.markdown, to: "-")
    case .junit: try Console.deliver(JUnitReport(check).text, to: "-")
    case .sarif: try Console.printJSON(SARIFLog(check, version: Envctl.programVersion))
    case .github: try Console.printResult(GitHubAnnotation(check).description)
    }
    if check.exitCode != .asExpected { throw Ending(check.exitCode) }
  }
}

extension CheckReport {
  /// The report of a check, whatever was checked.
  init(_ result: CheckResult) {
    switch result {
    case .reference(let result): self.init(result.verdict, result.observation, against: result.baseline, run: result.run)
    case .program(let result): self.init(result.verdict, result.observed, against: result.comparison, run: result.run)
    }
  }
}
