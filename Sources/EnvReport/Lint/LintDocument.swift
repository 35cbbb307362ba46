/// Lint findings in envctl's own JSON.
import EnvCore
import EnvPolicy

/// What `envctl lint --format json` prints. Keys are added over time, never changed.
public struct LintDocument: Encodable, Sendable {
  public struct Item: Encodable, Sendable {
    public var rule: String
    public var name: String
    public var severity: Severity
    public var file: String
    /// From 1; columns in Unicode code points, the end exclusive.
    public var line: Int
    public var column: Int
    public var endLine: Int
    public var endColumn: Int
    public var message: String
    public var suggestion: String
    public var fingerprint: String
    /// The reference `--fix` would resolve.
    public var fixable: String?
    /// The reason of a suppression.
    public var reason: String?
  }
  public struct Skipped: Encodable, Sendable {
    public var file: String
    public var reason: String
  }
  public struct Summary: Encodable, Sendable {
    public var errors: Int
    public var warnings: Int
    public var notes: Int
    public var known: Int
    public var suppressed: Int
    public var skipped: Int
    public var filesRead: Int
    public var filesSeen: Int
  }

  public var schema = 1
  public var findings: [Item]
  public var suppressed: [Item]
  public var skipped: [Skipped]
  public var summary: Summary

  public init(_ report: LintReport) {
    findings = report.findings.map { Item($0, reason: nil) }
    suppressed = report.suppressed.map { Item($0.finding, reason: $0.reason) }
    skipped = report.skipped.map { Skipped(file: $0.file, reason: $0.reason) }
    func count(_ severity: Severity) -> Int { report.findings.count { $0.severity == severity } }
    summary = Summary(
      errors: count(.error), warnings: count(.warning), notes: count(.note), known: report.known.count, suppressed: report.suppressed.count,
      skipped: report.skipped.count, filesRead: report.filesRead, filesSeen: report.filesSeen)
  }
}

extension LintDocument.Item {
  init(_ finding: Finding, reason: String?) {
    self.init(
      rule: finding.rule.id, name: finding.rule.name, severity: finding.severity, file: finding.place.file, line: finding.place.line,
      column: finding.place.column, endLine: finding.place.endLine, endColumn: finding.place.endColumn, message: finding.message,
      suggestion: finding.suggestion, fingerprint: finding.fingerprint, fixable: finding.pin?.reference.description, reason: reason)
  }
}

/// What `envctl lint --rules --format json` prints.
public struct RuleDocument: Encodable, Sendable {
  public struct Item: Encodable, Sendable {
    public var id: String
    public var name: String
    public var severity: Severity
    public var reason: String
    public var fix: String
  }
  public var schema = 1
  public var rules: [Item]

  public init(_ rules: [Rule]) {
    self.rules = rules.map { Item(id: $0.id, name: $0.name, severity: $0.severity, reason: $0.reason, fix: $0.fix) }
  }
}
