/// Choosing a runtime by trying it.
import ChildProcess
import EnvCore
import Glibc
import SafeFS
import SystemPackage
import TestSupport
import Testing

@testable import EnvLaunch

@Suite struct ProbeProgramTests {
  @Test func isAnExecutableOfThisMachine() throws {
    let path = FilePath("/tmp/envctl-probe-" + FileSystem.uniqueSuffix())
    defer { try? FileSystem.removeFile(path) }
    try FileSystem.writeAtomically(ProbeProgram.bytes, to: path, mode: 0o755)
    #expect(try Command(path).run().status == .exited(ProbeProgram.exitStatus))
  }
}

@Suite(.serialized, .needs(.root, .busybox, .tool("runc"))) struct RuntimeSelectorTests {
  /// A folder with a `crun` that counts its calls and fails.
  private func brokenRuntime(_ fixture: LaunchFixture) throws -> (folder: FilePath, calls: FilePath) {
    let folder = fixture.folder.appending("bin")
    let calls = fixture.folder.appending("calls")
    try FileSystem.createDirectories(folder)
    let script = "#!/bin/sh\necho \"$@\" >> \(calls)\necho 'this host is not for me' >&2\nexit 1\n"
    try FileSystem.writeAtomically(Array(script.utf8), to: folder.appending("crun"), mode: 0o755)
    return (folder, calls)
  }

  @Test func oneThatFailsIsPassedOverWithItsReasonAndNotTriedAgain() throws {
    let fixture = try LaunchFixture()
    let (folder, calls) = try brokenRuntime(fixture)
    let path = ["PATH": "\(folder):/usr/sbin:/usr/bin:/sbin:/bin"]
    let first = try fixture.run(["run", "--", "true"], environment: path)
    #expect(first.isSuccess)
    #expect(first.errors.contains("\(folder)/crun is passed over: this host is not for me"))
    let callsOnce = try FileSystem.readFile(calls)
    let second = try fixture.run(["run", "--", "true"], environment: path)
    #expect(second.errors == "")
    #expect(try FileSystem.readFile(calls) == callsOnce)
    // Another binary at the same place is another runtime.
    try FileSystem.writeAtomically(Array("#!/bin/sh\necho changed >&2; exit 1\n".utf8), to: folder.appending("crun"), mode: 0o755)
    #expect(try fixture.run(["run", "--", "true"], environment: path).errors.contains("passed over: changed"))
  }

  @Test func noneThatWorksIsAHostErrorWithEachReason() throws {
    let fixture = try LaunchFixture()
    let (folder, _) = try brokenRuntime(fixture)
    let outcome = try fixture.run(["run", "--", "true"], environment: ["ENVCTL_RUNTIME": "\(folder)/crun"])
    #expect(outcome.code == ExitCode.host.rawValue)
    #expect(outcome.errors.contains("crun (this host is not for me)"))
    #expect(outcome.errors.contains("hint: "))
  }

  @Test func noneInstalledIsAHostErrorThatNamesThePackage() throws {
    let outcome = try LaunchFixture().run(["run", "--", "true"], environment: ["ENVCTL_RUNTIME": "no-such-runtime"])
    #expect(outcome.code == ExitCode.host.rawValue)
    #expect(outcome.errors.contains("apt install runc"))
  }

  @Test func anOrdinaryUserIsToldSo() throws {
    let fixture = try LaunchFixture()
    let command = try fixture.command(["run", "--", "true"])
    let driver = fixture.folder.appending("driver")
    _ = try Command("/bin/cp", [command.executable.string, driver.string]).runSuccessfully()
    let arguments = ["--reuid=65534", "--regid=65534", "--clear-groups", driver.string] + command.arguments
    let outcome = Outcome(try Command(try Executable.find("setpriv"), arguments).run(deadline: .seconds(30)))
    #expect(outcome.code == ExitCode.host.rawValue)
    #expect(outcome.errors.contains("containers are started by root, or by root of a user namespace"))
  }
}
