/// The events of a YAML stream as libyaml reads them. Nothing above this file knows of the C library.
import CYAML
import EnvCore

/// One step through a YAML stream.
struct YAMLEvent {
  enum Kind {
    case streamStart
    case streamEnd
    case documentStart
    case documentEnd
    case scalar(String, isPlain: Bool)
    case sequenceStart
    case sequenceEnd
    case mappingStart
    case mappingEnd
    /// Stands for the node that has this anchor.
    case alias(String)
  }

  let kind: Kind
  /// The name by which aliases may ask for the node that begins here.
  let anchor: String?
  let mark: YAMLMark
}

/// A stream being read, event by event.
struct YAMLEventReader: ~Copyable {
  private let file: String
  /// libyaml keeps pointers into both, so that neither may move.
  private let parser: UnsafeMutablePointer<yaml_parser_t>
  private let bytes: UnsafeMutableBufferPointer<UInt8>

  /// - Parameter bytes: UTF-8, with or without a byte order mark.
  /// - Throws: `YAMLError` where the bytes are not UTF-8.
  init(_ bytes: [UInt8], file: String) throws(YAMLError) {
    guard String(validating: bytes, as: UTF8.self) != nil else {
      throw YAMLError(mark: YAMLMark(file: file, line: 1, column: 1), problem: "the file is not UTF-8")
    }
    try Self.refuseManyDirectives(bytes, file: file)
    let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
    guard yaml_parser_initialize(parser) == 1 else {
      parser.deallocate()
      throw YAMLError(mark: YAMLMark(file: file, line: 1, column: 1), problem: "there is no memory left to read it")
    }
    self.file = file
    self.parser = parser
    self.bytes = .allocate(capacity: bytes.count)
    _ = self.bytes.initialize(from: bytes)
    yaml_parser_set_input_string(parser, self.bytes.baseAddress, self.bytes.count)
  }

  deinit {
    yaml_parser_delete(parser)
    parser.deallocate()
    bytes.deallocate()
  }

  /// libyaml compares each `%TAG` with all others; who writes any writes two or three.
  private static func refuseManyDirectives(_ bytes: [UInt8], file: String) throws(YAMLError) {
    var (line, count) = (1, 0)
    for (index, byte) in bytes.enumerated() where byte == UInt8(ascii: "%") || byte == UInt8(ascii: "\n") {
      if byte == UInt8(ascii: "\n") { line += 1 } else if index == 0 || bytes[index - 1] == UInt8(ascii: "\n") { count += 1 }
      guard count <= 1000 else {
        throw YAMLError(mark: YAMLMark(file: file, line: line, column: 1), problem: "too many lines begin with '%'")
      }
    }
  }

  /// The next event; after `streamEnd` there is none to ask for.
  ///
  /// - Throws: `YAMLError` for what is no YAML.
  mutating func next() throws(YAMLError) -> YAMLEvent {
    var event = yaml_event_t()
    guard yaml_parser_parse(parser, &event) == 1 else { throw failure }
    defer { yaml_event_delete(&event) }
    let mark = mark(event.start_mark)
    switch event.type {
    case YAML_STREAM_START_EVENT: return YAMLEvent(kind: .streamStart, anchor: nil, mark: mark)
    case YAML_DOCUMENT_START_EVENT: return YAMLEvent(kind: .documentStart, anchor: nil, mark: mark)
    case YAML_DOCUMENT_END_EVENT: return YAMLEvent(kind: .documentEnd, anchor: nil, mark: mark)
    case YAML_SEQUENCE_END_EVENT: return YAMLEvent(kind: .sequenceEnd, anchor: nil, mark: mark)
    case YAML_MAPPING_END_EVENT: return YAMLEvent(kind: .mappingEnd, anchor: nil, mark: mark)
    case YAML_ALIAS_EVENT: return YAMLEvent(kind: .alias(Self.text(event.data.alias.anchor) ?? ""), anchor: nil, mark: mark)
    case YAML_SEQUENCE_START_EVENT:
      return YAMLEvent(kind: .sequenceStart, anchor: Self.text(event.data.sequence_start.anchor), mark: mark)
    case YAML_MAPPING_START_EVENT:
      return YAMLEvent(kind: .mappingStart, anchor: Self.text(event.data.mapping_start.anchor), mark: mark)
    case YAML_SCALAR_EVENT:
      let scalar = event.data.scalar
      let text = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
      let kind = YAMLEvent.Kind.scalar(text, isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE)
      return YAMLEvent(kind: kind, anchor: Self.text(scalar.anchor), mark: mark)
    default: return YAMLEvent(kind: .streamEnd, anchor: nil, mark: mark)
    }
  }

  private func mark(_ mark: yaml_mark_t) -> YAMLMark { YAMLMark(file: file, line: mark.line + 1, column: mark.column + 1) }

  private static func text(_ name: UnsafeMutablePointer<yaml_char_t>?) -> String? { name.map { String(cString: $0) } }

  /// What the parser has found wrong.
  private var failure: YAMLError {
    let problem = parser.pointee.problem.map { String(cString: $0) } ?? "there is no memory left to read it"
    // A character that YAML does not allow is known by its place in the bytes alone.
    let isCharacter = parser.pointee.error == YAML_READER_ERROR
    let mark = isCharacter ? place(of: parser.pointee.problem_offset) : mark(parser.pointee.problem_mark)
    return YAMLError(mark: mark, problem: "not valid YAML: \(problem)")
  }

  private func place(of offset: Int) -> YAMLMark {
    let before = bytes.prefix(offset)
    let line = before.suffix(from: before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? before.startIndex)
    let lines = before.count { $0 == UInt8(ascii: "\n") }
    return YAMLMark(file: file, line: lines + 1, column: String(decoding: line, as: UTF8.self).unicodeScalars.count + 1)
  }
}
