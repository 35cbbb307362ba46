/// `envctl report`: the last check again, as one HTML file or in the forms CI systems read.
import ArgumentParser
import EnvCore
import EnvFlow
import EnvReport

/// The forms of a report.
enum ReportFormat: String, ExpressibleByArgument, CaseIterable {
  case html, text, markdown, junit, sarif
}

struct ReportCommand: ParsableCommand, StoryTelling {
  static let configuration = CommandConfiguration(
    commandName: "report", abstract: "Show the project's last check: one self-contained HTML file, or Markdown, JUnit, SARIF.",
    discussion: "Nothing is measured: what is shown was recorded by `envctl check` or `envctl up`. It ends with 0 whatever the verdict was."
  )

  static let generator = "Made by envctl \(Envctl.programVersion). This page needs no network and runs no script."

  @OptionGroup var tools: ToolOptions
  @OptionGroup var options: ProjectOptions

  @Option(help: "html, text, markdown, junit or sarif (2.1.0).")
  var format: ReportFormat = .html

  @Option(
    name: [.short, .long], help: "Where to write it; - is stdout. Without it html goes to envctl-report.html, all else to stdout.",
    completion: .file())
  var output: String?

  var logFormat: LogFormat { tools.logFormat }

  func run() throws {
    let workbench = try options.workbench(tools)
    let report = try CheckReport(workbench.lastCheck(of: try options.canonicalFolder()))
    let file = output ?? (format == .html ? "envctl-report.html" : "-")
    try Console.deliver(try text(of: report), to: file)
    if file != "-" { try Console.printResult(file) }
  }

  private func text(of report: CheckReport) throws -> String {
    switch format {
    case .html: CheckPage(report, generator: Self.generator).html
    case .text: report.text.map { printable($0) + "\n" }.joined()
    case .markdown: report.markdown
    case .junit: JUnitReport(report).text
    case .sarif: String(decoding: try CanonicalJSON.encodePretty(SARIFLog(report, version: Envctl.programVersion)), as: UTF8.self)
    }
  }
}
