/// The story a command tells while it works: stages, progress, warnings. What is told where (terminal, plain lines, log) is the reporter's business.

/// How far a stage has come.
public struct StageProgress: Sendable, Equatable {
  /// What is being worked on now, such as a file's name.
  public var object: String
  public var done: Int64
  public var total: Int64?
  /// Whether the numbers count bytes; otherwise they count things (packages, steps).
  public var isBytes: Bool

  public init(object: String, done: Int64, total: Int64?, isBytes: Bool) {
    self.object = object
    self.done = done
    self.total = total
    self.isBytes = isBytes
  }
}

/// Receives the story. Calls may come from several threads.
public protocol StageReporter: Sendable {
  /// A stage has begun; it may be long.
  func began(_ stage: String)
  /// The stage has come this far. Called often; a reporter thins it out.
  func progressed(_ stage: String, _ progress: StageProgress)
  /// The stage is done: one line for people with what it did and how long it took.
  func ended(_ stage: String, summary: String, duration: Duration)
  /// Something the user should know and that stops nothing.
  func warned(_ message: String)
}

extension StageReporter {
  /// Runs `body` as the stage `name`; its second result is the stage's closing line. A thrown error ends the stage without one.
  public func stage<Value>(
    _ name: String, _ body: (_ progress: @escaping @Sendable (StageProgress) -> Void) throws -> (Value, String)
  ) rethrows -> Value {
    let clock = ContinuousClock()
    let start = clock.now
    began(name)
    let (value, summary) = try body { self.progressed(name, $0) }
    ended(name, summary: summary, duration: clock.now - start)
    return value
  }
}

/// Tells nothing.
public struct SilentReporter: StageReporter {
  public init() {}
  public func began(_ stage: String) {}
  public func progressed(_ stage: String, _ progress: StageProgress) {}
  public func ended(_ stage: String, summary: String, duration: Duration) {}
  public func warned(_ message: String) {}
}
