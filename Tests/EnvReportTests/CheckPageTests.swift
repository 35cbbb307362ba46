/// The page and the other forms of a check, made of a run that holds everything hostile a run can hold.
import EnvCore
import EnvDrift
import SafeFS
import SystemPackage
import TestSupport
import Testing

@testable import EnvReport

/// A check of a program of one's own: six steps, one beyond the band.
func sampleCheck(name: String = "auc", losses: [Double] = [1, 0.5, 0.4, 0.3, 0.2501, 0.2]) throws -> CheckReport {
  func lines(_ losses: [Double], version: String) -> [UInt8] {
    var lines = [#"{"environment":{"python":"3.11.2","packages":{"numpy":"\#(version)"}}}"#, "a line of the log"]
    lines += losses.enumerated().map { #"{"step":\#($0 + 1),"loss":\#($1),"seconds":0.\#($0)}"# }
    lines += [#"{"metric":"\#(name)","value":0.75}"#, #"{"scores":"test","values":[0.1,0.9,0.5]}"#]
    return Array(lines.map { $0 + "\n" }.joined().utf8)
  }
  let image = try Digest(hex: String(repeating: "a", count: 64))
  let command = ["python3", "<script>alert(1)</script>\u{202E}.py"]
  let baseline = try ProgramBaseline(
    command: command, image: image, host: ["kernel": "6.1"],
    reader: .replay(lines([1, 0.5, 0.4, 0.3, 0.25, 0.2], version: "1.26.4")))
  let comparison = ProgramComparison(with: baseline, bands: ["loss": 1e-6])
  let reader = ProgramRunReader.replay(lines(losses, version: #"2.0 | \"x\" &amp;\u001b[31m"#))
  let verdict = try comparison.judge(reader, command: command, image: image, host: ["kernel": "6.1"])
  let run = RunFacts(
    id: String(repeating: "0f", count: 16), started: Timestamp(secondsSinceEpoch: 1_700_000_000), seconds: 12.5, environment: "x",
    image: image, command: command, ending: "exit status 0")
  return CheckReport(verdict, reader.run, against: comparison, run: run)
}

@Suite struct CheckPageTests {
  /// What a parser of its own sees: well-formed XML, no element or attribute that could run or load something, a title and a description
  /// in each drawing, and no id twice.
  private static let examination = """
    import sys, xml.etree.ElementTree as tree
    page = tree.parse(sys.argv[1]).getroot()
    names = [element.tag.split('}')[-1] for element in page.iter()]
    print('forbidden', sorted(set(names) & {'script', 'iframe', 'img', 'link', 'object', 'image', 'use', 'foreignObject', 'a'}))
    attributes = [(key, value) for element in page.iter() for key, value in element.attrib.items()]
    print('loading', sorted({key for key, _ in attributes if key in ('src', 'href', 'style') or key.startswith('on')}))
    ids = [value for key, value in attributes if key == 'id']
    print('repeated', len(ids) - len(set(ids)))
    plots = [element for element in page.iter() if element.get('role') == 'img']
    print('plots', len(plots), all(plot[0].tag.endswith('title') and plot[1].tag.endswith('desc') and plot[1].text for plot in plots))
    print('labels', all(set(plot.get('aria-labelledby').split()) <= set(ids) for plot in plots))
    print('headings', [''.join(element.itertext()) for element in page.iter() if element.tag.endswith('}h2')])
    """

  @Test(.needs(.tool("python3"))) func wellFormedAndInert() throws {
    let html = CheckPage(try sampleCheck(), generator: "a test").html
    try withTemporaryFolder { folder in
      try FileSystem.writeAtomically(Array(html.utf8), to: folder.appending("page.html"))
      try FileSystem.writeAtomically(Array(Self.examination.utf8), to: folder.appending("examine.py"))
      let result = try Tool.run("python3", folder.appending("examine.py").string, folder.appending("page.html").string)
      #expect(
        result.text == """
          forbidden []
          loading []
          repeated 0
          plots 4 True
          labels True
          headings ['How far off', 'Step by step', 'Scores, expected and measured', 'What differs in the environment', 'The run']

          """, "\(result.text)")
    }
  }

  @Test func contents() throws {
    let html = CheckPage(try sampleCheck(), generator: "a test").html
    #expect(html.contains("<h1><span class=\"sign\" aria-hidden=\"true\">≠</span>drift</h1>"))
    #expect(html.contains("loss leaves its band at step 5 and is off by up to 4.0e-4, band 1.0e-6; package numpy is 2.0 | "))
    #expect(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;\\u{202e}.py"))
    #expect(html.contains("\\u{1b}[31m") && !html.contains("\u{1B}"))
    #expect(html.contains("name=\"viewport\" content=\"width=device-width, initial-scale=1\""))
    #expect(html.contains("default-src 'none'"))
    #expect(html.contains("prefers-color-scheme: dark"))
    #expect(!html.contains("://") || html.split(separator: "://").count == 2, "nothing but the name space of XHTML is an address")
    #expect(html.contains(">step 5</text>"))
  }

  @Test func aLongTableIsFolded() throws {
    var report = try sampleCheck()
    for (rows, isFolded) in [(20, false), (46, true)] {
      report.sections = [.init(title: "Operators", blocks: [.table(head: ["Operator"], rows: Array(repeating: ["exp"], count: rows))])]
      #expect(CheckPage(report, generator: "a test").html.contains("<summary>All \(rows) in a table</summary>") == isFolded)
    }
  }

  @Test func whatBrokeEarlyAgreesWithNothing() throws {
    var report = try sampleCheck()
    report.differences = []
    #expect(CheckPage(report, generator: "a test").html.contains("Nothing that is recorded differs"))
    report.standing = .broken
    #expect(!CheckPage(report, generator: "a test").html.contains("differs in the environment"))
  }

  @Test func otherSections() throws {
    var report = try sampleCheck()
    report.sections = [.init(title: "Operators", blocks: [.text("a & b"), .table(head: ["Operator", "ULP"], rows: [["matmul", "<1"]])])]
    let html = CheckPage(report, generator: "a test").html
    #expect(html.contains("<h2>Operators</h2>") && html.contains("<p>a &amp; b</p>") && html.contains("data-label=\"ULP\">&lt;1</td>"))
  }

  @Test func terminal() throws {
    let report = try sampleCheck()
    #expect(report.text[0] == "verdict: drift")
    #expect(report.text[1].hasPrefix("  loss leaves its band at step 5"))
    #expect(report.text[2] == "  loss  █▄▃▂▁▁  1.0000 → 0.2000" || report.text[2].hasPrefix("  loss  █"))
    #expect(report.text.contains("  metric auc: within 0 (band 1.0e-4)"))
    let same = try sampleCheck(losses: [1, 0.5, 0.4, 0.3, 0.25, 0.2])
    #expect(same.text[1] == "  the same bits as the baseline through step 6, in all that is judged")
    #expect(same.exitCode == .asExpected)
  }

  @Test func junitAndSARIF() throws {
    let drift = try sampleCheck()
    let junit = JUnitReport(drift).text
    #expect(junit.contains("tests=\"4\" failures=\"2\""))
    #expect(junit.contains("<testcase classname=\"envctl.check\" name=\"metric auc\" time=\"0.0\"/>"))
    #expect(junit.contains("<failure type=\"drift\""))
    struct Log: Decodable {
      struct Run: Decodable {
        struct Result: Decodable { var ruleId: String }
        var results: [Result]
      }
      var runs: [Run]
    }
    func results(_ report: CheckReport) throws -> [String] {
      let bytes = try CanonicalJSON.encode(SARIFLog(report, version: "0.1.0"))
      return try CanonicalJSON.decode(Log.self, from: bytes, object: "the log").runs.flatMap(\.results).map(\.ruleId)
    }
    #expect(try results(drift) == ["EV001"])
    let same = try sampleCheck(losses: [1, 0.5, 0.4, 0.3, 0.25, 0.2])
    #expect(try results(same).isEmpty)
    #expect(JUnitReport(same).text.contains("failures=\"0\""))
    #expect(GitHubAnnotation(drift).description.hasPrefix("::error file=envctl.yaml,line=1"))
    #expect(GitHubAnnotation(same).description.hasPrefix("::notice file=envctl.yaml,line=1"))
  }

  @Test("no name ends a cell, a line or its escaping") func markdown() throws {
    let text = try sampleCheck().markdown
    #expect(text.hasPrefix("## envctl check: ⚠️ drift\n\nloss leaves its band at step 5"))
    #expect(text.contains("| loss | 4.0e-4 at step 5 | 1.0e-6 | beyond band |\n"))
    #expect(text.contains("| package | numpy | 1.26.4 | 2.0 \\| \"x\" \\&amp;\\\\u\\{1b\\}\\[31m |"))
    #expect(text.contains("python3 \\<script\\>alert\\(1\\)\\</script\\>"))
  }
}
