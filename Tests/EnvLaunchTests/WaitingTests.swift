/// Commands in a workspace that somebody waits for: with a deadline, interrupted, and where everything is frozen.
import ChildProcess
import EnvCore
import Glibc
import SafeFS
import SystemPackage
import TestSupport
import Testing

@Suite(.serialized, .needs(.root, .busybox, .tool("runc"))) struct WaitingTests {
  private func withWorkspace(_ body: (LaunchFixture, String) throws -> Void) throws {
    let fixture = try LaunchFixture()
    try #require(try fixture.run(["start", fixture.project.string]).isSuccess)
    try body(fixture, fixture.project.string)
  }

  @Test func whatIsReadIsGivenUpInTime() throws {
    try withWorkspace { fixture, project in
      let read = try fixture.run(["exec", project, "--read", "30", "--", "sh", "-c", "echo one; echo two >&2; exit 3"])
      #expect(read.code == 3 && read.lines == ["one"] && read.errors == "two", "\(read)")
      let start = ContinuousClock.now
      let silent = try fixture.run(["exec", project, "--read", "1", "--", "sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done"])
      #expect(silent.lines == ["up"] && silent.errors == "the command did not end within 1.0 s", "\(silent)")
      #expect(ContinuousClock.now - start < .seconds(15))
    }
  }

  /// Also where the command does not care and is ended by its deadline.
  @Test(arguments: [("30", ""), ("2", "trap '' INT; ")]) func anInterruptionIsToldAsOne(limit: String, trap: String) throws {
    try withWorkspace { fixture, project in
      let loop = trap + "echo up; while :; do sleep 0.1; done"
      let child = try fixture.command(["exec", project, "--read", limit, "--", "sh", "-c", loop]).start()
      let pid = child.pid
      let completion = try child.finish(
        output: .lines { if $0 == "up" { kill(pid, SIGINT) } }, deadline: .seconds(20))
      #expect(completion.status == .exited(130) && completion.errorText == "interrupted by signal 2", "\(completion)")
    }
  }

  private static let freezers = ["/sys/fs/cgroup/freezer", "/sys/fs/cgroup/cgroup.controllers"]

  /// Frozen with the runtime's own command, as an administrator would.
  @Test(.needs(Capability("a cgroup freezer", isPresent: freezers.contains { FileSystem.exists(FilePath($0)) }, package: nil)))
  func aPausedWorkspace() throws {
    try withWorkspace { fixture, project in
      let id = try #require(try fixture.run(["list"]).lines.first?.split(separator: " ").first.map(String.init))
      let runtimes = fixture.home.appending("run")
      let name = try #require(["crun", "runc"].first { FileSystem.exists(runtimes.appending($0).appending(id)) })
      let runtime = [name, "--root", runtimes.appending(name).string]
      try #require(try Tool.run(runtime[0], Array(runtime.dropFirst()) + ["pause", id]).status == 0)
      for arguments in [["exec", project, "--", "true"], ["start", project]] {
        let outcome = try fixture.run(arguments)
        #expect(outcome.code == 1 && outcome.errors.hasPrefix("workspace '\(id)' is paused"), "\(outcome)")
        #expect(outcome.errors.contains("resume \(id)"), "\(outcome)")
      }
      try #require(try Tool.run(runtime[0], Array(runtime.dropFirst()) + ["resume", id]).status == 0)
      #expect(try fixture.run(["exec", project, "--", "true"]).isSuccess)
    }
  }
}
