/// Lint findings for people: the message, the line with a caret under what is meant, the way out.
import EnvCore
import EnvPolicy

/// What `envctl lint` prints on a terminal.
public struct LintText: Sendable {
  /// With a newline at the end.
  public let text: String

  public init(_ report: LintReport) {
    let blocks = report.findings.map(Self.block)
    text = (blocks + [Self.summary(report)]).joined(separator: "\n") + "\n"
  }

  private static func block(_ finding: Finding) -> String {
    let place = finding.place
    let head = "\(place.file):\(place.line):\(place.column): \(finding.severity.rawValue): "
    var lines = [head + "\(finding.message) [\(finding.rule.id) \(finding.rule.name)]"]
    if let excerpt = place.excerpt {
      let number = "\(place.line)"
      let margin = String(repeating: " ", count: number.utf8.count)
      lines.append(" \(number) | \(shown(excerpt.text))")
      lines.append(" \(margin) | \(underline(excerpt))")
    }
    lines.append("   fix: \(finding.suggestion)")
    return lines.map(printable).joined(separator: "\n") + "\n"
  }

  /// One column for each control character, so that the carets stay under what is meant.
  private static func shown(_ line: String) -> String {
    line.unicodeScalars.map { $0 == "\t" ? " " : $0.controlsTerminal ? "\u{FFFD}" : String($0) }.joined()
  }

  /// Carets under the stretch, as wide as a terminal shows what is above them.
  private static func underline(_ excerpt: Excerpt) -> String {
    let scalars = Array(excerpt.text.unicodeScalars)
    let before = scalars.prefix(excerpt.indent).reduce(0) { $0 + width($1) }
    let meant = scalars.dropFirst(excerpt.indent).prefix(excerpt.length).reduce(0) { $0 + width($1) }
    return String(repeating: " ", count: before) + "^" + String(repeating: "~", count: max(0, meant - 1))
  }

  /// Columns a terminal gives a character: two for the scripts of East Asia (Unicode Annex 11, wide and full width), none for marks.
  private static func width(_ scalar: Unicode.Scalar) -> Int {
    switch scalar.value {
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60,
      0xFFE0...0xFFE6,
      0x1F300...0x1FAFF, 0x20000...0x3FFFD:
      2
    case 0x0300...0x036F, 0x200B...0x200F, 0xFE00...0xFE0F: 0
    default: 1
    }
  }

  /// One line that counts.
  private static func summary(_ report: LintReport) -> String {
    var counts: [String] = []
    for severity in Severity.allCases.reversed() {
      let count = report.findings.count { $0.severity == severity }
      if count > 0 { counts.append("\(count) \(severity.rawValue)\(count == 1 ? "" : "s")") }
    }
    var text = counts.isEmpty ? "nothing found" : counts.joined(separator: ", ")
    text += " in \(report.filesRead) file\(report.filesRead == 1 ? "" : "s")"
    if !report.known.isEmpty { text += ", \(report.known.count) known from the baseline" }
    if !report.suppressed.isEmpty { text += ", \(report.suppressed.count) suppressed" }
    if !report.skipped.isEmpty { text += ", \(report.skipped.count) file\(report.skipped.count == 1 ? "" : "s") skipped" }
    return text
  }
}

/// The table of rules.
public struct RuleText: Sendable {
  /// With a newline at the end.
  public let text: String

  public init(_ rules: [Rule]) {
    text = rules.map { rule in
      "\(rule.id) \(rule.name) (\(rule.severity.rawValue))\n    \(rule.reason)\n    fix: \(rule.fix)\n"
    }.joined()
  }
}
