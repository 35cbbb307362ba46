/// The contract every error of envctl keeps with the person who reads it, and the exit codes of the program.
/// It does not print: rendering belongs to the command line.

/// Exit status of `envctl`, stable across versions so that scripts may branch on it.
public enum ExitCode: Int32, Sendable, Codable {
  case asExpected = 0
  case failed = 1
  case usage = 2
  case drift = 3
  case policy = 4
  case verification = 5
  /// The host lacks something: a driver, a kernel feature, a runtime, a permission.
  case host = 6
}

/// An error that says what failed, on which object and why, in one line; advice is kept apart from the facts.
public protocol Diagnostic: Error, Sendable, CustomStringConvertible {
  /// One line: what failed, on which object, why.
  var summary: String { get }
  /// The error of a lower floor that led here.
  var cause: (any Error)? { get }
  /// What the reader can do about it.
  var hint: String? { get }
  /// The status the program ends with.
  var exitCode: ExitCode { get }
}

extension Diagnostic {
  public var cause: (any Error)? { nil }
  public var hint: String? { nil }
  public var exitCode: ExitCode { .failed }
  public var description: String { summary }
}

/// The chain of summaries from the outermost error down to its first cause, and the hint and exit code that apply to it.
public struct DiagnosticChain: Sendable {
  public let summaries: [String]
  public let hint: String?
  public let exitCode: ExitCode

  /// The innermost hint wins, because it knows most; the outermost exit code other than `failed` wins, because it knows the command.
  public init(_ error: any Error) {
    var summaries: [String] = []
    var hint: String?
    var exitCode = ExitCode.failed
    var next: (any Error)? = error
    while let current = next {
      guard let diagnostic = current as? any Diagnostic else {
        summaries.append(String(describing: current))
        break
      }
      summaries.append(diagnostic.summary)
      hint = diagnostic.hint ?? hint
      if exitCode == .failed { exitCode = diagnostic.exitCode }
      next = diagnostic.cause
    }
    self.summaries = summaries
    self.hint = hint
    self.exitCode = exitCode
  }
}
