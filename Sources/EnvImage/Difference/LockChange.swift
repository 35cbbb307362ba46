/// One thing that is not the same in two pinned environments, and can be changed by itself.

/// An atomic change. What makes a change needs another is `LockDifference`'s business.
public struct LockChange: Sendable, Hashable, Codable, CustomStringConvertible {
  /// What is changed, in the order in which changes are listed.
  public enum Kind: String, Sendable, Codable, CaseIterable {
    case debian = "package"
    /// The Python the wheels are installed for.
    case interpreter
    case wheel
    case file
    case link
    /// Of the image.
    case variable
    /// A variable of `envctl.yaml`.
    case setting
    case user
    case workingDirectory = "working directory"
  }

  public var kind: Kind
  /// The package, path or variable; empty where there is only one of its kind.
  public var name: String
  /// What the good environment has; nil for nothing.
  public var before: String?
  /// What the bad environment has; nil for nothing.
  public var after: String?

  public var description: String {
    "\(kind.rawValue)\(name.isEmpty ? "" : " " + name): \(before ?? "none") → \(after ?? "none")"
  }
}
