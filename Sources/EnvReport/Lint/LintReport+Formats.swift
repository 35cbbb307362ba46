/// Lint findings in the forms CI systems read.
import EnvCore
import EnvPolicy

extension SARIFLog {
  /// Findings as results; suppressed and known ones are there too, marked so that viewers leave them out.
  public init(_ report: LintReport, version: String) {
    let rules = EnvPolicy.Rule.all
    let indexes = Dictionary(uniqueKeysWithValues: rules.enumerated().map { ($1, $0) })
    func result(_ finding: Finding) -> Result {
      var result = Result(
        ruleId: finding.rule.id, ruleIndex: indexes[finding.rule], level: Level(finding.severity),
        message: finding.message + ". " + finding.suggestion, locations: [Location(finding.place)])
      result.partialFingerprints = ["envctl/v1": finding.fingerprint]
      return result
    }
    let open = report.findings.map(result)
    let suppressed = report.suppressed.map { item in
      var result = result(item.finding)
      result.suppressions = [Suppression(kind: .inSource, justification: item.reason)]
      return result
    }
    let known = report.known.map { finding in
      var result = result(finding)
      result.baselineState = "unchanged"
      result.suppressions = [Suppression(kind: .external, justification: "known from the baseline")]
      return result
    }
    self.init(
      version: version,
      rules: rules.map { .init(id: $0.id, name: $0.name, summary: $0.reason, help: $0.fix, level: Level($0.severity)) },
      results: open + suppressed + known,
      notifications: report.skipped.map {
        .init(level: .note, message: "skipped: \($0.reason)", locations: [Location(file: $0.file, region: nil)])
      })
  }
}

extension SARIFLog.Level {
  init(_ severity: Severity) {
    switch severity {
    case .note: self = .note
    case .warning: self = .warning
    case .error: self = .error
    }
  }
}

extension SARIFLog.Location {
  init(_ place: Place) {
    self.init(
      file: place.file,
      region: .init(
        startLine: place.line, startColumn: place.column, endLine: place.endLine, endColumn: max(place.endColumn, place.column),
        snippet: place.excerpt?.text))
  }
}

extension JUnitReport {
  /// A suite for each file with findings; one passed case where there is none, because some systems take an empty report for a failure.
  public init(_ report: LintReport) {
    let files = Dictionary(grouping: report.findings) { $0.place.file }.sorted { $0.key < $1.key }
    var suites = files.map { file, findings in Suite(name: file, cases: findings.map(Self.testCase)) }
    if suites.isEmpty {
      suites = [Suite(name: "envctl lint", cases: [Case(className: "envctl.lint", name: "nothing found", outcome: .passed)])]
    }
    self.init(name: "envctl lint", suites: suites)
  }

  /// Only what fails the command fails the case.
  private static func testCase(_ finding: Finding) -> Case {
    let place = "\(finding.place.file):\(finding.place.line):\(finding.place.column)"
    let detail = "\(place): \(finding.message)\nfix: \(finding.suggestion)"
    let isFailure = finding.severity == .error
    return Case(
      className: finding.place.file,
      name: "\(finding.rule.id) \(finding.rule.name) at line \(finding.place.line), column \(finding.place.column)",
      outcome: isFailure ? .failed(kind: finding.rule.id, message: finding.message, detail: detail) : .passed,
      output: isFailure ? nil : "\(finding.severity.rawValue): \(detail)")
  }
}

extension GitHubAnnotation {
  public init(_ finding: Finding) {
    let level: Level =
      switch finding.severity {
      case .note: .notice
      case .warning: .warning
      case .error: .error
      }
    self.init(
      level: level, title: "\(finding.rule.id) \(finding.rule.name)", message: finding.message + "\n" + finding.suggestion,
      file: finding.place.file, line: finding.place.line, column: finding.place.column,
      lastColumn: max(finding.place.column, finding.place.endColumn - 1))
  }
}
