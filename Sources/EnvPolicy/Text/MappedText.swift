/// Text taken out of a file in pieces (continued lines, indented blocks), every byte of which still knows its place there.

/// Bytes with the offsets they came from.
struct MappedText: Sendable {
  private(set) var bytes: [UInt8] = []
  /// Where in `bytes` a piece starts, and the offset in the file of its first byte; rising.
  private var pieces: [(start: Int, offset: Int)] = []

  init() {}

  init(_ source: [UInt8], _ range: Range<Int>) { append(source, range) }

  var count: Int { bytes.count }
  var isEmpty: Bool { bytes.isEmpty }
  subscript(_ index: Int) -> UInt8 { bytes[index] }

  /// Adds a stretch of the file.
  mutating func append(_ source: [UInt8], _ range: Range<Int>) {
    guard !range.isEmpty else { return }
    pieces.append((bytes.count, range.lowerBound))
    bytes += source[range]
  }

  /// Turns a byte into a blank: punctuation of the format around, or the end of a line that it folds.
  mutating func blank(_ index: Int) { bytes[index] = 32 }

  /// Where in the file the byte at `index` stands; for the end, the place after the last byte.
  func offset(_ index: Int) -> Int {
    guard index < count else { return isEmpty ? 0 : offset(count - 1) + 1 }
    let piece = pieces[pieceIndex(of: index)]
    return piece.offset + index - piece.start
  }

  private func pieceIndex(of index: Int) -> Int {
    var low = 0
    var high = pieces.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if pieces[middle].start <= index { low = middle } else { high = middle }
    }
    return low
  }

  /// The stretch of the file from the first to the last byte of `range`.
  func fileRange(_ range: Range<Int>) -> Range<Int> {
    guard !range.isEmpty else {
      let offset = offset(range.lowerBound)
      return offset..<offset
    }
    let start = offset(range.lowerBound)
    return start..<max(start, offset(range.upperBound - 1) + 1)
  }

  /// Whether the file holds the bytes of `range` in one piece, so that an edit there means what it says.
  func isContiguous(_ range: Range<Int>) -> Bool { fileRange(range).count == range.count }

  /// A part of the text that knows the same places.
  func slice(_ range: Range<Int>) -> MappedText {
    var result = MappedText()
    guard !range.isEmpty else { return result }
    result.bytes = Array(bytes[range])
    for piece in pieces[pieceIndex(of: range.lowerBound)...] {
      guard piece.start < range.upperBound else { break }
      let start = max(piece.start, range.lowerBound)
      result.pieces.append((start - range.lowerBound, piece.offset + start - piece.start))
    }
    return result
  }

  func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

  /// Words between blanks, with no regard to quotes.
  func words() -> [Range<Int>] {
    var words: [Range<Int>] = []
    var start: Int?
    for index in 0...count {
      let isBlank = index == count || bytes[index] == 32 || (9...13).contains(bytes[index])
      if isBlank, let begun = start {
        words.append(begun..<index)
        start = nil
      } else if !isBlank, start == nil {
        start = index
      }
    }
    return words
  }
}
