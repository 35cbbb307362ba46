/// Throw-away containers with limits: what they do differs in nothing but the limit, and its reason is told.
import ChildProcess
import EnvCore
import Glibc
import SafeFS
import SystemPackage
import TestSupport
import Testing

@Suite(.serialized, .needs(.root, .busybox, .tool("runc"), .memoryCgroup)) struct LimitTests {
  private let hungry = ["/bin/busybox", "dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"]

  @Test func whatIsKilledAtOnceIsToldWhy() throws {
    let fixture = try LaunchFixture()
    for _ in 0..<5 {
      let outcome = try fixture.run(["run", "--memory", "24MiB", "--"] + hungry)
      #expect(outcome.code == 137)
      #expect(outcome.errors.hasSuffix("killed: over its memory limit of 24 MiB"), "\(outcome.errors)")
    }
    #expect(try fixture.leftovers() == [])
  }

  /// crun before 1.9 has no `run --keep`.
  @Test func theRuntimeNeedsNoOptionForThat() throws {
    let fixture = try LaunchFixture()
    let runtime = fixture.folder.appending("old-runtime")
    let script = "#!/bin/sh\nfor word; do [ \"$word\" = --keep ] && exit 1; done\nexec runc \"$@\"\n"
    try FileSystem.writeAtomically(Array(script.utf8), to: runtime, mode: 0o755)
    let outcome = try fixture.run(["run", "--memory", "24MiB", "--"] + hungry, environment: ["ENVCTL_RUNTIME": runtime.string])
    #expect(outcome.code == 137)
    #expect(outcome.errors.hasSuffix("killed: over its memory limit of 24 MiB"), "\(outcome.errors)")
  }

  @Test func streamsAndStatusPassThrough() throws {
    let fixture = try LaunchFixture()
    var command = try fixture.command(["run", "--memory", "64MiB", "--", "sh", "-c", "cat; /bin/busybox seq 1 40000; echo err >&2; exit 3"])
    command.standardInput = .bytes(Array("given\n".utf8))
    let completion = try command.run(deadline: .seconds(60))
    let lines = String(decoding: completion.output, as: UTF8.self).split(separator: "\n")
    #expect(completion.status.code == 3)
    #expect(lines.first == "given" && lines.last == "40000" && lines.count == 40001)
    #expect(completion.errorText.hasSuffix("err"))
    #expect(try fixture.run(["run", "--memory", "64MiB", "--", "no-such-command"]).code == 127)
    #expect(try fixture.leftovers() == [])
  }

  @Test(arguments: [SIGTERM, SIGINT]) func aSignalReachesTheCommand(number: Int32) throws {
    try LaunchFixture().expectSignalToReachTheCommand(number, options: ["--memory", "64MiB"])
  }

  @Test func whatAKilledEnvctlLeftIsEndedByTheNext() throws {
    let fixture = try LaunchFixture()
    let command = ["sh", "-c", "echo up; sleep 98761"]
    let child = try fixture.command(["run", fixture.project.string, "--memory", "64MiB", "--"] + command).start()
    let pid = child.pid
    _ = try child.finish(
      output: .lines { _ in
        fixture.noteContainers()
        kill(pid, SIGKILL)
      })
    #expect(fixture.known.count > 0)
    #expect(try fixture.run(["run", "--", "true"]).isSuccess)
    #expect(try fixture.leftovers() == [])
  }

  @Test(.needs(.tool("script", package: "bsdutils"))) func aTerminalWorks() throws {
    let fixture = try LaunchFixture()
    #expect(try fixture.typed("\\003", into: ["run", "--memory", "64MiB", "--", "sleep", "60"]).code == 130)
    let session = try fixture.typed("tty\\nexit 3\\n", into: ["run", "--tty", "--memory", "64MiB", "--", "sh"])
    #expect(session.code == 3)
    #expect(session.output.contains("/dev/pts/0"))
  }
}
