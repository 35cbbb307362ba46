/// `WWW-Authenticate` as registries write it, well and badly.
import Testing

@testable import EnvRegistry

@Suite struct ChallengeTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let fields: [String]
    let expected: [AuthenticationChallenge]
    var testDescription: String { fields.joined(separator: " | ") }

    init(_ fields: String..., expected: [(String, [String: String])]) {
      self.fields = fields
      self.expected = expected.map { AuthenticationChallenge(scheme: $0.0, parameters: $0.1) }
    }
  }

  static let rows: [Row] = [
    Row(
      #"Bearer realm="https://auth.test/token",service="registry.test",scope="repository:a/b:pull,push""#,
      expected: [
        ("bearer", ["realm": "https://auth.test/token", "service": "registry.test", "scope": "repository:a/b:pull,push"])
      ]),
    Row(#"Basic realm="a b""#, expected: [("basic", ["realm": "a b"])]),
    // Several in one field, several fields, and both.
    Row(
      #"Basic realm="one", Bearer realm="https://x",service="s", Negotiate"#,
      expected: [("basic", ["realm": "one"]), ("bearer", ["realm": "https://x", "service": "s"]), ("negotiate", [:])]),
    Row("Negotiate", #"Bearer realm="https://x""#, expected: [("negotiate", [:]), ("bearer", ["realm": "https://x"])]),
    // Quoted text may hold anything, escaped quotes included.
    Row(#"Bearer realm="a,b=\"c\" Basic d",x=1"#, expected: [("bearer", ["realm": #"a,b="c" Basic d"#, "x": "1"])]),
    Row(#"Bearer realm="",service="",scope="#, expected: [("bearer", ["realm": "", "service": "", "scope": ""])]),
    Row(
      "Bearer realm=https://auth.test/token?a=b,service=s",
      expected: [("bearer", ["realm": "https://auth.test/token?a=b", "service": "s"])]),
    Row(#"bEaReR   ReAlM = "x" , Service = "y""#, expected: [("bearer", ["realm": "x", "service": "y"])]),
    Row(#"Bearer realm="never closed"#, expected: [("bearer", ["realm": "never closed"])]),
    Row(#",,, Bearer ,,realm="x",,"#, expected: [("bearer", ["realm": "x"])]),
    Row("", expected: []),
    Row(#"="orphan""#, expected: [("orphan", [:])]),
    Row(#"Bearer realm="x", realm="y""#, expected: [("bearer", ["realm": "y"])]),
  ]

  @Test(arguments: rows) func parses(_ row: Row) { #expect(AuthenticationChallenge.parse(row.fields) == row.expected) }

  /// Bytes at random, from what the grammar is made of: it must end, and take no more than there is.
  @Test func survivesAnything() {
    var random = SystemRandomNumberGenerator()
    let alphabet = Array(#"Bearer Basic realm=",\ ;()é\u{0}\#t"#.unicodeScalars)
    for _ in 0..<2_000 {
      let text = String(String.UnicodeScalarView((0..<Int.random(in: 0...80, using: &random)).compactMap { _ in alphabet.randomElement() }))
      let challenges = AuthenticationChallenge.parse([text])
      #expect(challenges.allSatisfy { !$0.scheme.isEmpty }, "\(text.debugDescription)")
      let taken = challenges.reduce(0) { $0 + $1.scheme.utf8.count + $1.parameters.reduce(0) { $0 + $1.value.utf8.count } }
      // A letter may grow when it is made lowercase, by two bytes at most.
      #expect(taken <= 3 * text.utf8.count, "\(text.debugDescription)")
    }
  }

  @Test func readsNoMoreThanEightKilobytes() {
    let long = #"Bearer realm=""# + String(repeating: "x", count: 1 << 20) + "\""
    #expect(AuthenticationChallenge.parse([long]).first?.parameters["realm"]?.utf8.count ?? 0 < 8 << 10)
  }
}
