/// The forms a report takes: golden texts, and what SARIF, JUnit and GitHub demand of theirs.
import EnvCore
import EnvPolicy
import Testing

@testable import EnvReport

@Suite struct FormTests {
  private func report(_ text: String, _ path: String = "Dockerfile") -> LintReport {
    let lint = FileLint(Array(text.utf8), path: path)
    var report = LintReport()
    report.findings = lint.findings
    report.suppressed = lint.suppressed
    report.filesRead = 1
    report.filesSeen = 1
    return report
  }

  private static let sample = "FROM python:3.11 AS x\nFROM x\n# envctl:ignore EC102 -- a test\nFROM y\nRUN pip install a==1\n"

  @Test func text() {
    #expect(
      LintText(report(Self.sample)).text == """
        Dockerfile:1:6: error: stage 'x': 'python:3.11' has a tag and no digest [EC103 tag-without-digest]
         1 | FROM python:3.11 AS x
           |      ^~~~~~~~~~~
           fix: append the digest: python:3.11@sha256:…

        Dockerfile:5:17: warning: RUN: pip compares no hashes for 'a==1' [EC203 pip-without-hashes]
         5 | RUN pip install a==1
           |                 ^~~~
           fix: Install with --require-hashes from a requirements file that carries them.

        1 error, 1 warning in 1 file, 1 suppressed

        """)
    #expect(LintText(report("FROM scratch\n")).text == "nothing found in 1 file\n")
  }

  @Test("the caret stands under wide characters, tabs and in long lines") func caret() {
    let wide = LintText(report("services:\n  服务: {image: a:1}\n", "compose.yml")).text.split(separator: "\n")
    #expect(wide[1] == " 2 |   服务: {image: a:1}")
    #expect(wide[2] == "   |                 ^~~")
    let tab = LintText(report("FROM\ta:1\n")).text.split(separator: "\n")
    #expect(tab[1] == " 1 | FROM a:1")
    #expect(tab[2] == "   |      ^~~")
    let long = LintText(report("FROM --platform=" + String(repeating: "x", count: 5000) + " a:1 AS " + String(repeating: "y", count: 5000)))
      .text
    #expect(long.utf8.count < 1500)
    let lines = long.split(separator: "\n")
    let at = lines[2].firstIndex(of: "^")
    #expect(at.map { lines[1].dropFirst(lines[2].distance(from: lines[2].startIndex, to: $0)).hasPrefix("a:1") } == true)
  }

  @Test func json() throws {
    let text = String(decoding: try CanonicalJSON.encode(LintDocument(report("FROM a:1\n"))), as: UTF8.self)
    #expect(
      text == """
        {"findings":[{"column":6,"endColumn":9,"endLine":1,"file":"Dockerfile","fingerprint":"\(report("FROM a:1\n").findings[0].fingerprint)",\
        "fixable":"docker.io/library/a:1","line":1,"message":"stage 1: 'a:1' has a tag and no digest","name":"tag-without-digest","rule":"EC103",\
        "severity":"error","suggestion":"append the digest: a:1@sha256:…"}],"schema":1,"skipped":[],\
        "summary":{"errors":1,"filesRead":1,"filesSeen":1,"known":0,"notes":0,"skipped":0,"suppressed":0,"warnings":0},"suppressed":[]}
        """)
    let rules = String(decoding: try CanonicalJSON.encode(RuleDocument(Rule.all)), as: UTF8.self)
    #expect(rules.contains("\"id\":\"EC101\",\"name\":\"moving-tag\""))
  }

  @Test func github() {
    let findings = report("FROM a:1\n", "x,y:z/Dockerfile").findings
    #expect(
      findings.map { GitHubAnnotation($0).description } == [
        "::error file=x%2Cy%3Az/Dockerfile,line=1,endLine=1,col=6,endColumn=8,title=EC103 tag-without-digest"
          + "::stage 1: 'a:1' has a tag and no digest%0Aappend the digest: a:1@sha256:…"
      ])
    let note = GitHubAnnotation(report("FROM $X\n").findings[0])
    #expect(note.description.hasPrefix("::notice "))
    let odd = GitHubAnnotation(level: .warning, title: "50%", message: "a\r\nb: c, d", file: "f", line: 1, column: 1, lastColumn: 1)
    #expect(odd.description == "::warning file=f,line=1,endLine=1,col=1,endColumn=1,title=50%25::a%0D%0Ab: c, d")
  }

  @Test("nothing from elsewhere steers the terminal or begins a line") func printables() throws {
    let every = [0x1B, 0x7F, 0x9B, 0x0A, 0x0D, 0x202A, 0x202E, 0x2066, 0x2069].compactMap { Unicode.Scalar(UInt32($0)).map { String($0) } }
    #expect(printable("ä\u{1B}[31m\n\u{9B}\u{202E}") == "ä\\u{1b}[31m\\u{a}\\u{9b}\\u{202e}")
    for character in every {
      let name = "a\(character)::error::x/Dockerfile"
      let found = report("FROM a:1 # \(character == "\n" || character == "\r" ? "" : character)\n", name)
      let text = LintText(found).text
      let annotation = try #require(found.findings.map { GitHubAnnotation($0).description }.first)
      let commands = text.split(separator: "\n").filter { $0.hasPrefix("::error::") }
      #expect(commands.isEmpty)
      let controls = text.unicodeScalars.filter { $0.controlsTerminal && $0 != "\n" }
      #expect(controls.isEmpty, "\(printable(text))")
      #expect(annotation == printable(annotation))
    }
    struct Told: Diagnostic {
      var summary: String { "a\u{1B}" }
      var hint: String? { "b\u{202E}\u{9B}" }
    }
    #expect(ErrorText(Told()).text == "error: a\\u{1b}\n\nhint: b\\u{202e}\\u{9b}\n")
    #expect(ErrorText(Told()).document.error.hint == "b\u{202E}\u{9B}")
  }

  @Test func junit() {
    #expect(
      JUnitReport(report("FROM a:1\nRUN pip install 'b[c]==1'\n", "<&>/Dockerfile")).text == """
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="envctl lint" tests="2" failures="1" errors="0" skipped="0">
          <testsuite name="&lt;&amp;&gt;/Dockerfile" tests="2" failures="1" errors="0" skipped="0">
            <testcase classname="&lt;&amp;&gt;/Dockerfile" name="EC103 tag-without-digest at line 1, column 6" time="0.0">
              <failure type="EC103" message="stage 1: 'a:1' has a tag and no digest">&lt;&amp;&gt;/Dockerfile:1:6: stage 1: 'a:1' has a tag and no digest
        fix: append the digest: a:1@sha256:…</failure>
            </testcase>
            <testcase classname="&lt;&amp;&gt;/Dockerfile" name="EC203 pip-without-hashes at line 2, column 18" time="0.0">
              <system-out>warning: &lt;&amp;&gt;/Dockerfile:2:18: RUN: pip compares no hashes for 'b[c]==1'
        fix: Install with --require-hashes from a requirements file that carries them.</system-out>
            </testcase>
          </testsuite>
        </testsuites>

        """)
    #expect(
      JUnitReport(report("FROM scratch\n")).text == """
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="envctl lint" tests="1" failures="0" errors="0" skipped="0">
          <testsuite name="envctl lint" tests="1" failures="0" errors="0" skipped="0">
            <testcase classname="envctl.lint" name="nothing found" time="0.0"/>
          </testsuite>
        </testsuites>

        """)
    let odd = JUnitReport(
      name: "\u{1}\"\n",
      suites: [.init(name: "s", cases: [.init(className: "c", name: "n", outcome: .skipped(message: "a<b"), seconds: 1.5)])])
    #expect(odd.text.contains("<testsuites name=\"\u{FFFD}&quot;&#10;\" tests=\"1\" failures=\"0\" errors=\"0\" skipped=\"1\">"))
    #expect(odd.text.contains("time=\"1.5\">\n      <skipped message=\"a&lt;b\"/>"))
  }
}
