/// `--fix`: digests in their places and every other byte as it was.
import EnvCore
import OCI
import SafeFS
import SystemPackage
import TestSupport
import Testing

@testable import EnvPolicy

@Suite struct FixerTests {
  /// Knows one digest for each repository and no others.
  struct KnownDigests: DigestResolver {
    struct Unknown: Error {}
    func digest(of reference: ImageReference) throws -> Digest {
      guard reference.repository != "library/gone", let tag = reference.tag else { throw Unknown() }
      return Digest.fake(reference.repository + ":" + tag)
    }
  }

  static let files: [(name: String, before: String, after: String)] = [
    (
      "Dockerfile", "# syntax=docker/dockerfile:1  \r\nFROM  a:1   AS x # no comment\r\nFROM x\r\nCOPY --from=b:2 /a /b\r\nRUN true",
      "# syntax=docker/dockerfile:1@{docker/dockerfile:1}  \r\nFROM  a:1@{library/a:1}   AS x # no comment\r\nFROM x\r\n"
        + "COPY --from=b:2@{library/b:2} /a /b\r\nRUN true"
    ),
    ("a/Dockerfile", "ARG B=\"a:1\"\nFROM $B\nFROM ${B} AS y\n", "ARG B=\"a:1@{library/a:1}\"\nFROM $B\nFROM ${B} AS y\n"),
    (
      "b/Dockerfile", "FROM ${B:-a:1}\nFROM a:${V:-1}\nFROM a\n",
      "FROM ${B:-a:1@{library/a:1}}\nFROM a:${V:-1}\nFROM a@{library/a:latest}\n"
    ),
    (
      "compose.yml", "\u{FEFF}services: # 注\n  w: {image: 'a:1'}   # keep\n  v:\n    image:   \"a:1\"\n  u:\n    image: a:latest\n",
      "\u{FEFF}services: # 注\n  w: {image: 'a:1@{library/a:1}'}   # keep\n  v:\n    image:   \"a:1@{library/a:1}\"\n"
        + "  u:\n    image: a:latest@{library/a:latest}\n"
    ),
    (
      "x.sh", "I='a:1'\ndocker run \"$I\" b:2 && apptainer run docker://c:3\n",
      "I='a:1@{library/a:1}'\ndocker run \"$I\" b:2 && apptainer run docker://c:3\n"
    ),
    (
      ".github/workflows/c.yml",
      "jobs:\n  j:\n    container: a:1\n    steps:\n    - uses: docker://a:1\n    - run: |\n        docker pull a:1\n",
      "jobs:\n  j:\n    container: a:1@{library/a:1}\n    steps:\n    - uses: docker://a:1@{library/a:1}\n    - run: |\n"
        + "        docker pull a:1@{library/a:1}\n"
    ),
    ("devcontainer.json", "{ /* x */ \"image\": \"a:1\", }", "{ /* x */ \"image\": \"a:1@{library/a:1}\", }"),
    ("Dockerfile.gone", "FROM gone:1\nFROM a:1\n", "FROM gone:1\nFROM a:1@{library/a:1}\n"),
    ("Dockerfile.ignored", "# envctl:ignore EC103 -- why\nFROM a:1\n", "# envctl:ignore EC103 -- why\nFROM a:1\n"),
    ("values.yaml", "image:\n  repository: a\n  tag: 1\n", "image:\n  repository: a\n  tag: 1\n"),
  ]

  /// `{repository:tag}` stands for its digest.
  private func filled(_ text: String) -> String {
    var result = text
    for name in ["docker/dockerfile:1", "library/a:1", "library/b:2", "library/a:latest"] {
      result = result.split(separator: "{\(name)}", omittingEmptySubsequences: false).joined(separator: Digest.fake(name).description)
    }
    return result
  }

  @Test func everyFormat() throws {
    try withTemporaryFolder { folder in
      for file in Self.files {
        let path = folder.appending(file.name)
        try FileSystem.createDirectories(path.removingLastComponent())
        try FileSystem.writeAtomically(Array(file.before.utf8), to: path)
      }
      let script = folder.appending("x.sh")
      try FileSystem.setPermissions(script, 0o750)
      let report = try Linter.lint(LintRequest(roots: [folder]))
      let outcome = Fixer.fix(report, resolver: KnownDigests())
      for file in Self.files {
        let text = String(decoding: try FileSystem.readFile(folder.appending(file.name)), as: UTF8.self)
        #expect(text == filled(file.after), "\(file.name)")
      }
      #expect(try FileSystem.status(script)?.permissions == 0o750)
      #expect(outcome.failures.count == 1)
      #expect(outcome.failures.first?.summary == "\(folder)/Dockerfile.gone:1: the digest of 'docker.io/library/gone:1' could not be had")
      #expect(outcome.applied.filter(\.wasMoving).map { "\($0.reference.tag ?? "")" } == ["latest", "latest"])
      // A second look finds nothing more to pin but what could not be had; no temporary file stays.
      let again = try Linter.lint(LintRequest(roots: [folder]))
      #expect(again.findings.compactMap(\.pin).map(\.reference.repository) == ["library/gone"])
      #expect(try FileSystem.list(folder).filter { $0.hasPrefix(".") } == [".github"])
    }
  }

  @Test("a file that changed meanwhile is refused") func changed() throws {
    try withTemporaryFolder { folder in
      let path = folder.appending("Dockerfile")
      try FileSystem.writeAtomically(Array("FROM a:1\n".utf8), to: path)
      let report = try Linter.lint(LintRequest(roots: [folder]))
      try FileSystem.writeAtomically(Array("# new\nFROM a:1\n".utf8), to: path)
      let outcome = Fixer.fix(report, resolver: KnownDigests())
      #expect(outcome.applied.isEmpty)
      #expect(outcome.failures.map(\.summary) == ["'\(path)' changed while it was linted, so nothing was written to it"])
      #expect(try FileSystem.readFile(path) == Array("# new\nFROM a:1\n".utf8))
    }
  }

  @Test("a digest that would spoil another reference is not written") func harmful() throws {
    try withTemporaryFolder { folder in
      let path = folder.appending("Dockerfile")
      let text = Array("ARG B=a:1\nFROM $B\nFROM ${B}-slim\n".utf8)
      try FileSystem.writeAtomically(text, to: path)
      let outcome = Fixer.fix(try Linter.lint(LintRequest(roots: [folder])), resolver: KnownDigests())
      #expect(outcome.applied.isEmpty)
      #expect(outcome.failures.map(\.summary) == ["digests in '\(path)' would spoil other references there, so nothing was written to it"])
      #expect(try FileSystem.readFile(path) == text)
    }
  }

  @Test func replacing() throws {
    try withTemporaryFolder { folder in
      let path = folder.appending("f")
      try FileSystem.writeAtomically([1, 2], to: path, mode: 0o640)
      let error = try #require(throws: FileSystemError.self) { try FileSystem.replaceFile(path, expecting: [1], with: [3]) }
      #expect(error.errno == .staleNFSFileHandle)
      #expect(try FileSystem.list(folder) == ["f"])
      try FileSystem.replaceFile(path, expecting: [1, 2], with: [3])
      #expect(try FileSystem.readFile(path) == [3])
      #expect(try FileSystem.status(path)?.permissions == 0o640)
      let link = folder.appending("link")
      var root = try RootDirectory(folder)
      try root.makeSymlink(RelativePath("link"), target: "f")
      #expect(throws: FileSystemError.self) { try FileSystem.replaceFile(link, expecting: [3], with: [4]) }
      #expect(try FileSystem.readFile(path) == [3])
    }
  }
}

extension Digest {
  /// A digest that depends on the text, for tests that need several.
  static func fake(_ text: String) -> Digest {
    var bytes = [UInt8](repeating: 0, count: 32)
    for (index, byte) in text.utf8.enumerated() { bytes[index % 32] = bytes[index % 32] &* 31 &+ byte }
    return Digest(sha256Bytes: bytes)
  }
}
