/// A check in the forms CI systems read.
import EnvCore
import EnvDrift

extension JUnitReport {
  /// A case for each thing that was compared, one for each breakage, and one for the verdict.
  public init(_ report: CheckReport) {
    var cases = report.rows.map { row in
      Case(className: "envctl.check", name: row.name, outcome: row.outcome)
    }
    cases += report.tiers.map { tier in
      let hasFailed = tier.standing == .drift || tier.standing == .broken
      return Case(
        className: "envctl.check", name: tier.name,
        outcome: hasFailed
          ? .failed(kind: tier.standing.rawValue, message: "\(tier.name): \(tier.standing.rawValue)", detail: tier.summary) : .passed)
    }
    cases += report.breakages.map {
      Case(className: "envctl.check", name: "complete", outcome: .failed(kind: "broken", message: $0, detail: $0))
    }
    let details = report.lines.joined(separator: "\n")
    let hasPassed = report.exitCode == .asExpected
    cases.append(
      Case(
        className: "envctl.check", name: "verdict",
        outcome: hasPassed ? .passed : .failed(kind: report.outcome, message: report.sentence, detail: details),
        output: hasPassed ? details : nil))
    self.init(name: "envctl check", suites: [Suite(name: report.subject, cases: cases)])
  }
}

extension CheckReport.Row {
  fileprivate var outcome: JUnitReport.Case.Outcome {
    guard agreement == .beyondBand else { return .passed }
    return .failed(kind: agreement.rawValue, message: "\(name): \(agreement.rawValue)", detail: sentence)
  }

  /// The row in words.
  fileprivate var sentence: String {
    let magnitude = largest.map { "off by \(scientific($0))" } ?? (agreement == .equalBits ? "equal" : "differs")
    return name + ": " + magnitude + (step.map { " at step \($0)" } ?? "") + (band.map { ", band \(scientific($0))" } ?? "")
  }
}

extension SARIFLog {
  /// The verdict as a result on `envctl.yaml`, which names the environment; none for a run that is as expected.
  public init(_ report: CheckReport, version: String) {
    let rules = [
      Rule(
        id: "EV001", name: "drift", summary: "The environment does not compute the expected training results.",
        help: "Compare the environment with the one the baseline was recorded in; `envctl report` shows where they part.", level: .error),
      Rule(
        id: "EV002", name: "broken", summary: "The run gave no result that can be compared.",
        help: "The workload's own messages say why; the step and the operator are named where they are known.", level: .error),
    ]
    let index = report.standing == .broken ? 1 : 0
    let result = Result(
      ruleId: rules[index].id, ruleIndex: index, level: .error, message: "\(report.outcome): \(report.message)",
      locations: [Location(file: "envctl.yaml", region: nil)])
    self.init(version: version, rules: rules, results: report.exitCode == .asExpected ? [] : [result])
  }
}

extension GitHubAnnotation {
  /// The verdict beside `envctl.yaml`.
  public init(_ report: CheckReport) {
    self.init(
      level: report.exitCode == .asExpected ? .notice : .error, title: "envctl check: \(report.outcome)", message: report.message,
      file: "envctl.yaml", line: 1, column: 1, lastColumn: 1)
  }
}

extension CheckReport {
  /// The sentence that matters, and what is known of why.
  fileprivate var message: String { reason.map { "\(sentence). \($0.sentence)" } ?? sentence }

  /// For a job's summary or a comment (GitHub Flavored Markdown).
  public var markdown: String {
    var lines = [
      "## envctl check: \(standing.emphasis) \(Self.plain(outcome))", "", Self.plain(sentence), "", "*\(Self.plain(subject))*", "",
    ]
    if let curve = curves.first, !curve.run.isEmpty { lines += ["`\(Sparkline(curve.run.map(\.y)))` \(Self.plain(curve.name))", ""] }
    if let reason {
      lines += [Self.plain(reason.sentence), ""]
      lines += reason.suspects.prefix(5).enumerated().map { "\($0 + 1). \(Self.plain("\($1)"))" } + [""]
    }
    if !tiers.isEmpty {
      lines += ["| tier | | |", "|---|---|---|"] + tiers.map { Self.line([$0.name, $0.standing.rawValue, $0.summary]) } + [""]
    }
    if !rows.isEmpty {
      lines += ["| compared | largest deviation | band | |", "|---|---|---|---|"]
      lines += rows.map { row in
        let largest = row.largest.map { scientific($0) + (row.step.map { " at step \($0)" } ?? "") } ?? "–"
        return Self.line([row.name, largest, row.band.map(scientific) ?? "–", row.agreement.rawValue])
      }
      lines.append("")
    }
    if !breakages.isEmpty { lines += breakages.map { "- \(Self.plain($0))" } + [""] }
    if !differences.isEmpty {
      lines += ["<details><summary>What differs in the environment: \(differences.count)</summary>", ""]
      lines += ["| kind | name | baseline | this run |", "|---|---|---|---|"]
      lines += differences.map { Self.line([$0.kind.rawValue, $0.name, $0.expected ?? "absent", $0.actual ?? "absent"]) }
      lines += ["", "</details>", ""]
    }
    return lines.joined(separator: "\n")
  }

  private static func line(_ cells: [String]) -> String { "| " + cells.map(plain).joined(separator: " | ") + " |" }

  /// Text that Markdown takes for text: every punctuation character may be escaped (CommonMark §2.4), and no line begins in it.
  private static func plain(_ text: String) -> String {
    var result = ""
    for character in printable(text).unicodeScalars {
      if "\\`*_{}[]<>()#|~!&@".unicodeScalars.contains(character) { result += "\\" }
      result.unicodeScalars.append(character)
    }
    return result
  }
}

extension CheckReport.Standing {
  fileprivate var emphasis: String {
    switch self {
    case .identical, .equivalent: "✅"
    case .drift: "⚠️"
    case .broken: "❌"
    }
  }
}
