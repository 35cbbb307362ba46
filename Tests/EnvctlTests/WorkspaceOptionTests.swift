/// Workspaces on the command line: several of one folder, mounts and variables, files, logs, and the terminal of a person.
import ChildProcess
import EnvCore
import Glibc
import SafeFS
import SystemPackage
import TestSupport
import Testing

extension EnvctlTests {
  @Suite(.serialized, .needs(.root, .tool("runc"), .tool("busybox", package: "busybox-static")))
  struct WorkspaceOptionTests {
    private func withProgram(_ body: (Program, FilePath) throws -> Void) throws {
      try withTemporaryFolder { folder in
        let program = try SmallImage.program(in: folder)
        defer {
          for item in (try? program("ps", "--format", "json").json().items) ?? [] {
            _ = try? program("down", "--workspace", item["id"].string ?? "", "--grace", "0")
          }
        }
        try body(program, folder)
      }
    }

    @Test func aDayWithAWorkspace() throws {
      try withProgram { program, folder in
        try #require(chown(program.folder.string, 4321, 4321) == 0)
        try #require(program("up", "-e", "WORD=one").status == 0)
        let list = try program("ps").output.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        #expect(list.first?.prefix(3) == ["WORKSPACE", "NAME", "STATE"] && list.last?[1...2] == ["-", "running"])
        let made = try program("exec", "-w", "/tmp", "--", "/bin/sh", "-c", "pwd; echo $WORD; echo x > /workspace/made; echo y > /new")
        #expect(made.output == "/tmp\none\n")
        #expect(try FileSystem.status(program.folder.appending("made"))?.uid == 4321)
        #expect(try FileSystem.status(program.folder.appending("envctl.lock"))?.uid == 4321)
        #expect(try program("diff").output == "A /new\n")
        #expect(try program("diff", "--format", "json").json().items.first?["kind"].string == "added")
        #expect(try program("cp", ":/new", "out").status == 0)
        #expect(try FileSystem.readFile(program.folder.appending("out")) == Array("y\n".utf8))
        #expect(try program("cp", "a", "b").status == 2)
        // A change of envctl.yaml: told, and nothing lost.
        try program.project("oci:\(folder)/layout", "check: none\nenv: {WORD: two}\n")
        let changed = try program("up", "--format", "json")
        #expect(try changed.json()["changes"].items.first?["setting"].string == "variable WORD")
        #expect(changed.errors.contains("variable WORD: set → changed"))
        #expect(try program("exec", "--", "/bin/sh", "-c", "cat /new; echo $WORD").output == "y\ntwo\n")
        #expect(try program("rm").errors.contains("is running"))
        #expect(try program("stop").output.hasSuffix(": stopped\n"))
        #expect(try program("shell").errors.contains("hint: envctl up starts it"))
        #expect(try program("rm").status == 0)
        #expect(try program("ps").output.split(separator: "\n").count == 1)
      }
    }

    @Test func severalOfOneFolder() throws {
      try withProgram { program, _ in
        for name in ["one", "two"] { #expect(try program("up", "--name", name).status == 0) }
        try #require(program("exec", "--name", "one", "--", "/bin/sh", "-c", "echo 1 > /tmp/mine").status == 0)
        #expect(try program("exec", "--name", "two", "--", "/bin/sh", "-c", "cat /tmp/mine").status == 1)
        #expect(try program("cp", "one:/tmp/mine", "mine").status == 0)
        #expect(try program("ps", "--format", "json").json().items.compactMap { $0["name"].string } == ["one", "two"])
        #expect(try program("exec", "--", "/bin/sh", "-c", "true").errors.contains("there is no workspace"))
        #expect(try program("up", "--name", "No good").status == 2)
        for name in ["one", "two"] { #expect(try program("stop", "--name", name).status == 0) }
        #expect(try program("rm", "--all").output.split(separator: "\n").count == 2)
      }
    }

    @Test func mountsAndVariables() throws {
      try withProgram { program, folder in
        try FileSystem.createDirectories(folder.appending("data"))
        try FileSystem.writeAtomically(Array("d".utf8), to: folder.appending("data/file"))
        try program.write("# words\nFIRST=from file\n\nHOME_OF_TESTS\nLAST=a=b\n", to: "words")
        var told = program
        told.variables["HOME_OF_TESTS"] = "here"
        let script = "cat /data/file /more/file; echo; echo $FIRST $HOME_OF_TESTS $LAST; touch /data/x || touch /more/x"
        let outcome = try told(
          "run", "--mount", "\(folder)/data:/data:ro", "--mount", "type=bind,source=\(folder)/data,target=/more", "--env-file", "words",
          "-e", "LAST=c", "--", "/bin/sh", "-c", script)
        #expect(outcome.output == "dd\nfrom file here c\n", "\(outcome.errors)")
        #expect(outcome.errors.contains("Read-only file system"))
        #expect(FileSystem.exists(folder.appending("data/x")))
        #expect(try program("run", "--env-file", "words", "--", "/bin/sh").errors.contains("words:4"))
        for wrong in ["data", "data:relative", "a:/b:rx", "type=tmpfs,target=/x", "source=/tmp"] {
          #expect(try program("run", "--mount", wrong, "--", "/bin/sh").status == 2, "\(wrong)")
        }
        #expect(try program("run", "--mount", "/no/such:/x", "--", "/bin/sh").errors.contains("'/no/such'"))
        let published = try program("up", "--publish", "8888:8888")
        #expect(published.status == 2 && published.errors.contains("hint: a port that a program in it listens on"))
      }
    }

    @Test func logsAreFollowed() throws {
      try withProgram { program, _ in
        try #require(program("up").status == 0)
        let id = try #require(try program("ps", "--format", "json").json().items.first?["id"].string)
        // What a command that was left writes.
        let log = try OwnedDescriptor.open(program.home.appending("workspaces/\(id)/log"), O_WRONLY | O_APPEND, mode: 0)
        try log.write(Array("one\ntwo\nthree\n".utf8).span.bytes)
        #expect(try program("logs", "-n", "2").output == "two\nthree\n")
        #expect(try program("logs", "-n", "0").output == "")
        #expect(try program("logs").output == "one\ntwo\nthree\n")
        var lines: [String] = []
        let follower = try program.command(["logs", "-f", "--tail", "1"]).start()
        let ended = try follower.finish(
          output: .lines { line in
            lines.append(line)
            if line == "three" { try? log.write(Array("four\n".utf8).span.bytes) }
            if line == "four" { _ = try? program("stop", "--grace", "0") }
          }, deadline: .seconds(60))
        #expect(ended.status.isSuccess)
        #expect(lines == ["three", "four"])
      }
    }

    @Test(.needs(.tool("setsid", package: "util-linux"))) func aPersonAtAShell() throws {
      try withProgram { program, _ in
        try #require(program("up").status == 0)
        let terminal = try PersonsTerminal(rows: 20, columns: 70)
        let child = try terminal.start(try program.command(["shell", "-e", "PS1=at> ", "--detach-keys", "ctrl-x"]))
        try terminal.expect("at> ")
        try terminal.type("busybox stty size\r")
        try terminal.expect("20 70\n")
        try terminal.type("\u{18}")
        try terminal.expect("left workspace")
        #expect(try child.finish(deadline: .seconds(30)).status.isSuccess)
        #expect(try program("exec", "-t", "--", "/bin/sh").errors.contains("standard input is not one"))
        var piped = try program.command(["exec", "-i", "--", "/bin/sh"])
        piped.standardInput = .bytes(Array("echo piped; exit 4\n".utf8))
        let answer = try piped.run(deadline: .seconds(60))
        #expect(answer.status == .exited(4) && answer.output == Array("piped\n".utf8))
      }
    }

    @Test func completionsKnowWorkspaces() throws {
      try withProgram { program, _ in
        for shell in ["bash", "zsh", "fish"] {
          let script = try program("--generate-completion-script", shell)
          #expect(script.status == 0 && script.output.contains("shell") && script.output.contains("detach-keys"), "\(shell)")
        }
        try #require(program("up", "--name", "mine").status == 0)
        let id = try #require(try program("ps", "--format", "json").json().items.first?["id"].string)
        #expect(try program("---completion", "exec", "--", "--workspace", "0", "0", "").output.contains(id))
      }
    }
  }
}
