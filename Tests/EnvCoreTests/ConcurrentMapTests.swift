/// Work on several threads: its order, its bound, its first error.
import Glibc
import Synchronization
import Testing

@testable import EnvCore

@Suite struct ConcurrentMapTests {
  struct Failure: Error, Equatable { var item: Int }

  @Test(arguments: [1, 2, 7, 100]) func order(_ width: Int) throws {
    #expect(try concurrentMap(Array(0..<50), width: width) { $0 * 2 } == (0..<50).map { $0 * 2 })
    #expect(try concurrentMap([Int](), width: width) { $0 }.isEmpty)
  }

  @Test("never more at once than the width, and as many as that") func bound() throws {
    let running = Atomic(0)
    let most = Atomic(0)
    _ = try concurrentMap(Array(0..<24), width: 3) { _ in
      let now = running.add(1, ordering: .relaxed).newValue
      most.max(now, ordering: .relaxed)
      usleep(5000)
      running.subtract(1, ordering: .relaxed)
    }
    #expect(most.load(ordering: .relaxed) == 3)
    #expect(running.load(ordering: .relaxed) == 0)
  }

  @Test("an error stops further items and comes out", arguments: [1, 3]) func firstError(_ width: Int) {
    let started = Atomic(0)
    #expect(throws: Failure(item: 4)) {
      _ = try concurrentMap(Array(0..<1000), width: width) { item in
        started.add(1, ordering: .relaxed)
        if item == 4 { throw Failure(item: item) }
        usleep(1000)
      }
    }
    #expect(started.load(ordering: .relaxed) < 100)
  }
}
