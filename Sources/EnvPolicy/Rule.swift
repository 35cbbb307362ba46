/// What a rule is. Which rules there are stands in Rules/RuleCatalog.swift; how they are judged, in the files beside it.
import EnvCore

/// How much a finding weighs. Only `error` changes the exit status.
public enum Severity: String, Sendable, Codable, CaseIterable, Comparable {
  case note, warning, error

  public static func < (left: Severity, right: Severity) -> Bool { left.weight < right.weight }

  private var weight: Int {
    switch self {
    case .note: 0
    case .warning: 1
    case .error: 2
    }
  }
}

/// One rule of the policy. Its id never changes its meaning; a rule that is given up leaves its id unused.
public struct Rule: Sendable, Hashable {
  /// `EC` and three digits; the first one names the group (1 images, 2 packages, 3 downloads, 4 models, 5 resources, 9 the linting itself).
  public let id: String
  /// Words joined by hyphens, as good as the id wherever a person names the rule.
  public let name: String
  public let severity: Severity
  /// One sentence: what goes wrong when the rule is not kept.
  public let reason: String
  /// What to write instead.
  public let fix: String

  init(_ id: String, _ name: String, _ severity: Severity, reason: String, fix: String) {
    self.id = id
    self.name = name
    self.severity = severity
    self.reason = reason
    self.fix = fix
  }

  public static func == (left: Rule, right: Rule) -> Bool { left.id == right.id }

  public func hash(into hasher: inout Hasher) { hasher.combine(id) }
}
