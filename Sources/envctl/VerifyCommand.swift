/// `envctl verify`: is everything in the store what it was when it was proven?
import ArgumentParser
import EnvCore
import EnvFlow
import EnvStore

struct VerifyCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Read every blob and every unpacked file in the store and compare it with its digest.")

  @OptionGroup var common: CommonOptions

  @Flag(help: "Drop what is damaged, so that the next command fetches, builds or unpacks it again.")
  var repair = false

  func run() throws {
    let report = try common.workbench(asRoot: true).verifyStore(repairing: repair)
    switch common.format {
    case .json: try Console.printJSON(report)
    case .text:
      for finding in report.findings { try Console.printResult(finding.line) }
      if report.findings.isEmpty { try Console.printResult("ok") }
    }
    let left = report.findings.filter { !$0.isDropped }
    guard let first = left.first else { return }
    // The report on stdout has said it all; a second document beside it would be no JSON any more.
    guard common.format == .text else { throw Ending(.verification) }
    throw FlowError.damagedStore(count: left.count, first: first.line, isInUse: repair)
  }
}

extension VerificationReport.Finding {
  /// One line: the object, the file in it, what differs, and both values.
  fileprivate var line: String {
    var text = object + (path.map { " " + $0 } ?? "") + ": " + property
    if let expected { text += ", expected \(expected)" }
    if let actual { text += ", found \(actual)" }
    return text + (isDropped ? " (dropped)" : "")
  }
}
