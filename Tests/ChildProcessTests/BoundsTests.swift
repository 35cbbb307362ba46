/// Bounds on what a child may write and how long it may run, and that nothing of it is left.
import ChildProcess
import Glibc
import Synchronization
import SystemPackage
import Testing

@Suite struct BoundsTests {
  @Test func captureEndsAChildThatWritesTooMuch() throws {
    let error = #expect(throws: ProcessError.self) { try shell("yes").run(output: .capture(limit: 1000)) }
    guard case .outputTooLong(_, 1000) = error else {
      Issue.record("unexpected \(String(describing: error))")
      return
    }
  }

  @Test func captureTakesExactlyTheLimit() throws {
    #expect(try shell("printf 12345").run(output: .capture(limit: 5)).output.count == 5)
    #expect(throws: ProcessError.self) { try shell("printf 123456").run(output: .capture(limit: 5)) }
  }

  @Test func tailKeepsTheEnd() throws {
    let completion = try shell("seq 1 100000 >&2; echo end >&2").run(errors: .tail(limit: 10))
    #expect(completion.errors.count == 10)
    #expect(completion.errorText.hasSuffix("end"))
  }

  @Test func linesComeWholeInOrderAndWithTheLastOne() throws {
    var lines: [String] = []
    _ = try shell("printf 'a\\n\\nb'; sleep 0.05; printf 'c\\nd'").run(output: .lines { lines.append($0) })
    #expect(lines == ["a", "", "bc", "d"])
  }

  @Test func linesComeWhileTheChildRuns() throws {
    let start = ContinuousClock.now
    var first: Duration?
    _ = try shell("echo now; sleep 0.6").run(output: .lines { _ in first = first ?? (ContinuousClock.now - start) })
    #expect(try #require(first) < .milliseconds(500))
  }

  @Test func longLineComesInPieces() throws {
    var sizes: [Int] = []
    _ = try shell("head -c 20000000 /dev/zero | tr '\\0' x").run(output: .lines { sizes.append($0.utf8.count) })
    #expect(sizes.reduce(0, +) == 20_000_000)
    #expect(sizes.count > 1)
    #expect(sizes.allSatisfy { $0 <= 9 << 20 })
  }

  @Test func deadlineEndsTheWholeGroup() throws {
    let path = "/tmp/envctl-group-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    defer { unlink(path) }
    let error = #expect(throws: ProcessError.self) {
      try shell("sleep 300 & echo $! > \(path); wait").run(deadline: .milliseconds(400))
    }
    guard case .deadlineExceeded = error else {
      Issue.record("unexpected \(String(describing: error))")
      return
    }
    let file = try FileDescriptor.open(FilePath(path), .readOnly)
    defer { try? file.close() }
    let number = String(unsafeUninitializedCapacity: 20) { (try? file.read(into: UnsafeMutableRawBufferPointer($0))) ?? 0 }
    let grandchild = try #require(pid_t(number.split(separator: "\n").first ?? ""))
    let hasEnded = ProcessHandle(pid: grandchild)?.waitForEnd(within: .seconds(2)) ?? true
    #expect(hasEnded)
  }

  @Test func childThatIgnoresTermIsKilled() throws {
    let start = ContinuousClock.now
    #expect(throws: ProcessError.self) {
      try shell("trap '' TERM; while :; do sleep 0.1; done").run(deadline: .milliseconds(200))
    }
    #expect(ContinuousClock.now - start < .seconds(20))
  }

  @Test func grandchildThatKeepsTheStreamDoesNotHoldUs() throws {
    let start = ContinuousClock.now
    let completion = try shell("sleep 30 & echo done").run()
    #expect(text(completion.output) == "done\n")
    #expect(ContinuousClock.now - start < .seconds(15))
  }

  @Test func droppedChildIsKilledAndReaped() throws {
    func startAndDrop() throws -> pid_t { try shell("sleep 300").start().pid }
    let pid = try startAndDrop()
    #expect(kill(pid, 0) == -1)
  }

  @Test func descriptorsAreAllClosed() throws {
    func count() throws -> Int {
      let completion = try Command("/bin/ls", ["/proc/\(getpid())/fd"]).run()
      return text(completion.output).split(separator: "\n").count
    }
    let before = try count()
    for _ in 0..<50 { _ = try shell("echo x").run() }
    // Other tests run beside this one and hold a few.
    #expect(try count() < before + 40)
  }
}
