/// What is known of a run besides what it computed: which, where, when. Verdicts do not rest on it.
import EnvCore

/// The circumstances of one check.
public struct RunFacts: Codable, Hashable, Sendable {
  /// 32 hexadecimal digits, fit for a trace id (W3C Trace Context §3.2.2.3).
  public var id: String
  /// When it began.
  public var started: Timestamp
  /// Wall time from the container's start to its end.
  public var seconds: Double
  /// The environment as the project names it.
  public var environment: String
  /// Manifest digest of the image it ran in.
  public var image: Digest
  /// What ran: the program and its arguments.
  public var command: [String]
  /// How the process ended, such as `exit status 0`.
  public var ending: String

  /// The circumstances of one check.
  public init(
    id: String, started: Timestamp, seconds: Double, environment: String, image: Digest, command: [String], ending: String
  ) {
    self.id = id
    self.started = started
    self.seconds = seconds
    self.environment = environment
    self.image = image
    self.command = command
    self.ending = ending
  }

  /// An id no other run has.
  public static func newID() -> String {
    var generator = SystemRandomNumberGenerator()
    return (0..<2).map { _ in
      let digits = String(generator.next() as UInt64, radix: 16)
      return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }.joined()
  }
}
