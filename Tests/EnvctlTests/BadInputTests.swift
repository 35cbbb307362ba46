/// Everything a user can get wrong ends in one clear error with its status, and nothing half-written.
import EnvCore
import SafeFS
import SystemPackage
import TestSupport
import Testing

extension EnvctlTests {
  struct BadInputTests {
    struct Mistake: Sendable, CustomTestStringConvertible {
      let file: String
      let status: Int32
      let expected: [String]
      var testDescription: String { file }
    }

    static let mistakes: [Mistake] = [
      Mistake(
        file: "schema: 1\nenviroment: x\n", status: 2,
        expected: ["envctl.yaml:2:1", "unknown key 'enviroment'", "did you mean 'environment'"]),
      Mistake(
        file: "schema: 1\nenvironment: paddle-2.6-gpu\n", status: 2, expected: ["no environment 'paddle-2.6-gpu'", "paddle-2.6-cpu"]),
      Mistake(file: "schema: 1\nenvironment: [a]\n", status: 2, expected: ["envctl.yaml:2:14", "expected text"]),
      Mistake(file: "schema: 1\nenvironment: a\n\tb: 1\n", status: 2, expected: ["envctl.yaml:3:1", "not valid YAML"]),
      Mistake(file: "schema: 7\nanything: new\n", status: 2, expected: ["schema 7", "newer envctl"]),
      Mistake(file: "environment: paddle-2.6-cpu\n", status: 2, expected: ["the key 'schema' is missing"]),
      Mistake(
        file: "schema: 1\nenvironment: paddle-2.6-cpu\ncheck: quik\n", status: 2, expected: ["envctl.yaml:3:8", "did you mean 'quick'"]),
      Mistake(
        file: "schema: 1\nenvironment: paddle-2.6-cpu\nmount: nowhere\n", status: 2, expected: ["envctl.yaml:3:8", "a folder that exists"]),
      Mistake(
        file: "schema: 1\nenvironment: paddle-2.6-cpu\nenv:\n  A-B: 1\n", status: 2, expected: ["envctl.yaml:4:3", "variable's name"]),
      Mistake(
        file: "schema: 1\nenvironment: paddle-2.6-cpu\ngpu: require\n", status: 2, expected: ["envctl.yaml:3:6", "did you mean 'required'"]),
      Mistake(file: "schema: 1\nenvironment: oci:/nonexistent\n", status: 5, expected: ["'/nonexistent'", "index.json"]),
      Mistake(file: "schema: 1\nenvironment: paddle-2.6-cpu\nenvironment: x\n", status: 2, expected: ["twice"]),
      Mistake(
        file: "schema: 1\nenvironment: paddle-2.6-cpu\nverify:\n", status: 2,
        expected: ["envctl.yaml:3:1", "the key 'verify' has no value"]),
      Mistake(file: "schema: 1\nenvironment: paddle-2.6-cpu\npolicy: ~\n", status: 2, expected: ["the key 'policy' has no value"]),
      Mistake(file: "", status: 2, expected: ["empty"]),
    ]

    @Test(.needs(.root), arguments: mistakes)
    func malformedProject(_ mistake: Mistake) throws {
      try withTemporaryFolder { folder in
        let program = Program(home: folder.appending("home"), folder: folder)
        try program.write(mistake.file, to: "envctl.yaml")
        let outcome = try program("up")
        #expect(outcome.status == mistake.status, "\(outcome.errors)")
        for text in mistake.expected { #expect(outcome.errors.contains(text), "\(outcome.errors)") }
        #expect(outcome.errors.split(separator: "\n").count { $0.hasPrefix("error:") } == 1)
        #expect(outcome.output.isEmpty)
        #expect(!FileSystem.exists(folder.appending("envctl.lock")))
      }
    }

    @Test func lockOfANewerSchema() throws {
      try withTemporaryFolder { folder in
        let program = Program(home: folder.appending("home"), folder: folder)
        try program.project("paddle-2.6-cpu")
        try program.write(#"{"schema": 3, "unheard": "of"}"#, to: "envctl.lock")
        let outcome = try program("run", "--", "true")
        #expect(outcome.status == (Capability.isRoot ? 2 : 6))
        if Capability.isRoot { #expect(outcome.errors.contains("schema 3")) }
      }
    }

    @Test func errorsAreJSONWhereJSONWasAsked() throws {
      try withTemporaryFolder { folder in
        let program = Program(home: folder.appending("home"), folder: folder)
        let outcome = try program("image", "build", "paddle-2.6-cpuu", "--format", "json")
        #expect(outcome.status == 2)
        #expect(try outcome.json()["error"]["exitCode"].int == 2)
        #expect(try outcome.json()["error"]["hint"].string?.contains("paddle-2.6-cpu") == true)
      }
    }

    @Test func usageErrorsEndWithTwo() throws {
      try withTemporaryFolder { folder in
        let program = Program(home: folder.appending("home"), folder: folder)
        for arguments in [["upp"], ["run"], ["image", "build"], ["up", "--nonsense"], ["image", "build", "x", "--output", "docker:x"]] {
          let completion = try program.command(arguments).run(deadline: .seconds(60))
          #expect(completion.status.code == 2, "\(arguments)")
          #expect(completion.output.isEmpty, "\(arguments)")
        }
        #expect(try program("--version").status == 0)
        #expect(try program("--help").output.contains("SUBCOMMANDS"))
      }
    }

    @Test(.needs(.root))
    func withoutPermission() throws {
      try withTemporaryFolder { folder in
        var program = Program(home: folder.appending("home"), folder: folder)
        try program.project("paddle-2.6-cpu")
        program.wrapper = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        let store = try program("verify")
        #expect(store.status == 6, "\(store.errors)")
        #expect(store.errors.contains("ENVCTL_HOME"))
        #expect(!FileSystem.exists(program.home))
        let run = try program("run", "--", "true")
        #expect(run.status == 6, "\(run.errors)")
      }
    }

    @Test(.needs(.root, .tool("runc")))
    func withoutRuntime() throws {
      try withTemporaryFolder { folder in
        var program = try SmallImage.program(in: folder)
        // An empty folder over each place where a runtime is looked for.
        let hide =
          "for d in /usr/bin /usr/sbin /usr/local/bin /usr/local/sbin; do for r in runc crun youki nvidia-container-runtime; do "
          + "[ -e $d/$r ] && mount --bind /dev/null $d/$r; done; done; exec \"$@\""
        program.wrapper = ["unshare", "--mount", "--propagation", "private", "bash", "-c", hide, "bash"]
        let outcome = try program("run", "--", "/bin/busybox", "true")
        #expect(outcome.status == 6, "\(outcome.errors)")
        #expect(outcome.errors.contains("runc"))
      }
    }

    @Test(.needs(.root))
    func fullDisk() throws {
      try withTemporaryFolder { folder in
        var program = Program(home: folder.appending("small/home"), folder: folder)
        try FileSystem.createDirectories(folder.appending("small"))
        // The store's file system has room for a part of the packages only.
        let mount =
          "mount -t tmpfs -o size=40m none '\(folder)/small' && \"$@\"; code=$?; find '\(folder)/small' -type f -size +0 "
          + "-path '*/blobs/*' -exec sh -c 'echo $(basename $1) $(sha256sum < $1)' sh {} \\; ; exit $code"
        program.wrapper = ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount, "sh"]
        let outcome = try program("image", "build", "paddle-2.6-cpu")
        #expect(outcome.status == 1, "\(outcome.errors)")
        #expect(outcome.errors.contains("No space left on device"), "\(outcome.errors)")
        #expect(outcome.errors.contains("hint: free some space"), "\(outcome.errors)")
        // Whatever made it into the store is whole.
        for line in outcome.output.split(separator: "\n") {
          let words = line.split(separator: " ")
          #expect(words.count >= 2 && words[0] == words[1], "\(line)")
        }
      }
    }
  }
}
