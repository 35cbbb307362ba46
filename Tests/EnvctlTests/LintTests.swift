/// `envctl lint` as people and CI run it: output, formats, exit statuses.
import EnvCore
import LoopbackHTTP
import SafeFS
import SystemPackage
import TestSupport
import Testing

extension EnvctlTests {
  struct LintTests {
    private func withProgram(_ body: (Program) throws -> Void) throws {
      try withTemporaryFolder { folder in
        let work = folder.appending("work")
        try FileSystem.createDirectories(work)
        try body(Program(home: folder.appending("home"), folder: work))
      }
    }

    @Test func textAndStatus() throws {
      try withProgram { program in
        try program.write("FROM registry:5000/foo\n", to: "Dockerfile")
        let found = try program("lint")
        #expect(found.status == 4)
        #expect(
          found.output == """
            Dockerfile:1:6: error: stage 1: 'registry:5000/foo' has no tag, ':5000' is its registry's port [EC102 missing-tag]
             1 | FROM registry:5000/foo
               |      ^~~~~~~~~~~~~~~~~
               fix: Choose a version's tag and append its digest: name:1.2.3@sha256:…

            1 error in 1 file

            """)
        #expect(found.errors == "")
        // A warning alone is no failure; neither a store nor a catalog is needed.
        try program.write("FROM scratch\nRUN pip install x==1\n", to: "Dockerfile")
        #expect(try program("lint").status == 0)
        #expect(!FileSystem.exists(program.home))
      }
    }

    @Test func formats() throws {
      try withProgram { program in
        try program.write("FROM a:1\n", to: "Dockerfile")
        let json = try program("lint", "--format", "json")
        #expect(json.status == 4)
        #expect(try json.json()["summary"]["errors"].int == 1)
        let sarif = try program("lint", "--format", "sarif", "Dockerfile")
        #expect(sarif.status == 4)
        #expect(try sarif.json()["version"].string == "2.1.0")
        #expect(try program("lint", "--format", "junit").output.contains("<failure type=\"EC103\""))
        #expect(try program("lint", "--format", "github").output.hasPrefix("::error file=Dockerfile,line=1,"))
        #expect(try program("lint", "--rules").output.hasPrefix("EC101 moving-tag (error)\n"))
        #expect(try program("lint", "--rules", "--format", "json").json()["rules"].items.count > 10)
      }
    }

    @Test func choosing() throws {
      try withProgram { program in
        try program.write("FROM a:1\nRUN pip install x\n", to: "Dockerfile")
        #expect(try program("lint", "--disable", "EC103", "--disable", "pip-without-version").status == 0)
        #expect(try program("lint", "--rule", "moving-tag").output == "nothing found in 1 file\n")
        let unknown = try program("lint", "--rule", "moving-tags")
        #expect(unknown.status == 2)
        #expect(unknown.errors == "error: there is no rule 'moving-tags'\n\nhint: did you mean 'moving-tag'?\n")
        #expect(try program("lint", "nowhere").status == 1)
      }
    }

    @Test func baseline() throws {
      try withProgram { program in
        try program.write("FROM a:1\n", to: "Dockerfile")
        #expect(try program("lint", "--write-baseline", "known.json").status == 0)
        try program.write("# moved\nFROM a:1\n", to: "Dockerfile")
        let known = try program("lint", "--baseline", "known.json")
        #expect(known.status == 0)
        #expect(known.output == "nothing found in 1 file, 1 known from the baseline\n")
        try program.write("FROM a:1\nFROM b:1\n", to: "Dockerfile")
        #expect(try program("lint", "--baseline", "known.json").status == 4)
        #expect(try program("lint", "--baseline", "missing.json").status == 2)
      }
    }

    @Test(
      "what is no image is not pinned",
      arguments: [
        #"{"schemaVersion":2,"manifests":[],"config":{},"layers":[]}"#, #"{"schemaVersion":2,"manifests":[]}"#, #"{"mediaType":"x/y"}"#,
      ])
    func noImage(_ document: String) throws {
      try withProgram { program in
        let server = try LoopbackServer(answering: { _ in .ok(Array(document.utf8)) })
        defer { server.stop() }
        let text = "FROM 127.0.0.1:\(server.port)/a:1\n"
        try program.write(text, to: "Dockerfile")
        let result = try program("lint", "--fix", "--insecure-registry", "127.0.0.1:\(server.port)")
        #expect(result.status == 5, "\(result.errors)")
        #expect(result.errors.contains("the digest of '127.0.0.1:\(server.port)/a:1' could not be had"))
        #expect(try FileSystem.readFile(program.folder.appending("Dockerfile")) == Array(text.utf8))
      }
    }

    @Test("a registry that does not answer leaves the file as it is") func unreachable() throws {
      try withProgram { program in
        try program.write("FROM 127.0.0.1:1/a:1\n", to: "Dockerfile")
        let result = try program("lint", "--fix", "--insecure-registry", "127.0.0.1:1")
        #expect(result.status == 1)
        #expect(result.output.contains("EC103"))
        #expect(result.errors.hasPrefix("error: Dockerfile:1: the digest of '127.0.0.1:1/a:1' could not be had\n  because: "))
        #expect(try FileSystem.readFile(program.folder.appending("Dockerfile")) == Array("FROM 127.0.0.1:1/a:1\n".utf8))
      }
    }
  }
}
