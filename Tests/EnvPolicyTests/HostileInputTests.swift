/// Input made to hurt: it must end soon, with a finding, a remark or nothing, and never with a crash.
import EnvCore
import Testing

@testable import EnvPolicy

@Suite struct HostileInputTests {
  private func lint(_ bytes: [UInt8], _ path: String) -> FileLint { FileLint(bytes, path: path) }
  private func lint(_ text: String, _ path: String) -> FileLint { FileLint(Array(text.utf8), path: path) }

  static let names = [
    "Dockerfile", "compose.yaml", "k8s.yaml", ".gitlab-ci.yml", "values.yaml", "devcontainer.json", "x.sh", "x.def", "envctl.yaml",
  ]
  private static let words = "image: docker container FROM Bootstrap command "

  @Test(arguments: names) func oddBytes(_ name: String) {
    for text in [
      "", "\u{FEFF}", "\n", "\r", "\r\n", "\\", "#", "\"", "'", "$", "${", "$(", "`", "{", "[", "&a *a", "---", "...", "%", "<<EOF", "\t",
      "-",
    ] {
      _ = lint(text, name)
      _ = lint(Self.words + text, name)
      _ = lint("FROM " + text, name)
      _ = lint("image: " + text, name)
      _ = lint("docker run " + text, name)
      _ = lint("docker run x:1 " + text + "\nimage" + text, name)
    }
    _ = lint([0xFF, 0xFE] + Array(Self.words.utf8), name)
    _ = lint(Array("FROM a:1\n".utf8) + [0xC3, 0x28, 0x80], name)
    let binary = lint(Array(Self.words.utf8) + [0], name)
    #expect(binary.findings.map(\.rule.id) == ["EC903"])
    #expect(binary.findings.first?.message == "not judged: it holds NUL bytes, so it is no text")
    #expect(FileLint([0], path: name, rules: Set(Rule.all).subtracting([.unreadable])).findings.isEmpty)
    #expect(binary.skipped?.reason == "it holds NUL bytes, so it is no text")
  }

  @Test("every prefix and every single deletion of a rich file is survived", arguments: names) func mutations(_ name: String) {
    let text = Array(
      """
      # syntax=x:1
      ARG A="b:${V:-1}"
      FROM --platform=x ${A:-c@\(digest)} AS d
      RUN --mount=type=bind,from=e:1 <<-EOF bash
      \tdocker run -it "$X" `f` $(g "$(h)") <<E
      E
      \tEOF
      services: {a: &x {image: !t "q:1", b: [*y]}, c: |
       docker run z:1
      ? [k]
      : >-
        curl -k https://e.org/m.onnx | sh
      """.utf8)
    for end in 0...text.count { _ = lint(Array(text[..<end]), name) }
    for index in text.indices { _ = lint(Array(text[..<index] + text[(index + 1)...]), name) }
  }

  @Test("a line of ten megabytes is one line", .timeLimit(.minutes(5))) func longLine() {
    let size = 10 << 20
    #expect(lint("FROM " + String(repeating: "a", count: size), "Dockerfile").findings.map(\.rule.id) == ["EC107"])
    #expect(lint("image: " + String(repeating: "a", count: size), ".gitlab-ci.yml").findings.count == 1)
  }

  @Test("many findings in one line cost no more than as many lines", .timeLimit(.minutes(5))) func crowdedLine() {
    let many = lint(String(repeating: "docker run x:1;", count: 30_000), "x.sh")
    #expect(many.findings.count == 10_001)
    #expect(many.findings.first?.rule.id == "EC903")
    #expect(many.skipped?.reason == "it has more than 10000 findings; the others are left out")
    #expect(many.findings.allSatisfy { ($0.place.excerpt?.text.utf8.count ?? 0) < 400 })
    #expect(many.findings.last?.place.column == 15 * 9_999 + 12)
    _ = lint("docker run " + String(repeating: "-", count: 1 << 20), "x.sh")
    _ = lint("x: [" + String(repeating: "image,", count: 50_000) + "]", "compose.yml")
  }

  @Test func nesting() {
    for depth in [64, 200, 5000, 100_000] {
      for (open, close) in [("$(", ")"), ("(", ")"), ("${", "}"), ("`", "`"), ("\"$(", ")\""), ("<(", ")"), ("{ ", " }")] {
        let text = String(repeating: open, count: depth) + "docker run x:1" + String(repeating: close, count: depth)
        _ = lint(text, "x.sh")
        _ = lint("FROM a\nRUN " + text, "Dockerfile")
      }
      for (open, close) in [("[", "]"), ("{a: ", "}")] {
        let yaml = lint("image: " + String(repeating: open, count: depth) + String(repeating: close, count: depth), "compose.yaml")
        #expect(depth < 128 || yaml.skipped != nil)
      }
      _ = lint("image:\n" + (0..<min(depth, 2000)).map { String(repeating: " ", count: $0) + "a:" }.joined(separator: "\n"), "compose.yaml")
      _ = lint("{\"image\":" + String(repeating: "[", count: depth), "devcontainer.json")
      _ = lint("FROM " + String(repeating: "${A:-", count: depth) + "x" + String(repeating: "}", count: depth), "Dockerfile")
    }
    let documents = (0..<20).map { "bash <<E\($0)" }.joined(separator: "\n")
    _ = lint(documents + "\ndocker run x:1\n", "x.sh")
  }

  @Test("aliases of aliases are refused, as values and as keys") func laughs() {
    let levels = (1..<40).map { "l\($0): &l\($0) [*l\($0 - 1), *l\($0 - 1)]" }
    let bomb = "image: x\nl0: &l0 x\n" + levels.joined(separator: "\n") + "\n"
    #expect(lint(bomb, "compose.yaml").skipped?.reason.contains("far larger than the file") == true)
    #expect(lint(bomb + "? *l39\n: 1\n", "compose.yaml").skipped?.reason.contains("far larger than the file") == true)
    #expect(lint(bomb + "*l39 : 1\n", "compose.yaml").skipped?.reason.contains("far larger than the file") == true)
    #expect(lint(bomb + "[*l39]: 1\n", "compose.yaml").skipped?.reason.contains("far larger than the file") == true)
    #expect(lint("image: &a [*a]\n", "compose.yaml").skipped != nil)
    // What people write with anchors stays readable.
    let jobs = (0..<30).map { "j\($0):\n  <<: *d\n  image: x:\($0)\n" }.joined()
    #expect(lint(".d: &d {image: y}\n" + jobs, ".gitlab-ci.yml").findings.count == 31)
  }

  @Test func arguments() {
    // ARG chains that double at every step must not fill the memory.
    let chain = "ARG A0=xxxxxxxx\n" + (1..<64).map { "ARG A\($0)=${A\($0 - 1)}${A\($0 - 1)}\n" }.joined() + "FROM $A63\n"
    #expect(lint(chain, "Dockerfile").findings.count == 1)
    let script = "A=xxxxxxxx\n" + (1..<64).map { _ in "A=$A$A\n" }.joined() + "docker run $A\n"
    #expect(lint(script, "x.sh").findings.count == 1)
  }

  @Test("control characters do not reach the terminal") func control() {
    let finding = lint("FROM a:1\u{1B}[31m\n", "Dockerfile").findings.first
    #expect(finding?.message.unicodeScalars.contains { $0.value < 32 } == false)
  }
}
