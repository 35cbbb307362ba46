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
    discussion: """
      Only what is not done yet is done; what is, is proven. A drift ends with status 3; the workspace runs all the same.

      Where envctl.yaml, the lock or the options say otherwise than the workspace was made with, each difference is told, its processes are \
      ended, and it is started anew. Changes made in it are kept as long as the image is the same; over another image they fit no more, \
      and it is left as it is unless --recreate gives them up.
      """)

  @OptionGroup var common: CommonOptions
  @OptionGroup var options: ProjectOptions

  @Argument(
    help: "The environment, for a folder without envctl.yaml.",
    completion: .custom { _, _, _ in (try? ToolOptions.completionCatalog().names()) ?? [] })
  var environment: String?

  @OptionGroup var label: NameOption
  @OptionGroup var gpus: GPUOptions
  @OptionGroup(title: "Limits") var limits: ResourceOptions
  @OptionGroup var launch: LaunchOptions

  @Flag(help: "Start as the image has it, without the changes made in the workspace.")
  var recreate = false

  func run() throws {
    let workbench = try options.workbench(common, asRoot: true)
    var options = options
    options.environment = environment ?? options.environment
    let project = try options.project(workbench.catalog)
    var settings = try launch.settings()
    settings.limits = try limits.request(over: project.resources)
    let result = try workbench.up(project, name: label.name, gpu: gpus.request, settings: settings, discardingChanges: recreate)
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
  /// What the workspace was started anew for.
  var changes: [SettingChange]
  var verdict: Verdict?
  var verdictIsNew: Bool

  init(_ result: UpResult) {
    workspace = WorkspaceDocument(result.workspace)
    started = result.wasStarted
    changes = result.changes
    verdict = result.verdict
    verdictIsNew = result.isVerdictNew
  }
}
