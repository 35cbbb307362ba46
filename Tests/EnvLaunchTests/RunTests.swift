/// Throw-away containers with a real runtime.
import ChildProcess
import EnvCore
import EnvLaunch
import Glibc
import SafeFS
import SystemPackage
import TestSupport
import Testing

@Suite(.serialized, .needs(.root, .busybox, .tool("runc"))) struct RunTests {
  @Test(arguments: [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill -TERM $$", 143)])
  func exitCodePassesThrough(script: String, expected: Int32) throws {
    #expect(try LaunchFixture().script(script).code == expected)
  }

  @Test func missingCommandIs127AndNamesIt() throws {
    let outcome = try LaunchFixture().run(["run", "--", "no-such-command"])
    #expect(outcome.code == 127)
    #expect(outcome.errors.contains("command 'no-such-command' is not in the environment (looked in /bin)"))
  }

  @Test func plainFileIs126() throws {
    #expect(try LaunchFixture().run(["run", "--", "/lower/plain"]).code == 126)
  }

  @Test func environmentFolderUserAndName() throws {
    let fixture = try LaunchFixture()
    let options = ["--env", "MINE=2", "--user", "ann", "--cwd", "/lower"]
    let outcome = try fixture.script("id; pwd; hostname; echo $FROM_IMAGE $MINE $HOME; echo err >&2", options: options)
    #expect(outcome.lines == ["uid=1000(ann) gid=1000(ann) groups=44(video)", "/lower", "test", "1 2 /home/ann"])
    #expect(outcome.errors.hasSuffix("err"))
  }

  @Test func hostVariablesDoNotLeakIn() throws {
    let outcome = try LaunchFixture().run(["run", "--", "env"], environment: ["SECRET_OF_HOST": "x"])
    #expect(!outcome.output.contains("SECRET_OF_HOST"))
  }

  @Test func whiteoutsAndOpaqueFoldersHideWhatIsBelow() throws {
    let outcome = try LaunchFixture().script("ls /lower; ls /opaque; cat /lower/kept")
    #expect(outcome.lines == ["kept", "plain", "new", "kept"])
  }

  @Test func layersStayAsTheyAreAndTheNextRunIsFresh() throws {
    let fixture = try LaunchFixture()
    let before = try fixture.layerListing()
    #expect(try fixture.script("echo x > /etc/passwd; rm -r /bin/busybox /opaque 2>/dev/null; echo y > /new").isSuccess)
    #expect(try fixture.layerListing() == before)
    #expect(try fixture.script("ls / | grep new; cat /opaque/new").output == "new")
  }

  @Test func whatAwaitsTheNextRunHoldsNoChanges() throws {
    let fixture = try LaunchFixture()
    let shelf = fixture.home.appending("run/shelf")
    #expect(try fixture.script("mkdir -p /a/b/c; echo x > /a/b/c/d; chmod 0 /a/b; echo y > /tmp/z").isSuccess)
    let first = try FileSystem.list(shelf)
    #expect(first.count == 1)
    for name in first { #expect(try FileSystem.list(shelf.appending(name).appending("upper")) == []) }
    #expect(try fixture.run(["run", "--", "true"]).isSuccess)
    #expect(Set(try FileSystem.list(shelf)).isDisjoint(with: first))
  }

  @Test func processIsConfined() throws {
    let outcome = try LaunchFixture().script(
      """
      while read key value; do case $key in CapEff:|CapBnd:|NoNewPrivs:|Seccomp:) echo $key $value;; esac; done < /proc/self/status
      mount -t tmpfs x /tmp 2>&1; unshare -U true 2>&1; unshare -m true 2>&1
      echo x > /proc/sys/kernel/hostname; echo x > /sys/kernel/profiling; ls /proc/scsi /sys/firmware; wc -c < /proc/keys
      """)
    #expect(
      Set(outcome.lines.prefix(4)) == ["NoNewPrivs: 1", "Seccomp: 2", "CapEff: 00000000a80425fb", "CapBnd: 00000000a80425fb"])
    #expect(outcome.output.contains("mount: permission denied"))
    #expect(outcome.output.occurrences(of: "Operation not permitted") == 2)
    #expect(outcome.errors.contains("/proc/sys/kernel/hostname: Read-only file system"))
    #expect(outcome.errors.contains("/sys/kernel/profiling: Read-only file system"))
    #expect(outcome.lines.last == "0")
  }

  @Test func workspaceFolderIsWritable() throws {
    let fixture = try LaunchFixture()
    #expect(try fixture.run(["run", fixture.project.string, "--", "sh", "-c", "echo hi > /workspace/file"]).isSuccess)
    #expect(try FileSystem.readFile(fixture.project.appending("file")) == Array("hi\n".utf8))
  }

  @Test func missingMountSourceIsAUsageError() throws {
    let outcome = try LaunchFixture().run(["run", "/no/such/folder", "--", "true"])
    #expect(outcome.code == 2)
    #expect(outcome.errors.contains("'/no/such/folder'"))
  }

  @Test func hostSeesNoMountWhileItRunsAndNothingAfterwards() throws {
    let fixture = try LaunchFixture()
    let before = try LaunchFixture.hostMounts()
    var during: [String] = []
    let command = try fixture.command(["run", "--", "sh", "-c", "echo up; sleep 0.2"])
    _ = try command.run(
      output: .lines { _ in
        during = (try? LaunchFixture.hostMounts()) ?? []
        fixture.noteContainers()
      })
    #expect(during == before)
    #expect(fixture.known.count == 1)
    #expect(try fixture.leftovers() == [])
  }

  @Test(arguments: [SIGTERM, SIGINT, SIGHUP]) func signalEndsTheCommand(number: Int32) throws {
    try LaunchFixture().expectSignalToReachTheCommand(number)
  }

  @Test(.needs(.tool("script", package: "bsdutils"))) func controlCEndsASleepAndTheTerminalWorks() throws {
    let fixture = try LaunchFixture()
    #expect(try fixture.typed("\\003", into: ["run", "--", "sleep", "60"]).code == 130)
    #expect(try fixture.typed("\\003", into: ["run", "--tty", "--", "sleep", "60"]).code == 130)
    let session = try fixture.typed("tty\\nexit 3\\n", into: ["run", "--tty", "--", "sh"])
    #expect(session.code == 3)
    #expect(session.output.contains("/dev/pts/0"))
    #expect(try fixture.leftovers() == [])
  }

  @Test func terminalWithoutOneIsAUsageError() throws {
    #expect(try LaunchFixture().run(["run", "--tty", "--", "true"]).code == 2)
  }
}

extension String {
  /// How often `part` occurs.
  fileprivate func occurrences(of part: String) -> Int { ranges(of: part).count }
}
