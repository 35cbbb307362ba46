/// References alone: which are pinned, and what is said of those that are not.
import EnvCore
import OCI
import Testing

@testable import EnvPolicy

@Suite struct PinningTests {
  static let references: [(String, String?)] = [
    ("python@\(digest)", nil), ("python:3.11@\(digest)", nil), ("registry:5000/foo/bar:1.0@\(digest)", nil),
    ("python:3.11", "EC103"), ("python", "EC102"), ("registry:5000/foo", "EC102"), ("localhost:5000/a/b", "EC102"),
    ("python:latest", "EC101"), ("paddle:latest-gpu-cuda11.2", "EC101"), ("paddle:3.0.0-nightly", "EC101"), ("x:main", "EC101"),
    ("x:dev", "EC101"), ("x:master", "EC101"), ("debian:stable", "EC101"), ("debian:stable-slim", "EC101"), ("x:edge", "EC101"),
    ("x:LATEST", "EC101"), ("nvcr.io/nvidia/cuda:12.2.0-devel-ubuntu22.04", "EC103"), ("node:20-lts", "EC103"),
    ("x:main-3f2a91c", "EC103"), ("x:nightly-20240115", "EC103"), ("x:sha-3f2a91c7", "EC103"), ("x:dev-facade", "EC101"),
    ("python:latest@\(digest)", "EC104"), ("x:nightly@\(digest)", "EC104"),
    ("Python:3.11", "EC107"), ("python:3.11@sha256:abc", "EC107"), ("python:3.11@md5:\(hex)", "EC107"), ("a b", "EC107"), ("", "EC107"),
    ("x:1.0@\(digest)0", "EC107"), ("docker://python:3.11", "EC103"),
  ]

  @Test(arguments: references) func reference(_ text: String, _ rule: String?) {
    let findings = Pinning.findings(reference: text, place: Place(file: "command line"))
    #expect(findings.map(\.rule.id) == (rule.map { [$0] } ?? []))
    #expect(findings.allSatisfy { $0.place.file == "command line" })
  }

  @Test("a port is no tag, and the message says so") func port() throws {
    let finding = try #require(Pinning.findings(reference: "registry:5000/foo", place: Place(file: "f")).first)
    #expect(finding.message == "'registry:5000/foo' has no tag, ':5000' is its registry's port")
    #expect(try #require(Pinning.findings(reference: "foo", place: Place(file: "f")).first).message == "'foo' has no tag")
  }

  @Test func refusal() throws {
    // A misleading tag beside a digest is no reason to refuse what is pinned.
    for pinned in ["a/b:1@\(digest)", "a/b:latest@\(digest)"] {
      #expect(!Pinning.findings(reference: pinned, place: Place(file: "envctl.yaml")).contains { $0.severity == .error })
    }
    let place = Place(file: "envctl.yaml", line: 2, column: 14)
    let error = PolicyError.unpinned(Pinning.findings(reference: "a/b:1", place: place))
    #expect(error.exitCode == .policy)
    #expect(error.summary == "envctl.yaml: 'a/b:1' has a tag and no digest [EC103]")
    #expect(error.hint == "append the digest: a/b:1@sha256:…; --allow-unpinned goes on as it is, and the lock records it")
  }

  @Test func rules() throws {
    #expect(Set(Rule.all.map(\.id)).count == Rule.all.count)
    #expect(Set(Rule.all.map(\.name)).count == Rule.all.count)
    #expect(Rule.all.map(\.id) == Rule.all.map(\.id).sorted())
    #expect(try Rule.named("moving-tag").id == "EC101")
    #expect(try Rule.named("ec103").name == "tag-without-digest")
    let error = try #require(throws: PolicyError.self) { try Rule.named("moving-tags") }
    #expect(error.hint == "did you mean 'moving-tag'?")
    #expect(error.exitCode == .usage)
  }
}
