/// stdout for results, stderr for everything else.
import EnvCore
import EnvDrift
import EnvReport
import Glibc
import SafeFS
import SystemPackage

enum Console {
  /// What all this process tells is joined by.
  static let traceID = RunFacts.newID()

  /// The story as JSON lines on stderr.
  static func ecs(tellsAll: Bool) -> ECSReporter {
    ECSReporter(program: "envctl", version: Envctl.programVersion, traceID: traceID, tellsAll: tellsAll)
  }

  /// Writes a line to stderr, whatever characters its values hold.
  ///
  /// One that cannot be written is lost: there is nowhere else to tell it.
  static func tell(_ line: String) { tellText(printable(line) + "\n") }

  /// Writes an error to stderr.
  static func tell(_ error: ErrorText) { tellText(error.text) }

  /// Writes bytes to a file, or to stdout for `-`.
  static func deliver(_ text: String, to file: String) throws {
    if file == "-" {
      try write(Array(text.utf8), to: STDOUT_FILENO)
    } else {
      try FileSystem.writeAtomically(Array(text.utf8), to: FilePath(file))
    }
  }

  private static func tellText(_ text: String) { try? write(Array(text.utf8), to: STDERR_FILENO) }

  /// Writes lines to stdout, whatever characters their values hold: a line of the result is a line on the terminal.
  static func printResult(_ lines: [String]) throws {
    try write(Array(lines.map { printable($0) + "\n" }.joined().utf8), to: STDOUT_FILENO)
  }

  /// Writes a line to stdout.
  static func printResult(_ line: String) throws { try printResult([line]) }

  /// Writes bytes to stdout as they are.
  static func printBytes(_ bytes: RawSpan) throws { try write(bytes.withUnsafeBytes { Array($0) }, to: STDOUT_FILENO) }

  /// Writes one JSON document and a newline to stdout.
  static func printJSON(_ value: some Encodable) throws {
    try write(try CanonicalJSON.encodePretty(value), to: STDOUT_FILENO)
  }

  private static func write(_ bytes: [UInt8], to descriptor: CInt) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno != EINTR { throw UnwrittenResult(reason: Errno(rawValue: errno)) }
      rest = rest.dropFirst(max(0, count))
    }
  }
}

/// A result that could not be handed over is a failed command, whatever was done before.
struct UnwrittenResult: Diagnostic {
  let reason: Errno
  var summary: String { "the result could not be written to standard output: \(reason)" }
}
