/// What is a digest and what is not; how quantities, hints and chains of errors read.
import Testing

@testable import EnvCore

private let hex = String(repeating: "0123456789abcdef", count: 4)

@Suite struct DigestTests {
  @Test func parsed() throws {
    let digest = try Digest(parsing: "sha256:" + hex)
    #expect(digest.hex == hex)
    #expect(digest.description == "sha256:" + hex)
    #expect(digest.short == "0123456789ab")
    #expect(try Digest(parsing: "x sha256:\(hex)".dropFirst(2)) == digest)
    let eight: [UInt8] = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]
    let bytes = eight + eight + eight + eight
    #expect(Digest(sha256Bytes: bytes) == digest)
    #expect(try Digest(hex: String(repeating: "0", count: 64)) < digest)
  }

  static let rejected: [String] = [
    "", ":", "sha256", "sha256:", "sha256:\(hex.dropLast())", "sha256:\(hex)0", "sha256:\(hex.uppercased())", hex,
    "sha256:\(hex.dropLast())g", "sha256: \(hex.dropLast())", "sha256:\(hex)\n", "sha256:../\(hex.dropLast(3))",
    "sha256::\(hex.dropLast())", "sha256:" + String(repeating: "\u{e9}", count: 32), "sha256:\(hex.dropLast(2))0\u{301}",
  ]

  @Test(arguments: rejected) func malformed(_ text: String) {
    #expect(throws: DigestError.self) { try Digest(parsing: text) }
  }

  @Test(arguments: ["sha512", "SHA256", "md5", "", " sha256", "sha256+b64", "../sha256"]) func algorithm(_ name: String) {
    #expect(throws: DigestError.unsupportedAlgorithm(name)) { try Digest(parsing: name + ":" + hex) }
  }

  @Test func errors() {
    #expect(DigestError.malformed("x").exitCode == .verification)
    #expect(DigestError.malformed(String(repeating: "x", count: 10_000)).summary.count < 200)
  }
}

@Suite struct WordingTests {
  @Test(arguments: [
    (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12_345, "12.3 kB"), (99_949, "99.9 kB"), (99_950, "100 kB"), (999_499, "999 kB"),
    (999_500, "1.0 MB"), (741_000_000, "741 MB"), (2_700_000_000, "2.7 GB"), (5_000_000_000_000_000, "5000 TB"),
  ]) func byteCounts(_ bytes: Int, _ text: String) { #expect(ByteCount(bytes).description == text) }

  @Test(arguments: [
    (0, "0 ms"), (8, "8 ms"), (999, "999 ms"), (1000, "1.0 s"), (1349, "1.3 s"), (99_900, "99.9 s"), (99_960, "1 min 40 s"),
    (125_000, "2 min 05 s"), (3_600_000, "60 min 00 s"),
  ]) func durations(_ milliseconds: Int, _ text: String) { #expect(Duration.milliseconds(milliseconds).forPeople == text) }

  @Test func nearestNames() {
    let known = ["environment", "mount", "env", "gpu", "check"]
    #expect(nearest(to: "enviroment", among: known) == ["environment"])
    #expect(nearest(to: "muont", among: known) == ["mount"])
    #expect(nearest(to: "chekc", among: known) == ["check"])
    #expect(nearest(to: "GPU", among: known).first == "gpu")
    #expect(nearest(to: "completely-else", among: known).isEmpty)
    #expect(nearest(to: "", among: ["environment"]).isEmpty)
    #expect(nearest(to: "a", among: []).isEmpty)
    #expect(nearest(to: "paddle-2.6", among: ["paddle-2.6-cpu", "torch-2.1"]) == ["paddle-2.6-cpu"])
    #expect(nearest(to: "ab", among: ["abc", "abd", "abe", "abf"]).count == 3)
    #expect(didYouMean("mont", among: known) == "did you mean 'mount'?")
    #expect(didYouMean("zzzzzz", among: known) == nil)
  }

  struct Example: Diagnostic {
    var summary: String
    var cause: (any Error)?
    var hint: String?
    var exitCode: ExitCode
  }
  struct Foreign: Error, CustomStringConvertible { var description: String { "foreign" } }

  @Test func chains() {
    let inner = Example(summary: "inner", cause: Foreign(), hint: "do this", exitCode: .host)
    let middle = Example(summary: "middle", cause: inner, hint: "do that", exitCode: .verification)
    let chain = DiagnosticChain(Example(summary: "outer", cause: middle, hint: nil, exitCode: .failed))
    #expect(chain.summaries == ["outer", "middle", "inner", "foreign"])
    #expect(chain.hint == "do this")
    #expect(chain.exitCode == .verification)
    #expect(DiagnosticChain(Foreign()).summaries == ["foreign"])
    #expect(DiagnosticChain(Foreign()).exitCode == .failed)
  }
}
