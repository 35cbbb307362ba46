/// JUnit's XML as CI systems read it: suites of cases that pass, fail or are skipped. What a case stands for is the caller's.
import EnvCore

/// A JUnit report.
public struct JUnitReport: Sendable {
  /// One case.
  public struct Case: Sendable {
    public enum Outcome: Sendable {
      case passed
      /// `kind` classifies the failure, such as a rule's id.
      case failed(kind: String, message: String, detail: String)
      case skipped(message: String)
    }
    public var className: String
    public var name: String
    public var outcome: Outcome
    /// What the case has to say though it passed.
    public var output: String?
    public var seconds: Double

    public init(className: String, name: String, outcome: Outcome, output: String? = nil, seconds: Double = 0) {
      self.className = className
      self.name = name
      self.outcome = outcome
      self.output = output
      self.seconds = seconds
    }
  }

  /// Cases that belong together.
  public struct Suite: Sendable {
    public var name: String
    public var cases: [Case]

    public init(name: String, cases: [Case]) {
      self.name = name
      self.cases = cases
    }
  }

  /// The XML document with a newline at its end.
  public let text: String

  public init(name: String, suites: [Suite]) {
    let cases = suites.flatMap(\.cases)
    var lines = ["<?xml version=\"1.0\" encoding=\"UTF-8\"?>"]
    lines.append("<testsuites name=\(Self.quoted(name)) \(Self.counts(cases))>")
    for suite in suites {
      lines.append("  <testsuite name=\(Self.quoted(suite.name)) \(Self.counts(suite.cases))>")
      for item in suite.cases { lines += Self.lines(item) }
      lines.append("  </testsuite>")
    }
    text = (lines + ["</testsuites>", ""]).joined(separator: "\n")
  }

  private static func counts(_ cases: [Case]) -> String {
    let failures = cases.count { if case .failed = $0.outcome { true } else { false } }
    let skipped = cases.count { if case .skipped = $0.outcome { true } else { false } }
    return "tests=\"\(cases.count)\" failures=\"\(failures)\" errors=\"0\" skipped=\"\(skipped)\""
  }

  private static func lines(_ item: Case) -> [String] {
    let head = "    <testcase classname=\(quoted(item.className)) name=\(quoted(item.name)) time=\"\(item.seconds)\""
    var body: [String] = []
    switch item.outcome {
    case .passed: break
    case .failed(let kind, let message, let detail):
      body.append("      <failure type=\(quoted(kind)) message=\(quoted(message))>\(escaped(detail, isAttribute: false))</failure>")
    case .skipped(let message): body.append("      <skipped message=\(quoted(message))/>")
    }
    if let output = item.output { body.append("      <system-out>\(escaped(output, isAttribute: false))</system-out>") }
    return body.isEmpty ? [head + "/>"] : [head + ">"] + body + ["    </testcase>"]
  }

  private static func quoted(_ text: String) -> String { "\"" + escaped(text, isAttribute: true) + "\"" }

  /// XML 1.0 §2.2 and §2.4: markup becomes entities, and what no XML document may hold becomes U+FFFD.
  private static func escaped(_ text: String, isAttribute: Bool) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "\n", "\t": result += isAttribute ? "&#\(scalar.value);" : String(scalar)
      case _ where scalar.value < 32 || scalar.value == 0xFFFE || scalar.value == 0xFFFF: result += "\u{FFFD}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
