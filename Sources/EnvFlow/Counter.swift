/// A number several threads add to.
import Synchronization

final class Counter: Sendable {
  private let value = Atomic<Int64>(0)

  /// The sum after adding `amount`.
  func add(_ amount: Int64) -> Int64 { value.add(amount, ordering: .relaxed).newValue }
}
