/// stdout for results, stderr for everything else.
import EnvCore
import Glibc

enum Console {
  /// Writes a line to stderr.
  static func tell(_ text: String, terminator: String = "\n") { write(text + terminator, to: STDERR_FILENO) }

  /// Writes a line to stdout.
  static func printResult(_ text: String) { write(text + "\n", to: STDOUT_FILENO) }

  /// Writes bytes to stdout as they are.
  static func printBytes(_ bytes: RawSpan) {
    var rest = 0
    while rest < bytes.byteCount {
      let from = rest
      let count = bytes.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress.map { $0 + from }, $0.count - from) }
      if count < 0 && errno != EINTR { return }
      rest += max(0, count)
    }
  }

  /// Writes one JSON document and a newline to stdout.
  static func printJSON(_ value: some Encodable) throws {
    write(String(decoding: try CanonicalJSON.encodePretty(value), as: UTF8.self), to: STDOUT_FILENO)
  }

  private static func write(_ text: String, to descriptor: CInt) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno != EINTR { return }
      bytes = bytes.dropFirst(max(0, count))
    }
  }
}
