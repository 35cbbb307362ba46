/// Input made to hurt: it must end soon, with a finding, a remark or nothing, and never with a crash.
import EnvCore
import Glibc
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
    let yaml = lint("image: " + String(repeating: "a", count: (4 << 20) - 7), ".gitlab-ci.yml")
    #expect(yaml.findings.map(\.rule.id) == ["EC107"])
  }

  @Test("what is read as a tree must be smaller", arguments: ["compose.yaml", "k8s.json", "devcontainer.json"])
  func largeTree(_ name: String) {
    let text = #"{"apiVersion": "v1", "kind": "x", "image": ""# + String(repeating: "a", count: 4 << 20) + "\"}"
    #expect(lint(text, name).skipped?.reason == "it is larger than 4 MiB")
    #expect(lint(text, name).findings.map(\.rule.id) == ["EC903"])
    // Nothing in it for any rule.
    #expect(lint(String(repeating: "a", count: 5 << 20), name).skipped == nil)
  }

  @Test("a line is one comment, however many it seems to hold") func crowdedComment() {
    #expect(lint(String(repeating: "# envctl:ignore ", count: 2000), "Dockerfile").findings.map(\.rule.id) == ["EC901"])
    let lines = [1000, 4000].map { String(repeating: "# envctl:ignored ", count: $0) }
    #expect(time(lines[1], "Dockerfile") < 10 * time(lines[0], "Dockerfile"))
    let reason = lint("docker run a:1 # envctl:ignore EC103 -- " + String(repeating: "a", count: 1 << 20), "x.sh")
    #expect(reason.suppressed.map(\.reason) == [String(repeating: "a", count: 400) + "…"])
  }

  @Test("only the first remarks on comments say what may be meant") func manyComments() {
    let findings = lint(String(repeating: "# envctl:ignore EC10l -- why\n", count: 1000), "Dockerfile").findings
    #expect(findings.count == 1000)
    #expect(findings.first?.suggestion.hasPrefix("did you mean 'EC101'") == true)
    #expect(findings.last?.suggestion == "`envctl lint --rules` lists all rules")
  }

  /// The least processor time in which the text is linted, in seconds: other programs and tests take none of it.
  private func time(_ text: String, _ path: String) -> Double {
    let bytes = Array(text.utf8)
    func now() -> Double {
      var time = timespec()
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
      return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
    let times = (0..<2).map { _ in
      let start = now()
      _ = lint(bytes, path)
      return now() - start
    }
    return times.min() ?? 0
  }

  @Test("of a name as long as the file no finding holds more than a part") func longTexts() {
    let long = String(repeating: "é", count: 1 << 18)
    var collector = Collector(SourceText(path: "x", bytes: Array("x".utf8)))
    collector.report(.movingTag, at: 0..<1, statement: 0, long, suggestion: long, object: long)
    for text in collector.findings.flatMap({ [$0.message, $0.object, $0.suggestion] }) {
      #expect(text == String(repeating: "é", count: 400) + "…")
    }
    let twice = lint("image: x\n" + String(repeating: "? \(long)\n: 1\n", count: 2), "compose.yaml")
    #expect(twice.skipped?.reason.hasPrefix("the key 'é") == true)
    #expect(twice.skipped?.reason.unicodeScalars.count == 401)
  }

  /// What stands around a name, what stands after it, and what can be repeated there and is found each time.
  static let owners: [(String, String, String, String)] = [
    ("k8s.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: '", "'}\nspec:\n  containers:\n", "  - {image: n}\n"),
    (".github/workflows/x.yml", "jobs:\n  ? '", "'\n  : steps:\n", "    - {uses: 'docker://n'}\n"),
    ("compose.yaml", "services:\n  ? '", "'\n  : build:\n      args:\n", "      - BASE=n\n"),
    (".gitlab-ci.yml", "? '", "'\n: services:\n", "  - n\n"), ("values.yaml", "? '", "'\n:\n", "  - image: n\n"),
  ]

  @Test("a name as long as the file costs no more in thousands of findings", arguments: owners)
  func longOwner(_ path: String, _ before: String, _ after: String, _ item: String) {
    let name = String(repeating: "a", count: 1 << 20)
    let items = String(repeating: item, count: 3000)
    let both = before + name + after + items
    #expect(lint(both, path).findings.count >= 3000)
    #expect(time(both, path) < 2.5 * (time(before + name + after + item, path) + time(before + "a" + after + items, path)))
  }

  @Test("a pod may have as many keys as containers") func crowdedPod() {
    let pods = [500, 2000].map { count in
      "apiVersion: v1\nkind: Pod\nspec:\n" + (0..<count).map { "  k\($0): x\n" }.joined() + "  containers:\n"
        + String(repeating: "  - {image: n}\n", count: count)
    }
    #expect(time(pods[1], "k8s.yaml") < 10 * time(pods[0], "k8s.yaml"))
  }

  @Test("a container may request as many devices as it limits") func crowdedContainer() {
    let pods = [500, 2000].map { count in
      let devices = (0..<count).map { "x.com/gpu\($0): 1" }.joined(separator: ", ")
      return "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: n\n    resources:\n"
        + "      limits: {\(devices)}\n      requests: {\(devices)}\n"
    }
    #expect(time(pods[1], "k8s.yaml") < 10 * time(pods[0], "k8s.yaml"))
    #expect(lint(pods[0], "k8s.yaml").findings.map(\.rule.id).sorted() == ["EC102", "EC501", "EC502"])
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
