/// Comments and baselines that silence findings, and what they must not silence.
import EnvCore
import Testing

@testable import EnvPolicy

@Suite struct SuppressionTests {
  static let comments: [(String, String, [String])] = [
    ("# envctl:ignore EC103 -- why\nFROM a:1\n", "Dockerfile", []),
    ("# envctl:ignore tag-without-digest -- why\nFROM a:1\n", "Dockerfile", []),
    ("# envctl:ignore EC102, EC103 -- why\nFROM a:1\n", "Dockerfile", []),
    ("FROM a:1\n# envctl:ignore EC103 -- why\n", "Dockerfile", ["EC103", "EC902"]),
    ("# envctl:ignore EC103 -- why\n\nFROM a:1\n", "Dockerfile", ["EC902", "EC103"]),
    ("# envctl:ignore EC102 -- why\nFROM a:1\n", "Dockerfile", ["EC902", "EC103"]),
    ("# envctl:ignore EC103\nFROM a:1\n", "Dockerfile", ["EC901", "EC103"]),
    ("# envctl:ignore EC103 --\nFROM a:1\n", "Dockerfile", ["EC901", "EC103"]),
    ("# envctl:ignore\nFROM a:1\n", "Dockerfile", ["EC901", "EC103"]),
    ("# envctl:ignore EC999 -- why\nFROM a:1\n", "Dockerfile", ["EC902", "EC103"]),
    ("FROM a:1\nFROM b:1\n# envctl:ignore-file EC103 -- why\n", "Dockerfile", []),
    ("FROM a@\(digest)\n# envctl:ignore-file EC103 -- why\n", "Dockerfile", ["EC902"]),
    ("services:\n  w:\n    image: a:1 # envctl:ignore EC103 -- why\n    x: 1\n", "compose.yml", []),
    ("services:\n  w:\n    image: a:1 # envctl:ignore EC103 -- why\n  v:\n    image: b:1\n", "compose.yml", ["EC103"]),
    ("{\n  // envctl:ignore EC102 -- why\n  \"image\": \"a\"\n}\n", "devcontainer.json", []),
    ("docker run a:1 # envctl:ignore EC103 -- why\n", "x.sh", []),
    ("FROM a@\(digest)\n# envctl:ignore EC201 -- why\nRUN true \\\n && apt-get install \\\n curl\n", "Dockerfile", []),
    ("FROM a@\(digest)\nRUN true \\\n # envctl:ignore EC201 -- why\n && apt-get install curl\n", "Dockerfile", []),
    // The words in a value are no comment.
    ("FROM a:1\nENV X=envctl:ignore-file\n", "Dockerfile", ["EC103"]),
    ("a: 1 # envctl:ignored EC103 -- why\n", "compose.yml", []),
    ("docker run a:1 envctl:ignore # envctl:ignore EC103 -- why\n", "x.sh", []),
    ("docker run a:1 # envctl:ignore EC103 -- why # envctl:ignore EC101 -- why\n", "x.sh", []),
    ("# envctl:ignore \(String(repeating: "EC102,", count: 64))EC103 -- why\nFROM a:1\n", "Dockerfile", ["EC902", "EC103"]),
  ]

  @Test(arguments: comments) func comment(_ text: String, _ path: String, _ expected: [String]) { #expect(ids(text, path) == expected) }

  @Test func reason() {
    let lint = FileLint(Array("# envctl:ignore EC103 --   the   reason \nFROM a:1\n".utf8), path: "Dockerfile")
    #expect(lint.suppressed.map(\.reason) == ["the reason"])
    #expect(lint.suppressed.map(\.finding.rule.id) == ["EC103"])
  }

  @Test("a suppression is not called unused when its rule was not asked for") func chosenRules() throws {
    let bytes = Array("# envctl:ignore EC103 -- why\nFROM a:1\nRUN pip install x\n".utf8)
    #expect(FileLint(bytes, path: "Dockerfile", rules: [try Rule.named("EC202")]).findings.map(\.rule.id) == ["EC202"])
    #expect(FileLint(bytes, path: "Dockerfile", rules: []).findings.isEmpty)
  }

  private func report(_ text: String) -> LintReport {
    var report = LintReport()
    report.findings = FileLint(Array(text.utf8), path: "Dockerfile").findings
    return report
  }

  @Test func baseline() throws {
    let old = report("FROM a:1\nFROM b:1\nRUN pip install x\n")
    let file = try LintBaseline(old.findings).encoded()
    let baseline = try LintBaseline(parsing: file, file: "b.json")
    #expect(try baseline.encoded() == file)
    var moved = report("# new\n\nFROM   b:1 AS x\nFROM a:1\nRUN pip   install x\n")
    baseline.apply(to: &moved)
    #expect(moved.findings.isEmpty)
    #expect(moved.known.count == 3)
    #expect(moved.exitCode == .asExpected)
    // The same once more is new.
    var more = report("FROM a:1\nFROM a:1\nFROM c:1\n")
    baseline.apply(to: &more)
    #expect(more.findings.map(\.message) == ["stage 2: 'a:1' has a tag and no digest", "stage 3: 'c:1' has a tag and no digest"])
    #expect(more.exitCode == .policy)
  }

  @Test(arguments: ["", "{}", "[]", "{\"schema\":2,\"findings\":[]}", "{\"schema\":1}", "\u{0}"]) func brokenBaseline(_ text: String) throws
  {
    let error = try #require(throws: PolicyError.self) { try LintBaseline(parsing: Array(text.utf8), file: "b.json") }
    #expect(error.summary.hasPrefix("the baseline 'b.json' cannot be used"))
    #expect(error.exitCode == .usage)
  }
}
