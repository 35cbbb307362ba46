/// Signals on their way to a foreground child, and processes that are not our children. One at a time: a relay belongs to the whole process.
import ChildProcess
import EnvCore
import Glibc
import SystemPackage
import Testing

@Suite(.serialized) struct SignalTests {
  @Test(arguments: [SIGTERM, SIGINT, SIGHUP, SIGUSR1]) func signalSentToUsReachesTheChild(number: Int32) throws {
    let relay = try SignalRelay()
    var lines: [String] = []
    let script = "trap 'echo got; exit 9' \(number); echo ready; while :; do sleep 0.05; done"
    let child = try shell(script).start()
    let completion = try child.finish(
      output: .lines { line in
        lines.append(line)
        // To this very process, as another program would send it.
        if line == "ready" { kill(getpid(), number) }
      }, relay: relay)
    #expect(lines == ["ready", "got"])
    #expect(completion.status == .exited(9))
  }

  /// Both are there at the same look: that the child has ended, and a signal for who comes after it.
  @Test func signalThatComesWhileTheChildEndsIsForItsSuccessor() throws {
    let relay = try SignalRelay()
    let first = try shell("echo ending; kill -TERM $PPID").start()
    let status = try first.finish(output: .lines { _ in usleep(300_000) }, relay: relay, successor: { nil }).status
    #expect(status.isSuccess)
    let second = try shell("exec sleep 60").start()
    #expect(try second.finish(deadline: .seconds(10), relay: relay).status == .signaled(SIGTERM))
  }

  @Test func secondRelayIsRefusedAndTheFirstGivesBack() throws {
    do {
      let relay = try SignalRelay()
      #expect(throws: ProcessError.self) { try SignalRelay() }
      withExtendedLifetime(relay) {}
    }
    let again = try SignalRelay()
    withExtendedLifetime(again) {}
  }

  @Test func handleTakesOnlyTheProcessMeant() throws {
    let child = try shell("sleep 300").start()
    let startTime = try #require(ProcessHandle.startTime(of: child.pid))
    let hasOther = ProcessHandle(pid: child.pid, startTime: startTime + 1) != nil
    #expect(!hasOther)
    guard let handle = ProcessHandle(pid: child.pid, startTime: startTime) else {
      Issue.record("the child has no handle")
      return
    }
    let endedAtOnce = handle.waitForEnd(within: .milliseconds(50))
    #expect(!endedAtOnce)
    handle.signal(SIGTERM)
    let ended = handle.waitForEnd(within: .seconds(5))
    #expect(ended)
    #expect(try child.finish().status == .signaled(SIGTERM))
  }
}
