/// Where in the file a YAML value stands: from the line and column of its mark to the bytes.
import EnvCore
import StrictYAML

/// A YAML file with its documents.
struct YAMLSource {
  let documents: [YAMLNode]
  private let source: SourceText
  /// What the parser saw, after the byte order mark.
  private let text: [UInt8]
  /// Offsets of the lines as YAML 1.1 breaks them: also at a lone CR, at NEL, LS and PS.
  private let lineStarts: [Int]
  /// For long lines, the offset in `text` of every 1024th code point.
  private let longLines: [Int: [Int]]

  /// - Throws: `YAMLError` for what is no YAML.
  init(_ source: SourceText) throws(YAMLError) {
    let mark = source.byteOrderMark
    try self.init(source, text: mark == 0 ? source.bytes : Array(source.bytes[mark...]))
  }

  /// Parses `text`, which stands in the file after the byte order mark and may have had bytes replaced by as many others.
  init(_ source: SourceText, text: [UInt8]) throws(YAMLError) {
    self.source = source
    self.text = text
    documents = try YAMLNode.parseStream(text, file: source.path)
    lineStarts = Self.lineStarts(source)
    longLines = Self.longLines(text, lineStarts.map { $0 - source.byteOrderMark })
  }

  /// Every so many code points the offset is remembered in lines that are longer, so that a document in one line needs no walk through
  /// all of it for every value.
  private static let step = 1024

  private static func longLines(_ text: [UInt8], _ starts: [Int]) -> [Int: [Int]] {
    var found: [Int: [Int]] = [:]
    for (number, start) in starts.enumerated() {
      let end = number + 1 < starts.count ? starts[number + 1] : text.count
      guard end - start > step else { continue }
      var count = 0
      var steps: [Int] = []
      for offset in start..<end where text[offset] & 0xC0 != 0x80 {
        if count % step == 0 { steps.append(offset) }
        count += 1
      }
      found[number] = steps
    }
    return found
  }

  private static func lineStarts(_ source: SourceText) -> [Int] {
    let bytes = source.bytes
    var starts = [source.byteOrderMark]
    var index = source.byteOrderMark
    while index < bytes.count {
      switch bytes[index] {
      case 10: starts.append(index + 1)
      case 13 where index + 1 >= bytes.count || bytes[index + 1] != 10: starts.append(index + 1)
      case 0x85 where index > 0 && bytes[index - 1] == 0xC2: starts.append(index + 1)
      case 0xA8, 0xA9: if index > 1, bytes[index - 1] == 0x80, bytes[index - 2] == 0xE2 { starts.append(index + 1) }
      default: break
      }
      index += 1
    }
    return starts
  }

  /// The offset of a mark; its column counts code points.
  func offset(_ mark: YAMLMark) -> Int {
    guard mark.line >= 1, mark.line <= lineStarts.count else { return source.bytes.count }
    var offset = lineStarts[mark.line - 1] - source.byteOrderMark
    var column = 1
    if let steps = longLines[mark.line - 1], mark.column > Self.step {
      let known = min((mark.column - 1) / Self.step, steps.count - 1)
      offset = steps[known]
      column = 1 + known * Self.step
    }
    while column < mark.column, offset < text.count {
      offset += 1
      while offset < text.count, text[offset] & 0xC0 == 0x80 { offset += 1 }
      column += 1
    }
    return offset + source.byteOrderMark
  }

  /// The stretch of a scalar's text, without its quotes, and whether the file holds the text there as it is.
  func range(_ node: YAMLNode) -> (range: Range<Int>, isVerbatim: Bool) {
    guard case .scalar(let text) = node.value else {
      let offset = offset(node.mark)
      return (offset..<min(offset + 1, source.bytes.count), false)
    }
    let wanted = Array(text.utf8)
    let bytes = source.bytes
    var start = contentStart(node.mark)
    guard start < bytes.count else { return (bytes.count..<bytes.count, false) }
    let isQuoted = bytes[start] == UInt8(ascii: "\"") || bytes[start] == UInt8(ascii: "'")
    if isQuoted { start += 1 }
    let end = start + wanted.count
    if end <= bytes.count, bytes[start..<end].elementsEqual(wanted), !isQuoted || (end < bytes.count && bytes[end] == bytes[start - 1]) {
      return (start..<end, true)
    }
    // The start of it is enough for people.
    var shown = max(start, min(source.lineRange(source.lineIndex(of: start)).upperBound, start + 200))
    while shown < bytes.count, shown > start, bytes[shown] & 0xC0 == 0x80 { shown -= 1 }
    return (start..<shown, false)
  }

  /// The offset of a value after its anchor and tag.
  private func contentStart(_ mark: YAMLMark) -> Int {
    var offset = offset(mark)
    for _ in 0..<2 {
      guard offset < source.bytes.count, source.bytes[offset] == UInt8(ascii: "&") || source.bytes[offset] == UInt8(ascii: "!") else {
        break
      }
      while offset < source.bytes.count, source.bytes[offset] > 32 { offset += 1 }
      while offset < source.bytes.count, source.bytes[offset] == 32 || source.bytes[offset] == 9 { offset += 1 }
    }
    return offset
  }

  /// A scalar as text that knows its places: one line as it is, a block (`|`, `>`) without its indentation; nil for other multi-line forms.
  func mapped(_ node: YAMLNode) -> MappedText? {
    let place = range(node)
    if place.isVerbatim { return MappedText(source.bytes, place.range) }
    let start = contentStart(node.mark)
    guard start < source.bytes.count else { return nil }
    switch source.bytes[start] {
    case UInt8(ascii: "|"): return block(start, isFolded: false)
    case UInt8(ascii: ">"): return block(start, isFolded: true)
    default: return nil
    }
  }

  private func block(_ header: Int, isFolded: Bool) -> MappedText {
    var text = MappedText()
    var indent: Int?
    for line in (source.lineIndex(of: header) + 1)..<max(source.lineIndex(of: header) + 1, source.lineStarts.count) {
      let start = source.lineStarts[line]
      let end = line + 1 < source.lineStarts.count ? source.lineStarts[line + 1] : source.bytes.count
      var content = start
      while content < end, source.bytes[content] == 32 { content += 1 }
      let isBlank = source.lineRange(line).upperBound <= content
      if isBlank {
        text.append(source.bytes, max(start, end - 1)..<end)
        continue
      }
      let depth = indent ?? (content - start)
      indent = depth
      guard content - start >= depth, depth > 0 else { break }
      text.append(source.bytes, (start + depth)..<end)
      if isFolded { text.blank(text.count - 1) }
    }
    return text
  }

  /// What a scalar refers to when it is an image.
  ///
  /// - Parameter bindings: Variables the format gives values to.
  func expansion(_ node: YAMLNode, _ bindings: [String: Binding] = [:], style: Expansion.Style) -> (range: Range<Int>, expansion: Expansion)
  {
    let place = range(node)
    let text =
      place.isVerbatim ? MappedText(source.bytes, place.range) : MappedText(Array(node.scalarText.utf8), 0..<node.scalarText.utf8.count)
    var expansion = Expansion(text, 0..<text.count, bindings, style: style)
    if !place.isVerbatim { expansion.setEnd(nil) } else if expansion.isLiteral { expansion.setEnd(place.range.upperBound) }
    return (place.range, expansion)
  }
}

extension YAMLNode {
  /// The text of a scalar; nothing for anything else.
  var scalarText: String { if case .scalar(let text) = value { text } else { "" } }

  var isScalar: Bool { if case .scalar = value { true } else { false } }

  /// The value of a key, for mappings of which only some keys matter.
  subscript(_ key: String) -> YAMLNode? {
    guard case .mapping(let pairs) = value else { return nil }
    return pairs.first { $0.key == key && !$0.value.isNull }?.value
  }

  /// The items of a sequence; none for anything else.
  var elements: [YAMLNode] { if case .sequence(let items) = value { items } else { [] } }

  /// The pairs of a mapping; none for anything else.
  var entries: [(key: String, mark: YAMLMark, value: YAMLNode)] { if case .mapping(let pairs) = value { pairs } else { [] } }
}

extension Collector {
  /// Judges the image a YAML scalar names.
  mutating func check(
    image node: YAMLNode, _ yaml: YAMLSource, user: String, bindings: [String: Binding] = [:], style: Expansion.Style = .compose
  ) {
    guard node.isScalar, !node.isNull, !node.scalarText.isEmpty else { return }
    let (range, expansion) = yaml.expansion(node, bindings, style: style)
    check(ImageMention(user: user, range: range, statement: range.lowerBound, expansion: expansion))
  }

  /// Judges the commands in a YAML scalar, or in each scalar of a list.
  mutating func check(script node: YAMLNode, _ yaml: YAMLSource, user: String, bindings: [String: Binding] = [:]) {
    for item in node.elements { check(script: item, yaml, user: user, bindings: bindings) }
    guard node.isScalar, let text = yaml.mapped(node) else { return }
    check(script: text, ScriptContext(user: user, bindings: bindings))
  }
}
