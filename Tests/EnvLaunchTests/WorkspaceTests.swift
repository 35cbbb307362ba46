/// Workspaces with a real runtime: started once, entered by many, ended cleanly, true to what the kernel says.
import ChildProcess
import EnvCore
import EnvLaunch
import Glibc
import SafeFS
import SystemPackage
import TestSupport
import Testing

@Suite(.serialized, .needs(.root, .busybox, .tool("runc"))) struct WorkspaceTests {
  private func states(_ fixture: LaunchFixture) throws -> [String] {
    try fixture.run(["list"]).lines.map { String($0.split(separator: " ")[1]) }
  }

  private func firstProcess(_ fixture: LaunchFixture) throws -> pid_t {
    let line = try #require(try fixture.run(["list"]).lines.first)
    return try #require(line.split(separator: " ").last.flatMap { pid_t($0) })
  }

  @Test func lifeOfAWorkspace() throws {
    let fixture = try LaunchFixture()
    let folder = fixture.project.string
    #expect(try fixture.run(["start", folder]).output.hasPrefix("started project-"))
    fixture.noteContainers()
    #expect(try fixture.run(["start", folder]).output.hasPrefix("found project-"))
    #expect(try states(fixture) == ["running"])
    #expect(try fixture.run(["exec", folder, "--", "sh", "-c", "echo x > /kept; echo y > /workspace/out; exit 9"]).code == 9)
    #expect(try FileSystem.readFile(fixture.project.appending("out")) == Array("y\n".utf8))
    #expect(try fixture.run(["stop", folder]).isSuccess)
    #expect(try states(fixture) == ["stopped"])
    #expect(try fixture.leftovers() == [])
    #expect(try fixture.run(["exec", folder, "--", "true"]).errors.contains("is not running"))
    #expect(try fixture.run(["start", folder]).output.hasPrefix("started"))
    #expect(try fixture.run(["exec", folder, "--", "cat", "/kept"]).output == "x\n")
    #expect(try fixture.run(["down", folder]).isSuccess)
    #expect(try states(fixture) == [])
    #expect(try fixture.leftovers() == [])
    #expect(try FileSystem.list(fixture.home.appending("workspaces")) == [])
  }

  @Test func execHasItsOwnUserFolderAndVariables() throws {
    let fixture = try LaunchFixture()
    try fixture.run(["start", fixture.project.string])
    let options = ["exec", fixture.project.string, "--user", "ann", "--cwd", "/workspace", "--env", "Q=1"]
    let outcome = try fixture.run(
      options + ["--", "sh", "-c", "id; pwd; echo $FROM_IMAGE $Q $HOME; grep -E 'NoNew|Seccomp:' /proc/self/status"])
    #expect(outcome.lines.prefix(3) == ["uid=1000(ann) gid=1000(ann) groups=44(video)", "/workspace", "1 1 /home/ann"])
    let confined = try fixture.run(["exec", fixture.project.string, "--", "cat", "/proc/self/status"]).output
    #expect(confined.contains("NoNewPrivs:\t1\n") && confined.contains("Seccomp:\t2\n") && confined.contains("CapEff:\t00000000a80425fb\n"))
    #expect(try fixture.run(["exec", fixture.project.string, "--", "nope"]).code == 127)
  }

  @Test(.needs(.tool("script", package: "bsdutils"))) func terminalInAWorkspace() throws {
    let fixture = try LaunchFixture()
    try fixture.run(["start", fixture.project.string])
    let session = try fixture.typed("tty\\nexit 4\\n", into: ["exec", fixture.project.string, "--tty", "--", "sh"])
    #expect(session.code == 4)
    #expect(session.output.contains("/dev/pts/"))
    #expect(try fixture.typed("\\003", into: ["exec", fixture.project.string, "--tty", "--", "sleep", "60"]).code == 130)
    #expect(try fixture.typed("\\003", into: ["exec", fixture.project.string, "--", "sleep", "60"]).code == 130)
  }

  @Test func tenCommandsAtOnce() throws {
    let fixture = try LaunchFixture()
    try fixture.run(["start", fixture.project.string])
    let commands = try (0..<10).map { try fixture.command(["exec", fixture.project.string, "--", "sh", "-c", "echo n\($0); exit \($0)"]) }
    let outcomes = try concurrentMap(commands, width: 10) { Outcome(try $0.run(deadline: .seconds(120))) }
    #expect(outcomes.map(\.code) == (0..<10).map { Int32($0) })
    #expect(outcomes.map(\.output) == (0..<10).map { "n\($0)\n" })
    let left = try FileSystem.list(fixture.home.appending("workspaces").appending(try onlyWorkspace(fixture)))
    #expect(!left.contains { $0.hasPrefix("exec-") })
  }

  private func onlyWorkspace(_ fixture: LaunchFixture) throws -> String {
    try #require(try FileSystem.list(fixture.home.appending("workspaces")).first)
  }

  @Test func ofFourStartsAtOnceOneStarts() throws {
    let fixture = try LaunchFixture()
    // The runtime is chosen before, so that the starts meet.
    try fixture.run(["run", "--", "true"])
    let command = try fixture.command(["start", fixture.project.string])
    let outcomes = try concurrentMap([1, 2, 3, 4], width: 4) { _ in Outcome(try command.run(deadline: .seconds(120))) }
    #expect(outcomes.allSatisfy { $0.isSuccess })
    #expect(outcomes.count { $0.output.hasPrefix("started") } == 1)
    #expect(outcomes.count { $0.output.hasPrefix("found") } == 3)
    #expect(try states(fixture) == ["running"])
  }

  @Test func stateIsTrueAfterItsFirstProcessWasKilled() throws {
    let fixture = try LaunchFixture()
    try fixture.run(["start", fixture.project.string])
    fixture.noteContainers()
    let pid = try firstProcess(fixture)
    kill(pid, SIGKILL)
    _ = ProcessHandle(pid: pid)?.waitForEnd(within: .seconds(5))
    #expect(try states(fixture) == ["stopped"])
    #expect(try fixture.run(["start", fixture.project.string]).output.hasPrefix("started"))
    #expect(try states(fixture) == ["running"])
    #expect(try fixture.run(["down", fixture.project.string]).isSuccess)
    #expect(try fixture.leftovers() == [])
  }

  @Test func stopGivesProcessesTimeToEnd() throws {
    let fixture = try LaunchFixture()
    let folder = fixture.project.string
    try fixture.run(["start", folder])
    let script = "trap 'echo saved > /workspace/saved; exit 0' TERM; echo up > /workspace/up; while :; do sleep 0.1; done"
    let child = try fixture.command(["exec", folder, "--", "sh", "-c", script]).start()
    while !FileSystem.exists(fixture.project.appending("up")) { usleep(20_000) }
    #expect(try fixture.run(["stop", folder]).isSuccess)
    #expect(try child.finish(deadline: .seconds(20)).status == .exited(0))
    #expect(FileSystem.exists(fixture.project.appending("saved")))
  }

  @Test func stopKillsWhatDoesNotEnd() throws {
    let fixture = try LaunchFixture()
    let folder = fixture.project.string
    try fixture.run(["start", folder])
    let script = "trap '' TERM; echo up > /workspace/up; while :; do sleep 0.1; done"
    let child = try fixture.command(["exec", folder, "--", "sh", "-c", script]).start()
    while !FileSystem.exists(fixture.project.appending("up")) { usleep(20_000) }
    #expect(try fixture.run(["stop", folder]).isSuccess)
    #expect(try child.finish(deadline: .seconds(20)).status.code == 137)
    #expect(try fixture.leftovers() == [])
  }

  @Test func outputOfACommandGoesToTheLog() throws {
    let fixture = try LaunchFixture()
    try fixture.run(["start", fixture.project.string, "--", "sh", "-c", "echo hello; echo oops >&2; sleep 60"])
    let log = fixture.home.appending("workspaces").appending(try onlyWorkspace(fixture)).appending("log")
    for _ in 0..<100 where try FileSystem.readFile(log).count < 11 { usleep(20_000) }
    #expect(try FileSystem.readFile(log) == Array("hello\noops\n".utf8))
  }

  @Test func failedFirstStartLeavesNothing() throws {
    let fixture = try LaunchFixture()
    #expect(try fixture.run(["start", fixture.project.string, "--", "no-such-command"]).code == 127)
    #expect(try states(fixture) == [])
    #expect(try fixture.leftovers() == [])
  }

  @Test func idNamesTheFolderAndDiffersByPath() {
    let one = Workspace.id(forFolder: "/srv/Risk Model")
    #expect(one.hasPrefix("risk-model-"))
    #expect(one == Workspace.id(forFolder: "/srv/Risk Model"))
    #expect(one != Workspace.id(forFolder: "/home/Risk Model"))
    #expect(Workspace.id(forFolder: FilePath("/" + String(repeating: "x", count: 200))).utf8.count == 29)
  }
}
