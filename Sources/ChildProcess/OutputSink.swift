/// What becomes of the bytes a child writes.

/// A receiver for one output stream of a child.
public enum OutputSink {
  /// Kept up to this many bytes; more ends the child with `ProcessError.outputTooLong`.
  case capture(limit: Int)
  /// Only the last so many bytes are kept, as for messages whose end says why.
  case tail(limit: Int)
  /// Handed over line by line as they come, without the newline; invalid UTF-8 is repaired.
  /// A line of more than 8 MiB comes in pieces, so that memory stays bounded.
  case lines((String) -> Void)
}

/// Applies a sink to the chunks of one stream.
struct SinkState {
  private static let longestLine = 8 << 20
  let sink: OutputSink
  private(set) var kept: [UInt8] = []

  init(_ sink: OutputSink) { self.sink = sink }

  /// Takes a chunk; false when it is more than the sink allows.
  mutating func take(_ chunk: [UInt8]) -> Bool {
    kept.append(contentsOf: chunk)
    switch sink {
    case .capture(let limit): return kept.count <= limit
    case .tail(let limit):
      // Trimmed at twice the limit, so that each byte is moved at most once.
      if kept.count > 2 * limit { kept.removeFirst(kept.count - limit) }
    case .lines(let receive):
      // Only what is new is searched, so that a long line costs no more than many short ones.
      var (start, searched) = (0, kept.count - chunk.count)
      while let newline = kept[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        receive(String(decoding: kept[start..<newline], as: UTF8.self))
        start = newline + 1
        searched = start
      }
      if kept.count - start > Self.longestLine {
        receive(String(decoding: kept[start...], as: UTF8.self))
        start = kept.count
      }
      kept.removeFirst(start)
    }
    return true
  }

  /// The end of the stream: a last line without a newline is handed over.
  mutating func finish() {
    switch sink {
    case .capture: break
    case .tail(let limit): kept = Array(kept.suffix(limit))
    case .lines(let receive):
      if !kept.isEmpty { receive(String(decoding: kept, as: UTF8.self)) }
      kept = []
    }
  }
}
