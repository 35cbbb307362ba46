/// Containers that are made and held back until their image is proven.
import ChildProcess
import EnvCore
import Glibc
import SafeFS
import SystemPackage
import TestSupport
import Testing

@Suite(.serialized, .needs(.root, .busybox, .tool("runc"))) struct StartGateTests {
  private func proof(_ fixture: LaunchFixture) -> FilePath { fixture.folder.appending("proof") }
  private func mark(_ fixture: LaunchFixture) -> FilePath { fixture.project.appending("mark") }

  private func conclude(_ fixture: LaunchFixture, _ finding: String) throws {
    try FileSystem.writeAtomically(Array(finding.utf8), to: proof(fixture))
  }

  /// The hook that waits for a word of the process `pid`.
  private func isHeld(by pid: pid_t) -> Bool {
    let names = (try? FileSystem.list("/proc")) ?? []
    return names.contains { name in
      guard Int32(name) != nil, let line = try? FileSystem.readFile(FilePath("/proc/\(name)/cmdline"), limit: 1 << 16) else { return false }
      let words = line.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
      return words.first == "sh" && words.last?.hasPrefix("/proc/\(pid)/fd/") == true
    }
  }

  private func waits(until isSo: () -> Bool) -> Bool {
    let end = ContinuousClock.now + .seconds(10)
    while ContinuousClock.now < end {
      if isSo() { return true }
      usleep(5000)
    }
    return false
  }

  /// Starts the driver and waits until its container is made. The command would leave a mark in the project's folder.
  private func hold(_ fixture: LaunchFixture, _ verb: String, ending: String = "sleep 60") throws -> ChildProcess {
    let options = [verb, fixture.project.string, "--proof", proof(fixture).string]
    let child = try fixture.command(options + ["--", "sh", "-c", "echo x > /workspace/mark; " + ending]).start()
    let pid = child.pid
    #expect(waits { isHeld(by: pid) })
    usleep(100_000)
    fixture.noteContainers()
    #expect(!fixture.known.isEmpty)
    #expect(!FileSystem.exists(mark(fixture)))
    return child
  }

  private func expectNothingLeft(_ fixture: LaunchFixture) throws {
    #expect(!FileSystem.exists(mark(fixture)))
    #expect(try fixture.leftovers() == [])
    #expect(try fixture.run(["list"]).output.isEmpty)
  }

  @Test(arguments: ["run", "start"]) func aFailedProofStartsNothing(verb: String) throws {
    let fixture = try LaunchFixture()
    let child = try hold(fixture, verb)
    try conclude(fixture, "what was changed")
    let completion = try child.finish(deadline: .seconds(30))
    #expect(completion.status.code == 1)
    #expect(completion.errorText.contains("what was changed"), "\(completion.errorText)")
    try expectNothingLeft(fixture)
  }

  @Test func aGoodProofLetsItRun() throws {
    let fixture = try LaunchFixture()
    let child = try hold(fixture, "run", ending: "exit 7")
    try conclude(fixture, "as it was")
    #expect(try child.finish(deadline: .seconds(30)).status.code == 7)
    #expect(FileSystem.exists(mark(fixture)))
    let workspace = try fixture.run(["start", fixture.project.string, "--proof", proof(fixture).string])
    #expect(workspace.output.hasPrefix("started"), "\(workspace.errors)")
    #expect(try fixture.run(["down", fixture.project.string]).isSuccess)
    #expect(try fixture.leftovers() == [])
  }

  @Test func theProofIsToldBeforeWhatItExplains() throws {
    let fixture = try LaunchFixture()
    try conclude(fixture, "what was changed")
    let outcome = try fixture.run(["run", "--proof", proof(fixture).string, "--", "no-such-command"])
    #expect(outcome.code == 1)
    #expect(outcome.errors.contains("what was changed"), "\(outcome.errors)")
    #expect(try fixture.leftovers() == [])
  }

  @Test(arguments: [SIGTERM, SIGINT]) func aSignalEndsTheWaiting(number: Int32) throws {
    let fixture = try LaunchFixture()
    let child = try hold(fixture, "run")
    kill(child.pid, number)
    #expect(try child.finish(deadline: .seconds(30)).status.code == 128 + number)
    try expectNothingLeft(fixture)
  }

  @Test(arguments: ["run", "start"]) func anEnvctlThatIsKilledStartsNothing(verb: String) throws {
    let fixture = try LaunchFixture()
    let child = try hold(fixture, verb)
    let pid = child.pid
    kill(pid, SIGKILL)
    _ = try child.finish()
    #expect(waits { !isHeld(by: pid) })
    let states = try fixture.run(["list"]).lines.map { $0.split(separator: " ")[1] }
    #expect(states == (verb == "start" ? ["stopped"] : []))
    #expect(!FileSystem.exists(mark(fixture)))
    #expect(try fixture.run(["start", fixture.project.string]).output.hasPrefix("started"))
    #expect(try fixture.run(["exec", fixture.project.string, "--", "true"]).isSuccess)
    #expect(try fixture.run(["down", fixture.project.string]).isSuccess)
    try expectNothingLeft(fixture)
  }

  /// A `crun` that is runc with a configuration which Python code has altered, before it on the PATH.
  private func alteredRuntime(_ fixture: LaunchFixture, _ alteration: String) throws -> [String: String] {
    let folder = fixture.folder.appending("bin")
    try FileSystem.createDirectories(folder)
    let script = """
      #!/usr/bin/python3
      import json, os, sys
      if "--bundle" in sys.argv:
          file = sys.argv[sys.argv.index("--bundle") + 1] + "/config.json"
          with open(file) as source:
              configuration = json.load(source)
          \(alteration)
          with open(file, "w") as target:
              json.dump(configuration, target)
      os.execvp("runc", ["runc"] + sys.argv[1:])

      """
    try FileSystem.writeAtomically(Array(script.utf8), to: folder.appending("crun"), mode: 0o755)
    return ["PATH": "\(folder):/usr/sbin:/usr/bin:/sbin:/bin"]
  }

  private static let deafRuntimes = [
    ("configuration.pop('hooks')", "it calls no createRuntime hooks"),
    ("configuration['hooks']['createRuntime'][0]['args'][2] += ' || true'", "it starts the program after a createRuntime hook has failed"),
  ]

  @Test(.needs(.tool("python3")), arguments: deafRuntimes) func aRuntimeThatIgnoresHooksIsPassedOver(
    _ alteration: String, _ reason: String
  ) throws {
    let fixture = try LaunchFixture()
    let outcome = try fixture.run(["run", "--", "true"], environment: try alteredRuntime(fixture, alteration))
    #expect(outcome.isSuccess)
    #expect(outcome.errors.contains("crun is passed over: \(reason)"), "\(outcome.errors)")
    #expect(try fixture.leftovers() == [])
  }

  @Test(.needs(.tool("python3")), arguments: [0, 3]) func aRuntimeThatIgnoresHooksLaterIsNoOrdinaryEnding(code: Int) throws {
    let fixture = try LaunchFixture()
    let alteration = "if not sys.argv[-1].startswith('probe-'): configuration.pop('hooks')"
    let path = try alteredRuntime(fixture, alteration)
    try conclude(fixture, "as it was")
    let options = ["run", "--proof", proof(fixture).string, "--", "sh", "-c", "exit \(code)"]
    let outcome = try fixture.run(options, environment: path)
    #expect(outcome.code == ExitCode.host.rawValue)
    #expect(outcome.errors.contains("crun ended with exit status \(code) and never called the hook"), "\(outcome.errors)")
    #expect(try fixture.leftovers() == [])
  }
}
