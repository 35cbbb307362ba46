/// stdout for results, stderr for everything else.
import EnvCore
import Glibc
import SystemPackage

enum Console {
  /// Writes a line to stderr.
  ///
  /// One that cannot be written is lost: there is nowhere else to tell it.
  static func tell(_ text: String, terminator: String = "\n") { try? write(Array((text + terminator).utf8), to: STDERR_FILENO) }

  /// Writes a line to stdout.
  static func printResult(_ text: String) throws { try write(Array((text + "\n").utf8), to: STDOUT_FILENO) }

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
