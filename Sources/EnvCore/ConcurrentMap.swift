/// Bounded parallel work on threads of its own, for blocking loops over C libraries and files.
import Glibc
import Synchronization

/// `body` applied to each item on at most `width` threads; results in the order of the items.
///
/// All threads have ended when it returns. The first error stops further items from starting and is thrown.
public func concurrentMap<Item: Sendable, Result: Sendable>(
  _ items: [Item], width: Int, _ body: @Sendable (Item) throws -> Result
) throws -> [Result] {
  guard width > 1, items.count > 1 else { return try items.map(body) }
  return try withoutActuallyEscaping(body) { body in
    let work = SharedWork(items: items, body: body)
    let threads = (0..<min(width, items.count)).map { _ in Thread { work.run() } }
    for thread in threads { thread.join() }
    return try work.results()
  }
}

/// A POSIX thread that runs one closure and is joined exactly once, unless it runs `aside`.
///
/// Blocking work runs here and not on the cooperative pool, whose few threads must never wait.
public final class Thread: Sendable {
  private final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  private let handle: pthread_t

  /// Starts `body` at once, with the stack the limits of the process give (ulimit -s).
  public init(_ body: @escaping @Sendable () -> Void) {
    var handle = pthread_t()
    let context = Unmanaged.passRetained(Body(body))
    // The retained context is released by the thread itself, which always starts when pthread_create returns 0.
    let status = pthread_create(
      &handle, nil,
      { context in
        guard let context else { return nil }
        Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
        return nil
      }, context.toOpaque())
    precondition(status == 0, "pthread_create failed: \(status)")
    self.handle = handle
  }

  /// Runs `body` on a thread that nobody waits for: it ends with the program at the latest.
  public static func aside(_ body: @escaping @Sendable () -> Void) { pthread_detach(Thread(body).handle) }

  /// Lets the rest of the program go first, for the calling thread and those it starts: where all processors are busy, these get a third of what
  /// others get (sched(7), "The nice value").
  public static func yieldToOthers() {
    // Of the calling thread alone, unlike POSIX has it. A program that may not do this works all the same.
    _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 5)
  }

  /// Waits for the closure to end.
  public func join() { pthread_join(handle, nil) }
}

/// The shared state of one `concurrentMap`: the next item to take, the results, the first error.
private final class SharedWork<Item: Sendable, Result: Sendable>: Sendable {
  private struct State {
    var next = 0
    var results: [Result?]
    var error: (any Error)?
  }

  private let items: [Item]
  private let body: @Sendable (Item) throws -> Result
  private let state: Mutex<State>

  init(items: [Item], body: @escaping @Sendable (Item) throws -> Result) {
    self.items = items
    self.body = body
    self.state = Mutex(State(results: Array(repeating: nil, count: items.count)))
  }

  func run() {
    while let index = takeNext() {
      do {
        let result = try body(items[index])
        state.withLock { $0.results[index] = result }
      } catch {
        state.withLock { $0.error = $0.error ?? error }
      }
    }
  }

  func results() throws -> [Result] {
    try state.withLock { state in
      if let error = state.error { throw error }
      return state.results.compactMap { $0 }
    }
  }

  private func takeNext() -> Int? {
    state.withLock { state in
      guard state.error == nil, state.next < items.count else { return nil }
      defer { state.next += 1 }
      return state.next
    }
  }
}
