/// Workspaces that are asked for otherwise than they were made, several of them, and who owns what they make.
import ChildProcess
import EnvCore
import EnvLaunch
import Glibc
import SafeFS
import SystemPackage
import TestSupport
import Testing

@Suite(.serialized, .needs(.root, .busybox, .tool("runc"))) struct ChangeTests {
  private func exec(_ text: String, in fixture: LaunchFixture, name: [String] = []) throws -> Outcome {
    try fixture.run(["exec", fixture.project.string] + name + ["--", "sh", "-c", text])
  }

  @Test func otherSettingsAreToldAndTheChangesKept() throws {
    let fixture = try LaunchFixture()
    let folder = fixture.project.string
    try fixture.run(["start", folder, "--env", "OLD=1"])
    try #require(exec("echo kept > /tmp/mine", in: fixture).isSuccess)
    let outcome = try fixture.run(["start", folder, "--env", "NEW=2", "--cwd", "/tmp"])
    #expect(outcome.output.hasPrefix("started"))
    for line in ["variable NEW: none → set", "variable OLD: set → none", "working folder: none → /tmp"] {
      #expect(outcome.errors.contains("is started anew: \(line)"), "\(outcome.errors)")
    }
    #expect(try exec("cat mine; echo $NEW$OLD", in: fixture).output == "kept\n2\n")
    #expect(try fixture.run(["start", folder, "--env", "NEW=2", "--cwd", "/tmp"]).output.hasPrefix("found"))
    #expect(try fixture.run(["start", folder, "--env", "NEW=2", "--cwd", "/tmp", "--recreate"]).output.hasPrefix("started"))
    #expect(try exec("ls /tmp/mine", in: fixture).code == 1)
  }

  @Test func changesOverAnotherImageAreNotLostUnasked() throws {
    let fixture = try LaunchFixture()
    let folder = fixture.project.string
    try fixture.run(["start", folder])
    let other = try Digest(hex: String(repeating: "b", count: 64))
    try fixture.setDigest(other)
    // Nothing was changed, so nothing can be lost.
    let first = try fixture.run(["start", folder])
    #expect(first.output.hasPrefix("started") && first.errors.contains("image: aaaaaaaaaaaa → bbbbbbbbbbbb"), "\(first)")
    try #require(exec("echo mine > /tmp/mine", in: fixture).isSuccess)
    try fixture.setDigest(try Digest(hex: String(repeating: "c", count: 64)))
    let refused = try fixture.run(["start", folder])
    #expect(refused.code == 1)
    #expect(refused.errors.contains("image: bbbbbbbbbbbb → cccccccccccc") && refused.errors.contains("--recreate"), "\(refused.errors)")
    #expect(try exec("cat /tmp/mine", in: fixture).output == "mine\n")
    #expect(try fixture.run(["start", folder, "--recreate"]).output.hasPrefix("started"))
    #expect(try exec("ls /tmp/mine", in: fixture).code == 1)
  }

  @Test func severalOfOneFolder() throws {
    let fixture = try LaunchFixture()
    let folder = fixture.project.string
    defer { for name in ["one", "two"] { _ = try? fixture.run(["down", folder, "--name", name]) } }
    for name in ["one", "two"] { #expect(try fixture.run(["start", folder, "--name", name]).output.hasSuffix("-\(name)\n")) }
    try #require(exec("echo 1 > /tmp/mine", in: fixture, name: ["--name", "one"]).isSuccess)
    #expect(try exec("ls /tmp/mine", in: fixture, name: ["--name", "two"]).code == 1)
    #expect(try fixture.run(["list"]).lines.map { $0.split(separator: " ")[1] } == ["running", "running"])
    #expect(try fixture.run(["rm", folder, "--name", "one"]).errors.contains("is running"))
    #expect(try fixture.run(["stop", folder, "--name", "one"]).isSuccess)
    #expect(try fixture.run(["rm", folder, "--name", "one"]).isSuccess)
    #expect(try fixture.run(["list"]).lines.count == 1)
  }

  @Test func whatIsMadeBelongsToTheOwnerOfTheFolder() throws {
    let fixture = try LaunchFixture()
    try #require(chown(fixture.project.string, 4321, 5432) == 0)
    let program = [
      "--owner", "--", "sh", "-c",
      "mkdir /workspace/d; echo x > /workspace/d/f; ls -ln /workspace | grep -c ' 0 '; chown 7:8 /workspace/d/f",
    ]
    let outcome = try fixture.run(["run", fixture.project.string] + program)
    #expect(outcome.output == "1\n", "\(outcome.errors)")
    let folder = try #require(try FileSystem.status(fixture.project.appending("d")))
    #expect(folder.uid == 4321 && folder.gid == 5432)
    let given = try #require(try FileSystem.status(fixture.project.appending("d/f")))
    #expect(given.uid == 7 && given.gid == 8)
  }

  /// kill -9 of envctl while it does each of these; whatever is left, the next commands see it truly and clear it away.
  @Test func killedAnywhereIsPutRight() throws {
    let fixture = try LaunchFixture()
    let folder = fixture.project.string
    let sleeper = ["exec", folder, "--", "sleep", "971"]
    let settings = [
      ["start", folder], ["start", folder, "--env", "A=1"], sleeper, ["diff", folder],
      ["copy", folder, "--", ":/etc", "\(fixture.folder)/c"],
    ]
    try fixture.run(["start", folder])
    for arguments in settings + settings {
      fixture.noteContainers()
      var command = try fixture.command(arguments)
      command.standardOutput = .null
      command.standardError = .null
      let child = try command.start()
      usleep(UInt32.random(in: 0...250_000))
      kill(child.pid, SIGKILL)
      _ = try child.finish()
      let states = try fixture.run(["list"]).lines.map { $0.split(separator: " ")[1] }
      #expect(states == ["running"] || states == ["stopped"], "\(arguments)")
      #expect(try fixture.run(["start", folder]).isSuccess, "\(arguments)")
      #expect(try exec("true", in: fixture).isSuccess, "\(arguments)")
    }
    #expect(try fixture.run(["down", folder]).isSuccess)
    #expect(try fixture.leftovers() == [])
    #expect(try FileSystem.list(fixture.home.appending("workspaces")) == [])
  }

  /// A signal that comes before the container's first process listens is not lost.
  @Test func earlySignalsArrive() throws {
    let fixture = try LaunchFixture()
    try fixture.run(["run", "--", "true"])
    for delay in [20, 40, 60, 80, 100, 130, 170, 220] as [UInt32] {
      let child = try fixture.command(["run", "--", "sleep", "30"]).start()
      usleep(delay * 1000)
      kill(child.pid, SIGTERM)
      let start = ContinuousClock.now
      let status = try child.finish(deadline: .seconds(25)).status
      #expect(status.code == 143, "after \(delay) ms: \(status)")
      #expect(ContinuousClock.now - start < .seconds(20))
    }
  }

  @Test(.needs(.tool("catatonit"))) func orphansAreReaped() throws {
    let fixture = try LaunchFixture()
    try fixture.run(["start", fixture.project.string])
    // Their parent is gone before they end.
    try #require(exec("for i in 1 2 3; do (setsid sleep 0.2 &) ; done", in: fixture).isSuccess)
    var left = "?"
    for _ in 0..<100 where !left.isEmpty {
      usleep(50_000)
      left = try exec("ps -o stat,args | grep -E '^Z|sleep 0' | grep -v grep", in: fixture).output
    }
    #expect(left.isEmpty, "\(left)")
  }
}
