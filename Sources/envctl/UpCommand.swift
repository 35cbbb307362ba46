/// `envctl up`: the command a developer types every morning.
import ArgumentParser
import EnvCatalog
import EnvCore
import EnvDrift
import EnvFlow
import EnvLaunch
import EnvReport

struct UpCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "up", abstract: "Bring up the project's workspace: fetch, build, prove, unpack, launch, check.",
    discussion: "Only what is not done yet is done; what is, is proven. A drift ends with status 3; the workspace runs all the same.")

  @OptionGroup var common: CommonOptions
  @OptionGroup var options: ProjectOptions

  @Argument(help: "The environment, for a folder without envctl.yaml.")
  var name: String?

  @OptionGroup var gpus: GPUOptions
  @OptionGroup(title: "Limits") var limits: ResourceOptions

  func run() throws {
    let workbench = try options.workbench(common, asRoot: true)
    var options = options
    options.environment = name ?? options.environment
    let project = try options.project(workbench.catalog)
    let result = try workbench.up(project, gpu: gpus.request, limits: try limits.request(over: project.resources))
    switch common.format {
    case .json: try Console.printJSON(UpDocument(result))
    case .text:
      try Console.printResult("workspace \(result.workspace.workspace.id): \(result.workspace.state.rawValue)")
      if let verdict = result.verdict { try Console.printResult(VerdictText(verdict, isRemembered: !result.isVerdictNew).lines) }
    }
    if let verdict = result.verdict, verdict.exitCode != .asExpected { throw Ending(verdict.exitCode) }
  }
}

/// What `up --format json` prints.
private struct UpDocument: Encodable {
  var workspace: WorkspaceDocument
  var started: Bool
  var verdict: Verdict?
  var verdictIsNew: Bool

  init(_ result: UpResult) {
    workspace = WorkspaceDocument(result.workspace)
    started = result.wasStarted
    verdict = result.verdict
    verdictIsNew = result.isVerdictNew
  }
}
