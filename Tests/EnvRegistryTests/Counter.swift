/// What the servers of these tests remember between requests.
import Synchronization

final class Counter: Sendable {
  private let count = Mutex(0)
  private let seen = Mutex<Set<String>>([])

  /// 1, 2, 3 …
  func next() -> Int {
    count.withLock {
      $0 += 1
      return $0
    }
  }

  /// Whether `word` is new.
  func first(_ word: String) -> Bool { seen.withLock { $0.insert(word).inserted } }
}
