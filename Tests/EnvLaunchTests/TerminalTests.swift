/// A person at a terminal in a workspace: keys, windows, jobs, leaving, and that their own terminal comes back in every ending.
import ChildProcess
import EnvCore
import EnvLaunch
import Glibc
import SafeFS
import SystemPackage
import TestSupport
import Testing

extension Capability {
  /// crun 1.8 starts nothing where cgroups are hybrid.
  fileprivate static let startingCrun = Capability(
    "a crun that starts containers here",
    isPresent: isRoot && Tool.path("crun") != nil
      && (try? LaunchFixture().run(["run", "--", "true"], environment: ["ENVCTL_RUNTIME": "crun"]).isSuccess) == true, package: nil)
}

@Suite(.serialized, .needs(.root, .busybox, .tool("runc"), .tool("setsid", package: "util-linux"))) struct TerminalTests {
  /// A running workspace, and a terminal beside it.
  private func started() throws -> (LaunchFixture, PersonsTerminal) {
    let fixture = try LaunchFixture()
    try #require(fixture.run(["start", fixture.project.string]).isSuccess)
    fixture.noteContainers()
    return (fixture, try PersonsTerminal(rows: 31, columns: 91))
  }

  private func shell(_ fixture: LaunchFixture, _ terminal: PersonsTerminal) throws -> ChildProcess {
    let child = try terminal.start(try fixture.command(["shell", fixture.project.string, "--tty", "--env", "PS1=at> "]))
    try terminal.expect("at> ")
    return child
  }

  @Test func aShellIsTypedInto() throws {
    let (fixture, terminal) = try started()
    let child = try shell(fixture, terminal)
    #expect(terminal.isRaw)
    try terminal.type("stty size; tty\r")
    try terminal.expect("31 91\n/dev/pts/")
    try terminal.resize(rows: 40, columns: 120)
    // The signal travels beside the keys.
    try terminal.type("while [ \"$(stty size)\" != '40 120' ]; do sleep 0.1; done; echo resi''zed\r")
    try terminal.expect("resized\n")
    try terminal.type("sleep 61\r")
    try waitFor { processes("sleep\u{0}61") == 1 }
    try terminal.type("\u{3}")
    try terminal.expect("at> ")
    try terminal.type("echo alive $?\r")
    try terminal.expect("alive 130\n")
    try terminal.type("exit 7\r")
    #expect(try child.finish(deadline: .seconds(20)).status == .exited(7))
    #expect(!terminal.isRaw)
    #expect(try execFiles(fixture) == [])
  }

  @Test func jobsStayInside() throws {
    let (fixture, terminal) = try started()
    let child = try shell(fixture, terminal)
    try terminal.type("sleep 62\r")
    try waitFor { processes("sleep\u{0}62") == 1 }
    try terminal.type("\u{1a}")
    try terminal.expect("Stopped")
    try terminal.type("bg; jobs; sleep 63 &\r")
    try terminal.expect("sleep 62")
    try waitFor { processes("sleep\u{0}63") == 1 }
    try terminal.type("kill %1 %2; wait; echo al''l; exit\r")
    try terminal.expect("all\n")
    #expect(try child.finish(deadline: .seconds(20)).status.isSuccess)
    #expect(processes("sleep\u{0}62") + processes("sleep\u{0}63") == 0)
  }

  @Test func leavingLetsTheCommandGoOn() throws {
    let (fixture, terminal) = try started()
    let script = "echo be''gun; i=0; while [ $i -lt 300 ]; do sleep 0.1; i=$((i+1)); [ -e /workspace/end ] && echo la''st && exit; done"
    let child = try terminal.start(try fixture.command(["exec", fixture.project.string, "--tty", "--", "sh", "-c", script]))
    try terminal.expect("begun")
    try terminal.type("x\u{10}\u{11}")
    #expect(try child.finish(deadline: .seconds(20)).status == .exited(0))
    #expect(!terminal.isRaw)
    #expect(processes("sh\u{0}-c\u{0}echo be") == 1)
    try FileSystem.writeAtomically([], to: fixture.project.appending("end"))
    try waitFor { processes("sh\u{0}-c\u{0}echo be") == 0 }
    let log = try FileSystem.list(fixture.home.appending("workspaces")).first.map {
      fixture.home.appending("workspaces").appending($0).appending("log")
    }
    try waitFor { (log.flatMap { try? FileSystem.readFile($0) }).map { String(decoding: $0, as: UTF8.self) }?.contains("last") == true }
    #expect(try fixture.run(["down", fixture.project.string]).isSuccess)
    // Nobody reads a terminal that nobody writes to.
    try waitFor { readers(of: fixture) == 0 }
    #expect(try fixture.leftovers() == [])
  }

  /// SIGTERM and SIGHUP to envctl, and the loss of its terminal, end an interactive shell, which passes over SIGTERM itself.
  @Test(arguments: [SIGTERM, SIGHUP]) func signalsEndTheSessionAndMendTheTerminal(number: Int32) throws {
    let (fixture, terminal) = try started()
    let child = try shell(fixture, terminal)
    kill(child.pid, number)
    #expect([128 + number, 129].contains(try child.finish(deadline: .seconds(20)).status.code))
    #expect(!terminal.isRaw)
    try waitFor { processes("sh\u{0}") == 0 || interactiveShells(fixture) == 0 }
  }

  @Test func windowThatIsClosedHangsUp() throws {
    let (fixture, terminal) = try started()
    var closed: PersonsTerminal? = consume terminal
    let child = try shell(fixture, try #require(closed))
    closed = nil
    #expect(try child.finish(deadline: .seconds(20)).status.code == 129)
    try waitFor { interactiveShells(fixture) == 0 }
  }

  @Test func crashOfTheContainerMendsTheTerminal() throws {
    let (fixture, terminal) = try started()
    let child = try shell(fixture, terminal)
    let line = try #require(try fixture.run(["list"]).lines.first)
    kill(try #require(line.split(separator: " ").last.flatMap { pid_t($0) }), SIGKILL)
    #expect(try child.finish(deadline: .seconds(20)).status.code == 137)
    #expect(!terminal.isRaw)
  }

  @Test func aRunOnATerminalLeavesNothing() throws {
    let fixture = try LaunchFixture()
    let terminal = try PersonsTerminal(rows: 33, columns: 93)
    let child = try terminal.start(
      try fixture.command(["run", "--tty", "--", "sh", "-c", "stty size; read line; echo \"got $line\"; exit 5"]))
    try terminal.expect("33 93")
    fixture.noteContainers()
    try terminal.type("word\r")
    try terminal.expect("got word")
    #expect(try child.finish(deadline: .seconds(20)).status == .exited(5))
    #expect(!terminal.isRaw)
    #expect(try fixture.leftovers() == [])
  }

  @Test(.needs(.startingCrun)) func crunDoesTheSame() throws {
    let fixture = try LaunchFixture()
    try #require(fixture.run(["start", fixture.project.string], environment: ["ENVCTL_RUNTIME": "crun"]).isSuccess)
    let terminal = try PersonsTerminal(rows: 32, columns: 92)
    let child = try shell(fixture, terminal)
    try terminal.type("stty size; exit 6\r")
    try terminal.expect("32 92\n")
    #expect(try child.finish(deadline: .seconds(20)).status == .exited(6))
  }

  private func waitFor(_ holds: () -> Bool) throws {
    for _ in 0..<1000 {
      if holds() { return }
      usleep(10_000)
    }
    Issue.record("what was waited for did not come to pass")
  }

  private func commandLines() -> [String] {
    ((try? FileSystem.list("/proc")) ?? []).filter { Int32($0) != nil }.compactMap { name in
      (try? FileSystem.readFile(FilePath("/proc/\(name)/cmdline"), limit: 1 << 20)).map { String(decoding: $0, as: UTF8.self) }
    }
  }

  private func processes(_ start: String) -> Int { commandLines().count { $0.hasPrefix(start) } }

  /// Processes whose root filesystem is the workspace's, but for its first.
  private func interactiveShells(_ fixture: LaunchFixture) -> Int {
    ((try? FileSystem.list("/proc")) ?? []).count { name in
      guard Int32(name) != nil, let mounts = try? FileSystem.readFile(FilePath("/proc/\(name)/mountinfo"), limit: 1 << 20),
        let line = try? FileSystem.readFile(FilePath("/proc/\(name)/cmdline"), limit: 1 << 16)
      else { return false }
      return String(decoding: mounts, as: UTF8.self).contains(fixture.project.string + " /workspace")
        && line.starts(with: Array("/bin/sh\0".utf8))
    }
  }

  private func readers(of fixture: LaunchFixture) -> Int {
    ((try? FileSystem.list("/proc")) ?? []).count { name in
      ((try? FileSystem.linkTarget(FilePath("/proc/\(name)/fd/1"))) ?? "").hasPrefix(fixture.home.string)
    }
  }

  private func execFiles(_ fixture: LaunchFixture) throws -> [String] {
    let workspaces = fixture.home.appending("workspaces")
    return try FileSystem.list(workspaces).flatMap { try FileSystem.list(workspaces.appending($0)) }.filter { $0.hasPrefix("exec-") }
  }
}
