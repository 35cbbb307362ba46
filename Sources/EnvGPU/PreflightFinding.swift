/// One thing the preflight found: what was asked for, and what the host has instead.
import EnvCore

/// A check that did not pass.
public struct PreflightFinding: Diagnostic, Equatable, Encodable {
  /// What was checked.
  public enum Check: String, Sendable, Encodable {
    case kernelModule, driverLibraries, driverVersion, requirement, computeCapability, staleSpecification, fabricManager
  }

  /// Whether the container may start all the same.
  public enum Severity: String, Sendable, Encodable { case warning, error }

  public let check: Check
  public let severity: Severity
  /// What the check rests on: a variable with its value, a file, a rule.
  public let expression: String
  public let wanted: String
  public let found: String
  public let hint: String?

  public init(_ check: Check, _ severity: Severity = .error, expression: String, wanted: String, found: String, hint: String? = nil) {
    self.check = check
    self.severity = severity
    self.expression = expression
    self.wanted = wanted
    self.found = found
    self.hint = hint
  }

  public var summary: String { "\(expression): wanted \(wanted), found \(found)" }
  public var exitCode: ExitCode { .host }
}
