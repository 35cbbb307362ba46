/// What scripts rely on: exit statuses, streams, and that a result is either delivered or an error.
import EnvCore
import Glibc
import SafeFS
import SystemPackage
import TestSupport
import Testing

extension EnvctlTests {
  @Suite(.needs(.root, .tool("runc"), .tool("busybox", package: "busybox-static")))
  struct CommandTests {
    @Test func runAndExecEndAsTheCommandDoes() throws {
      try withTemporaryFolder { folder in
        let program = try SmallImage.program(in: folder)
        defer { _ = try? program("down", "--grace", "0") }
        try #require(program("up").status == 0)
        for command in ["run", "exec"] {
          #expect(try program(command, "--", "/bin/sh", "-c", "exit 7").status == 7)
          #expect(try program(command, "--", "/bin/sh", "-c", "kill -9 $$").status == 137)
          #expect(try program(command, "--", "nosuchprogram").status == 127)
          #expect(try program(command, "--", "/etc/passwd").status == 126)
          let spoken = try program(command, "--env", "WORD=a b", "--", "/bin/sh", "-c", "echo \"$WORD\"; pwd; echo told >&2")
          #expect(spoken.output == "a b\n/workspace\n")
          #expect(spoken.errors.hasSuffix("told\n"))
        }
      }
    }

    @Test func eachFormOfTheFormatOptionCounts() throws {
      try withTemporaryFolder { folder in
        let program = try SmallImage.program(in: folder)
        #expect(try program("up", "-C", "/nonexistent", "--format=json").json()["error"]["message"].string != nil)
        // The word belongs to the command that runs and not to envctl.
        let run = try program("run", "-C", "/nonexistent", "--", "echo", "json")
        #expect(run.status != 0 && run.output.isEmpty)
      }
    }

    @Test func lostResultIsAFailure() throws {
      try withTemporaryFolder { folder in
        var program = Program(home: folder.appending("home"), folder: folder)
        program.wrapper = ["sh", "-c", "exec \"$@\" > /dev/full", "sh"]
        for format in ["text", "json"] {
          let outcome = try program("ps", "--format", format)
          #expect(outcome.status == 1)
          #expect(outcome.errors.contains("No space left on device"))
        }
      }
    }

    @Test func repairLeavesWhatARunHasMounted() throws {
      try withTemporaryFolder { folder in
        let program = try SmallImage.program(in: folder)
        try #require(program("run", "--", "/bin/sh", "-c", "true").status == 0)
        let sign = program.folder.appending("sign")
        let script = "touch /workspace/sign; while [ -e /workspace/sign ]; do sleep 0.1; done; cat /etc/passwd"
        let child = try program.command(["run", "--", "/bin/sh", "-c", script]).start()
        while !FileSystem.exists(sign) { usleep(20_000) }
        let layer = try #require(FileSystem.list(program.home.appending("layers")).first)
        try #require(Tool.run("sh", "-c", "echo more >> '\(program.home)/layers/\(layer)/fs/etc/passwd'").status == 0)
        #expect(try program("verify", "--repair").status == 5)
        try FileSystem.removeFile(sign)
        let ended = try child.finish()
        #expect(ended.status.code == 0)
        #expect(String(decoding: ended.output, as: UTF8.self).contains("root:x:0:0"))
        #expect(try program("verify", "--repair").status == 0)
        #expect(try program("run", "--", "/bin/sh", "-c", "true").status == 0)
      }
    }

    @Test func tooFewDescriptorsAreNoDamage() throws {
      try withTemporaryFolder { folder in
        var program = try SmallImage.program(in: folder)
        try #require(program("run", "--", "/bin/sh", "-c", "true").status == 0)
        for limit in 5...12 {
          program.wrapper = ["sh", "-c", "ulimit -n \(limit); exec \"$@\"", "sh"]
          let outcome = try program("verify", "--repair")
          #expect(!outcome.output.contains("dropped"), "\(limit): \(outcome.output)")
        }
        program.wrapper = []
        #expect(try FileSystem.list(program.home.appending("layers")).count == 1)
        #expect(try program("verify").status == 0)
      }
    }

    @Test func workspaceOutlivesItsFolder() throws {
      try withTemporaryFolder { folder in
        let program = try SmallImage.program(in: folder)
        try #require(program("up").status == 0)
        let id = try #require(try program("ps", "--format", "json").json().items.first?["id"].string)
        try FileSystem.removeTree(program.folder)
        var elsewhere = program
        elsewhere.folder = folder
        let lost = try elsewhere("down", "-C", program.folder.string)
        #expect(lost.status == 2)
        #expect(lost.errors.contains("--workspace"))
        #expect(try elsewhere("down", "--workspace", id, "--grace", "0").status == 0)
        #expect(try elsewhere("ps", "--format", "json").json().items.isEmpty)
      }
    }

    @Test func helpIsHelpForEveryCommand() throws {
      try withTemporaryFolder { folder in
        let program = Program(home: folder.appending("home"), folder: folder)
        for command in ["up", "run", "exec", "ps", "logs", "down", "check", "baseline", "verify", "image", "resolve", "lock"] {
          let outcome = try program(command, "--help")
          #expect(outcome.status == 0, "\(command): \(outcome.errors)")
          #expect(outcome.output.contains("USAGE: envctl \(command)"))
        }
      }
    }

    @Test func relativeLayoutIsTakenFromTheProject() throws {
      try withTemporaryFolder { folder in
        let program = try SmallImage.program(in: folder)
        try program.project("oci:../layout")
        var elsewhere = program
        elsewhere.folder = folder
        let outcome = try elsewhere("run", "-C", program.folder.string, "--", "/bin/sh", "-c", "echo here")
        #expect(outcome.output == "here\n", "\(outcome.errors)")
      }
    }

    @Test func imageOfAnotherArchitectureIsRefused() throws {
      try withTemporaryFolder { folder in
        let program = try SmallImage.program(in: folder, architecture: "riscv64")
        let outcome = try program("run", "--", "/bin/sh", "-c", "echo here")
        #expect(outcome.status == 6)
        #expect(outcome.output.isEmpty)
        #expect(outcome.errors.contains("linux/riscv64"))
        #expect(!FileSystem.exists(program.folder.appending("envctl.lock")))
      }
    }
  }
}
