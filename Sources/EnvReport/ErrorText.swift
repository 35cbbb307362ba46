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
      + (chain.hint.map { "\nhint: \($0)\n" } ?? "")
    exitCode = chain.exitCode
    document = Document(
      error: .init(message: chain.summaries.first ?? "unknown", causes: causes, hint: chain.hint, exitCode: chain.exitCode.rawValue))
  }
}

/// Names in messages come from archives and servers: a control character would move the cursor or recolour the terminal.
private func printable(_ text: String) -> String {
  func isControl(_ scalar: Unicode.Scalar) -> Bool { scalar.value < 32 || (127..<160).contains(scalar.value) }
  guard text.unicodeScalars.contains(where: isControl) else { return text }
  return text.unicodeScalars.map { isControl($0) ? "\\u{" + String($0.value, radix: 16) + "}" : String($0) }.joined()
}
