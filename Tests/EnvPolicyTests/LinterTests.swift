/// Folders: what is walked, what is not, and in which order findings come.
import EnvCore
import Glibc
import SafeFS
import SystemPackage
import TestSupport
import Testing

@testable import EnvPolicy

@Suite struct LinterTests {
  private func write(_ text: String, _ path: FilePath) throws {
    try FileSystem.createDirectories(path.removingLastComponent())
    try FileSystem.writeAtomically(Array(text.utf8), to: path)
  }

  @Test func walk() throws {
    try withTemporaryFolder { folder in
      for name in [
        ".git/Dockerfile", "node_modules/a/Dockerfile", ".venv/Dockerfile", ".build/Dockerfile", "b/Dockerfile", "a/Dockerfile",
        ".devcontainer/Dockerfile",
      ] {
        try write("FROM \(name.split(separator: "/")[0].filter(\.isLetter)):1\n", folder.appending(name))
      }
      try write("x", folder.appending("c.txt"))
      try write("name: r\nplatform: p\ndebian: {}\n", folder.appending("locked/image.yaml"))
      try write("{}", folder.appending("locked/image.lock"))
      try write("name: r\nplatform: p\ndebian: {}\n", folder.appending("open/image.yaml"))
      // A way out, a loop, a FIFO and a file too large to be a person's.
      try withTemporaryFolder { outside in
        try write("FROM outside\n", outside.appending("Dockerfile"))
        var root = try RootDirectory(folder)
        try root.makeSymlink(RelativePath("out"), target: outside.string)
        try root.makeSymlink(RelativePath("loop"), target: ".")
        try root.makeSymlink(RelativePath("Containerfile"), target: outside.appending("Dockerfile").string)
        #expect(mkfifo(folder.appending("fifo.yaml").string, 0o644) == 0)
        #expect(truncate(folder.appending("c.txt").string, 17 << 20) == 0)
        try FileSystem.rename(folder.appending("c.txt"), to: folder.appending("large.yaml"))
        let report = try Linter.lint(LintRequest(roots: [folder], width: 3))
        #expect(
          report.findings.map { $0.place.file }
            == ["Containerfile", ".devcontainer/Dockerfile", "a/Dockerfile", "b/Dockerfile", "large.yaml", "open/image.yaml"].map {
              "\(folder)/\($0)"
            })
        #expect(
          report.skipped == [
            SkippedFile(file: "\(folder)/Containerfile", reason: "a link out of the tree, to '\(outside)/Dockerfile'"),
            SkippedFile(file: "\(folder)/large.yaml", reason: "it is larger than 16 MiB"),
          ])
        #expect(report.exitCode == .policy)
        // A root that is a link is meant; one file named twice is linted once.
        let linked = try Linter.lint(LintRequest(roots: [folder.appending("Containerfile"), folder.appending("Containerfile")]))
        #expect(linked.findings.map(\.rule.id) == ["EC102"])
      }
    }
  }

  @Test func missingRoot() throws {
    let error = try #require(throws: PolicyError.self) { try Linter.lint(LintRequest(roots: ["/no/such/place"])) }
    #expect(error.summary == "'/no/such/place' cannot be linted")
    #expect(error.exitCode == .failed)
  }

  @Test("a root that is neither a file nor a folder is called so") func oddRoot() throws {
    try withTemporaryFolder { folder in
      let fifo = folder.appending("fifo")
      #expect(mkfifo(fifo.string, 0o644) == 0)
      for root in [fifo, "/dev/zero"] {
        let error = try #require(throws: PolicyError.self) { try Linter.lint(LintRequest(roots: [root])) }
        #expect(error.summary == "'\(root)' cannot be linted: it is neither a file nor a folder")
        #expect(error.exitCode == .failed)
      }
    }
  }

  @Test func unreadableFolder() throws {
    try withTemporaryFolder { folder in
      try write("FROM a\n", folder.appending("a/Dockerfile"))
      try write("FROM a\n", folder.appending("b/Dockerfile"))
      try FileSystem.setPermissions(folder.appending("a"), 0)
      defer { try? FileSystem.setPermissions(folder.appending("a"), 0o755) }
      let report =
        try Capability.isRoot
        ? asOrdinaryUser { try Linter.lint(LintRequest(roots: [folder], width: 1)) } : Linter.lint(LintRequest(roots: [folder]))
      #expect(report.findings.map(\.rule.id) == ["EC903", "EC102"])
      #expect(report.skipped.map(\.file) == ["\(folder)/a"])
    }
  }

  @Test("a link that stands for a file of the tree is judged there, any other is told") func links() throws {
    try withTemporaryFolder { folder in
      try write("FROM a\n", folder.appending("real/Dockerfile"))
      try write("FROM a\n", folder.appending("notes.txt"))
      try write("FROM a\n", folder.appending("node_modules/Dockerfile"))
      var root = try RootDirectory(folder)
      for (name, target) in [
        ("Dockerfile", "real/Dockerfile"), ("a.dockerfile", "notes.txt"), ("b.dockerfile", "node_modules/Dockerfile"),
        ("c.yaml", "real/Dockerfile"), ("d.sh", "nowhere"), ("e.yaml", "real"), ("README", "nowhere"),
      ] {
        try root.makeSymlink(RelativePath(name), target: target)
      }
      var request = LintRequest(roots: [folder], width: 1)
      let report = try Linter.lint(request)
      #expect(
        report.findings.filter { $0.rule.id == "EC903" }.map { $0.place.file.dropFirst(folder.string.utf8.count + 1) } == [
          "a.dockerfile", "b.dockerfile", "c.yaml", "d.sh",
        ])
      #expect(report.findings.filter { $0.rule.id == "EC102" }.map(\.place.file) == ["\(folder)/real/Dockerfile"])
      request.rules.remove(.unreadable)
      #expect(try Linter.lint(request).findings.map(\.rule.id) == ["EC102"])
    }
  }
}
