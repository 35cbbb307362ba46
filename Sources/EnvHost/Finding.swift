/// One thing a doctor says about a host.

/// What was found, what it means for the user, and how to mend it.
public struct Finding: Sendable, Equatable, Encodable {
  /// How bad it is. With a problem, `up` does not work.
  public enum Level: String, Sendable, Encodable, Comparable, CaseIterable {
    case ok, note, warning, problem

    public static func < (left: Level, right: Level) -> Bool {
      allCases.firstIndex(of: left) ?? 0 < allCases.firstIndex(of: right) ?? 0
    }
  }

  /// What was looked at, such as `kernel`.
  public let check: String
  public let level: Level
  public let found: String
  public let meaning: String?
  public let mend: String?

  init(_ check: String, _ level: Level, _ found: String, meaning: String? = nil, mend: String? = nil) {
    self.check = check
    self.level = level
    self.found = found
    self.meaning = meaning
    self.mend = mend
  }
}
