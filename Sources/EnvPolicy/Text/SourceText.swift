/// The bytes of a file and where its lines begin. It knows no format.

/// A file that is being linted.
struct SourceText: Sendable {
  /// As people see it: relative to where the command runs.
  let path: String
  let bytes: [UInt8]
  /// Offset of the first byte of each line; lines end with LF.
  let lineStarts: [Int]

  init(path: String, bytes: [UInt8]) {
    self.path = path
    self.bytes = bytes
    var starts = [0]
    for (index, byte) in bytes.enumerated() where byte == 10 { starts.append(index + 1) }
    lineStarts = starts
  }

  /// The length of a UTF-8 byte order mark at the start.
  var byteOrderMark: Int { bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0 }

  /// The line that holds `offset`, counted from 0.
  func lineIndex(of offset: Int) -> Int {
    var low = 0
    var high = lineStarts.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if lineStarts[middle] <= offset { low = middle } else { high = middle }
    }
    return low
  }

  /// The bytes of a line without its end.
  func lineRange(_ index: Int) -> Range<Int> {
    let start = lineStarts[index]
    var end = index + 1 < lineStarts.count ? lineStarts[index + 1] - 1 : bytes.count
    if end > start, bytes[end - 1] == 13 { end -= 1 }
    return start..<max(start, end)
  }

  func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

  /// Whether `needle` stands anywhere in the file.
  func contains(_ needle: String) -> Bool { firstOffset(of: needle, in: bytes, from: 0) != nil }
}

extension SourceText {
  /// The same file with everything but `text` blanked, so that a format inside another one keeps its places.
  func only(_ text: MappedText) -> SourceText {
    var blanked = bytes.map { $0 == 10 ? $0 : 32 }
    for index in 0..<text.count { blanked[text.offset(index)] = text[index] }
    return SourceText(path: path, bytes: blanked)
  }

  /// How many bytes of its lines stand before `text`.
  func indentation(of text: MappedText) -> Int {
    guard let first = (0..<text.count).first(where: { text[$0] > 32 }) else { return 0 }
    return text.offset(first) - lineStarts[lineIndex(of: text.offset(first))]
  }
}

/// Where `needle` next stands in `bytes`; it must not be empty.
func firstOffset(of needle: String, in bytes: [UInt8], from start: Int) -> Int? {
  let pattern = Array(needle.utf8)
  let span = bytes.span
  let last = span.count - pattern.count
  var index = start
  while index <= last {
    if span[index] == pattern[0] {
      var matched = 1
      while matched < pattern.count, span[index + matched] == pattern[matched] { matched += 1 }
      if matched == pattern.count { return index }
    }
    index += 1
  }
  return nil
}

/// Turns offsets into places. Offsets asked for in rising order cost no second look at a line, however long it is.
struct PlaceFinder {
  private let source: SourceText
  private var lastLine = 0
  private var lastOffset: Int
  private var lastColumn = 1

  init(_ source: SourceText) {
    self.source = source
    lastOffset = source.byteOrderMark
  }

  mutating func place(_ range: Range<Int>) -> Place {
    let start = position(range.lowerBound)
    // Within the line only, so that the next place may begin anywhere after this one's start.
    let lineEnd = source.lineRange(start.line).upperBound
    let end = min(range.upperBound, max(lineEnd, range.lowerBound))
    let length = scalars(range.lowerBound..<max(end, range.lowerBound))
    return Place(
      file: source.path, line: start.line + 1, column: start.column, endLine: start.line + 1, endColumn: start.column + length,
      excerpt: excerpt(line: start.line, range.lowerBound..<max(end, range.lowerBound), length: length))
  }

  private mutating func position(_ offset: Int) -> (line: Int, column: Int) {
    let line = source.lineIndex(of: offset)
    if line != lastLine || offset < lastOffset {
      lastLine = line
      lastOffset = source.lineStarts[line]
      if line == 0 { lastOffset = min(offset, source.byteOrderMark) }
      lastColumn = 1
    }
    lastColumn += scalars(lastOffset..<offset)
    lastOffset = offset
    return (line, lastColumn)
  }

  private func scalars(_ range: Range<Int>) -> Int {
    var count = 0
    for byte in source.bytes[range] where byte & 0xC0 != 0x80 { count += 1 }
    return count
  }

  /// At most about 120 bytes before and 200 after the start of the stretch.
  private func excerpt(line: Int, _ range: Range<Int>, length: Int) -> Excerpt {
    let whole = source.lineRange(line)
    var start = whole.lowerBound
    if line == 0 { start = min(range.lowerBound, source.byteOrderMark) }
    var end = whole.upperBound
    if range.lowerBound - start > 120 { start = scalarBoundary(range.lowerBound - 100) }
    if end - range.lowerBound > 200 { end = scalarBoundary(range.lowerBound + 180) }
    let shown = String(decoding: source.bytes[start..<max(start, end)], as: UTF8.self)
    let indent = scalars(start..<max(start, range.lowerBound))
    return Excerpt(text: shown, indent: indent, length: max(1, min(length, scalars(range.lowerBound..<max(range.lowerBound, end)))))
  }

  private func scalarBoundary(_ offset: Int) -> Int {
    var offset = offset
    while offset > 0, offset < source.bytes.count, source.bytes[offset] & 0xC0 == 0x80 { offset -= 1 }
    return offset
  }
}
