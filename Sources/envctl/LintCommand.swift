/// `envctl lint`: what in these files is not pinned?
import ArgumentParser
import ChildProcess
import EnvCore
import EnvFlow
import EnvPolicy
import EnvRegistry
import EnvReport
import SystemPackage

/// How findings are printed on stdout.
enum LintFormat: String, ExpressibleByArgument, CaseIterable {
  case text, json, sarif, junit, github
}

struct LintCommand: ParsableCommand, JSONReporting {
  static let configuration = CommandConfiguration(
    commandName: "lint",
    abstract: "Find what is not pinned in Dockerfiles, compose, Kubernetes, CI, devcontainers, scripts and envctl.yaml.",
    discussion: """
      Ends with 4 when a finding of weight error is left, else with 0.

      A finding is silenced by a comment on its line or alone on the line above:
        # envctl:ignore EC103 -- the mirror deletes old digests
      and in a whole file by envctl:ignore-file. The reason is not optional.
      """)

  @Argument(help: "Files and folders; by default the current folder.", completion: .file())
  var paths: [String] = []

  @Option(help: "How findings are printed on stdout: text, json, sarif (2.1.0), junit or github (annotations).")
  var format: LintFormat = .text

  @Flag(help: "Write the digest behind every reference that can be pinned in place; the tag stays.")
  var fix = false

  @Option(help: "Judge by this rule only (id or name); may be given several times.")
  var rule: [String] = []

  @Option(help: "Leave this rule out (id or name); may be given several times.")
  var disable: [String] = []

  @Option(help: "Findings in this file are known and do not count.", completion: .file())
  var baseline: String?

  @Option(help: "Write all findings to this file, for --baseline.", completion: .file())
  var writeBaseline: String?

  @Flag(help: "List all rules.")
  var rules = false

  @Flag(help: "Tell nothing on stderr but errors.")
  var quiet = false

  @Option(
    help: ArgumentHelp("A registry that may be spoken to without TLS, for --fix; also $ENVCTL_INSECURE_REGISTRIES.", valueName: "host:port")
  )
  var insecureRegistry: [String] = []

  var wantsJSON: Bool { format == .json }

  func run() throws {
    if rules { return try listRules() }
    let roots = paths.isEmpty ? [FilePath(".")] : paths.map { FilePath($0) }
    let tree = LintTree(
      request: LintRequest(roots: roots, rules: try chosenRules()), baseline: baseline.map { FilePath($0) },
      newBaseline: writeBaseline.map { FilePath($0) })
    let outcome = try tree.run(fixingWith: fix ? RegistryDigests(registry()) : nil)
    tell(outcome)
    try show(outcome.report)
    if let failure = outcome.fix.failures.first {
      for other in outcome.fix.failures.dropFirst() { Console.tell(ErrorText(other)) }
      // What was asked for was not done: that counts more than the findings that are left for it.
      guard format == .text else {
        Console.tell(ErrorText(failure))
        throw Ending(ErrorText(failure).exitCode)
      }
      throw failure
    }
    if outcome.report.exitCode != .asExpected { throw Ending(outcome.report.exitCode) }
  }

  private func chosenRules() throws -> Set<Rule> {
    let chosen = rule.isEmpty ? Rule.all : try rule.map { name in try Rule.named(name) }
    return Set(chosen).subtracting(try disable.map { name in try Rule.named(name) })
  }

  private func registry() -> RegistryClient {
    var settings = RegistrySettings(environment: ProcessEnvironment.inherited)
    settings.insecure.formUnion(insecureRegistry)
    return RegistryClient(settings: settings)
  }

  private func listRules() throws {
    switch format {
    case .json: try Console.printJSON(RuleDocument(Rule.all))
    case .text: try Console.printBytes(Array(RuleText(Rule.all).text.utf8).span.bytes)
    case .sarif, .junit, .github: throw ValidationError("--rules is printed as text or json")
    }
  }

  private func tell(_ outcome: LintTree.Outcome) {
    guard !quiet else { return }
    for skipped in outcome.report.skipped { Console.tell("skipped \(skipped.file): \(skipped.reason)") }
    for pin in outcome.fix.applied {
      let remark = pin.wasMoving ? "; the tag moves on, the digest holds what it named today" : ""
      Console.tell("pinned \(pin.file):\(pin.line): \(pin.reference) is \(pin.digest)\(remark)")
    }
  }

  private func show(_ report: LintReport) throws {
    switch format {
    case .text: try Console.printBytes(Array(LintText(report).text.utf8).span.bytes)
    case .json: try Console.printJSON(LintDocument(report))
    case .sarif: try Console.printJSON(SARIFLog(report, version: Envctl.programVersion))
    case .junit: try Console.printBytes(Array(JUnitReport(report).text.utf8).span.bytes)
    case .github: for finding in report.findings { try Console.printResult(GitHubAnnotation(finding).description) }
    }
  }
}
