/// How an error reads on a terminal and in JSON.
import EnvCore

/// An error as the person at the terminal reads it: what failed, then each cause, then after a blank line the hint.
public struct ErrorText: Sendable {
  public let text: String
  public let exitCode: ExitCode
  /// The same facts for `--format json`.
  public let document: Document

  /// The error for machines.
  public struct Document: Codable, Sendable {
    public struct Body: Codable, Sendable {
      public var message: String
      public var causes: [String]
      public var hint: String?
      public var exitCode: Int32
    }
    public var error: Body
  }

  public init(_ error: any Error) {
    let chain = DiagnosticChain(error)
    let causes = Array(chain.summaries.dropFirst())
    text =
      "error: \(printable(chain.summaries.first ?? "unknown"))\n" + causes.map { "  because: \(printable($0))\n" }.joined()
      + (chain.hint.map { "\nhint: \(printable($0))\n" } ?? "")
    exitCode = chain.exitCode
    document = Document(
      error: .init(message: chain.summaries.first ?? "unknown", causes: causes, hint: chain.hint, exitCode: chain.exitCode.rawValue))
  }
}
