/// Places, keys and shapes: what a YAML file may hold, and how its mistakes are told.
import EnvCore
import Testing

@testable import StrictYAML

@Suite struct YAMLTests {
  private func parse(_ text: String) throws(YAMLError) -> YAMLNode { try YAMLNode.parse(Array(text.utf8), file: "f.yaml") }

  static let mistakes: [(String, String)] = [
    ("", "f.yaml:1:1: the file is empty"), ("# only a comment\n", "f.yaml:1:1: the file is empty"),
    ("a: 1\nb: 2\na: 3\n", "f.yaml:3:1: the key 'a' stands here twice"), ("a:\n\tb: 1\n", "f.yaml:2:"),
    ("a: [1, 2\nb: 3\n", "not valid YAML"), ("a: &x 1\nb: *x\n", "anchors and aliases are not supported"),
    ("a: *x\n", "f.yaml:1:4: anchors and aliases are not supported"), ("a: @x", "not valid YAML"), ("%", "not valid YAML"),
    ("a: 1\n---\nb: 2\n", "f.yaml:3:1: not valid YAML: a second document"), ("a: \"x\n", "not valid YAML"),
    ("? [a, b]\n: 1\n", "f.yaml:1:3: a key must be plain text"), ("a: b: c\n", "f.yaml:1:5: not valid YAML"),
    ("a: ü\nb: x\u{7}y\n", "f.yaml:2:5: not valid YAML"),
  ]

  @Test(arguments: mistakes) func broken(_ text: String, _ message: String) {
    do {
      _ = try parse(text)
      Issue.record("\(text) was read")
    } catch {
      #expect(error.summary.hasPrefix("f.yaml:"))
      #expect(error.summary.contains(message), "\(error.summary)")
      #expect(error.exitCode == .usage)
    }
  }

  @Test func notUTF8() {
    #expect(throws: YAMLError.self) { try YAMLNode.parse([0x61, 0x3a, 0x20, 0xff], file: "f.yaml") }
  }

  @Test("nesting is bounded", arguments: [65, 999]) func deep(_ depth: Int) {
    #expect(throws: YAMLError.self) { try parse(String(repeating: "[", count: depth) + String(repeating: "]", count: depth)) }
    #expect(throws: YAMLError.self) { try parse(String(repeating: "[", count: depth)) }
    #expect(throws: YAMLError.self) {
      try parse((0..<min(depth, 1500)).map { String(repeating: " ", count: $0) + "a:" }.joined(separator: "\n"))
    }
  }

  @Test("aliases of aliases fill no memory") func laughs() {
    let levels = (1..<30).map { "l\($0): &l\($0) [*l\($0 - 1), *l\($0 - 1)]" }
    #expect(throws: YAMLError.self) { try parse((["l0: &l0 x"] + levels).joined(separator: "\n")) }
  }

  @Test func places() throws {
    let top = try YAMLMapping(try parse("a: 1\nb:\n  - x\n  - y: [p, q]\n"), allowed: ["a", "b"])
    let items = try top.required("b").items()
    #expect(items[0].mark == YAMLMark(file: "f.yaml", line: 3, column: 5))
    #expect(try items[1].pairs()[0].value.items()[1].mark == YAMLMark(file: "f.yaml", line: 4, column: 12))
    #expect(try top.required("a").integer() == 1)
  }

  @Test func unknownKey() throws {
    let node = try parse("image: x\nmuont: y\n")
    do {
      _ = try YAMLMapping(node, allowed: ["image", "mount"])
      Issue.record("the key was accepted")
    } catch {
      #expect(error.summary == "f.yaml:2:1: unknown key 'muont'")
      #expect(error.hint == "did you mean 'mount'?")
    }
    #expect(
      throws: YAMLError(mark: YAMLMark(file: "f.yaml", line: 1, column: 1), problem: "unknown key 'image'", hint: "known keys here: qqqq")
    ) {
      try YAMLMapping(node, allowed: ["qqqq"])
    }
  }

  enum Word: String, CaseIterable { case quick, full }

  @Test func scalars() throws {
    let top = try YAMLMapping(
      try parse("t: true\nn: no\nq: qiuck\ni: 12x\nz:\ne: ''\nl: [a, b]\nm: {x: 1, y: }\nw: full\nquoted: 'null'\n"),
      allowed: ["t", "n", "q", "i", "z", "e", "l", "m", "w", "quoted", "missing"])
    #expect(try top.required("t").boolean())
    #expect(throws: YAMLError.self) { try top.required("n").boolean() }
    #expect(try top.required("w").choice(Word.self) == .full)
    #expect(
      throws: YAMLError(
        mark: YAMLMark(file: "f.yaml", line: 3, column: 4), problem: "'qiuck' is none of quick, full", hint: "did you mean 'quick'?")
    ) {
      try top.required("q").choice(Word.self)
    }
    #expect(throws: YAMLError.self) { try top.required("i").integer() }
    #expect(top["z"] == nil)
    #expect(try top["quoted"]?.string() == "null")
    #expect(throws: YAMLError.self) { try top.required("z") }
    #expect(throws: YAMLError.self) { try top.required("missing") }
    #expect(throws: YAMLError.self) { try top.required("e").nonEmptyString() }
    #expect(try top.required("l").strings() == ["a", "b"])
    #expect(throws: YAMLError.self) { try top.required("l").string() }
    #expect(try top.required("m").stringPairs().map { "\($0.key)=\($0.value)" } == ["x=1", "y="])
    #expect(throws: YAMLError.self) { try top.required("l").pairs() }
  }
}

@Suite struct YAMLStreamTests {
  private func parse(_ text: String) throws(YAMLError) -> [YAMLNode] { try YAMLNode.parseStream(Array(text.utf8), file: "f.yaml") }

  @Test("documents, anchors, tags and merge keys of other programs are read; a copy keeps the place of its original") func lenient() throws
  {
    let documents = try parse("a: &x {p: 1, q: 2}\nb:\n  <<: *x\n  q: 3\nc: !t [*x]\n---\n---\nd: yes\n")
    #expect(documents.count == 3)
    #expect(documents[1].isNull)
    let merged = try documents[0].pairs()[1].value.pairs()
    #expect(try merged.map { try "\($0.key)=\($0.value.string())" } == ["q=3", "p=1"])
    #expect(merged[1].value.mark == YAMLMark(file: "f.yaml", line: 1, column: 11))
    #expect(try documents[0].pairs()[2].value.items()[0].pairs().count == 2)
    #expect(try documents[2].pairs()[0].value.string() == "yes")
    #expect(try parse("").isEmpty)
    let keys = try parse("k: &k name\n*k : 1\n? [p, q]\n: 2\n")[0].pairs()
    #expect(keys.map(\.key) == ["k", "name"])
    #expect(try parse("\u{FEFF}a: 1\n")[0].pairs()[0].key == "a")
  }

  @Test("the strict reader stays strict") func strict() {
    #expect(throws: YAMLError.self) { try YAMLNode.parse(Array("a: &x 1\nb: *x\n".utf8), file: "f.yaml") }
    #expect(throws: YAMLError.self) { try YAMLNode.parse(Array("a: 1\n---\nb: 1\n".utf8), file: "f.yaml") }
  }

  @Test("what would take memory or time without measure is refused") func large() {
    for (text, problem) in [
      (String(repeating: "- a\n", count: 1_100_000), "more than 1000000 values"),
      (String(repeating: "--- a\n", count: 50_001), "more than 50000 documents"),
      (String(repeating: "%TAG !a! !a\n", count: 1001) + "--- a\n", "too many lines begin with '%'"),
    ] {
      let error = #expect(throws: YAMLError.self) { try parse(text) }
      #expect(error?.problem.contains(problem) == true, "\(error?.summary ?? "")")
    }
  }

  @Test func refused() {
    for text in ["a: *x\n", "a: [", "a: 1\na: 2\n", String(repeating: "[", count: 200) + String(repeating: "]", count: 200)] {
      #expect(throws: YAMLError.self) { try parse(text) }
    }
    let levels = (1..<40).map { "l\($0): &l\($0) [*l\($0 - 1), *l\($0 - 1)]" }.joined(separator: "\n")
    #expect(throws: YAMLError.self) { try parse("l0: &l0 x\n" + levels) }
    #expect(throws: YAMLError.self) { try parse("l0: &l0 x\n" + levels + "\n*l39 : 1\n") }
    #expect(throws: YAMLError.self) { try parse("a: &a [*a]\n") }
    // Each only one level deeper than the one before.
    let chain = (1..<200).map { "l\($0): &l\($0) [*l\($0 - 1)]" }.joined(separator: "\n")
    #expect(throws: YAMLError.self) { try parse("l0: &l0 x\n" + chain) }
  }
}
