/// kill -9 of envctl at any moment: the next command puts things right.
import ChildProcess
import EnvCore
import Glibc
import SafeFS
import SystemPackage
import TestSupport
import Testing

@Suite(.serialized, .needs(.root, .busybox, .tool("runc"))) struct KillTests {
  /// Starts the driver and kills it after `delay`; the runtime and the container are left to themselves.
  private func kill(_ fixture: LaunchFixture, _ arguments: [String], after delay: Duration) throws {
    var command = try fixture.command(arguments)
    command.standardOutput = .null
    command.standardError = .null
    let child = try command.start()
    let end = ContinuousClock.now + delay
    while ContinuousClock.now < end {
      fixture.noteContainers()
      usleep(2000)
    }
    Glibc.kill(child.pid, SIGKILL)
    _ = try child.finish()
    fixture.noteContainers()
  }

  private func processes(with marker: String) -> Int {
    let names = (try? FileSystem.list("/proc")) ?? []
    return names.count { name in
      guard Int32(name) != nil, let line = try? FileSystem.readFile(FilePath("/proc/\(name)/cmdline"), limit: 1 << 20) else { return false }
      return String(decoding: line, as: UTF8.self).contains(marker)
    }
  }

  @Test func killedRunsAreClearedByTheNext() throws {
    let fixture = try LaunchFixture()
    try fixture.run(["run", "--", "true"])
    for attempt in 0..<12 {
      let marker = "98765\(attempt)"
      let delay = Duration.milliseconds(Int.random(in: 0...400))
      try kill(fixture, ["run", "--", "sleep", marker], after: delay)
      let next = try fixture.run(["run", "--", "true"])
      #expect(next.isSuccess, "after \(delay): \(next.errors)")
      #expect(try fixture.leftovers() == [], "after \(delay)")
      #expect(processes(with: "sleep\0" + marker) == 0, "after \(delay)")
    }
  }

  @Test func killedStartsAreTakenUpByTheNext() throws {
    let fixture = try LaunchFixture()
    try fixture.run(["run", "--", "true"])
    for _ in 0..<10 {
      let delay = Duration.milliseconds(Int.random(in: 0...400))
      try kill(fixture, ["start", fixture.project.string], after: delay)
      let next = try fixture.run(["start", fixture.project.string])
      #expect(next.isSuccess, "after \(delay): \(next.errors)")
      #expect(try fixture.run(["exec", fixture.project.string, "--", "true"]).isSuccess, "after \(delay)")
      #expect(try fixture.run(["list"]).lines.map { $0.split(separator: " ")[1] } == ["running"], "after \(delay)")
      #expect(try fixture.run(["down", fixture.project.string]).isSuccess, "after \(delay)")
      #expect(try fixture.leftovers() == [], "after \(delay)")
    }
  }

  @Test func killedStopsAreFinishedByTheNext() throws {
    let fixture = try LaunchFixture()
    for _ in 0..<6 {
      try fixture.run(["start", fixture.project.string])
      fixture.noteContainers()
      let delay = Duration.milliseconds(Int.random(in: 0...200))
      try kill(fixture, [["stop", "down"].randomElement() ?? "stop", fixture.project.string], after: delay)
      // `down` may have come to its end before the kill; then there is no workspace any more.
      try fixture.run(["down", fixture.project.string])
      #expect(try fixture.run(["list"]).output.isEmpty, "after \(delay)")
      #expect(try fixture.leftovers() == [], "after \(delay)")
    }
  }
}
