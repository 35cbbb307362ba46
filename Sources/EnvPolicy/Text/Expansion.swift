/// `$NAME`, `${NAME:-default}` and their like in references, as Dockerfiles, compose files and shells write them.

/// What is known of a variable at one point of a file.
struct Binding: Sendable {
  var value: String
  /// Where in the file the value ends, when it stands there as it is.
  var end: Int?
  /// Whether a caller can set another value from outside.
  var isDefault: Bool
}

extension [String: Binding] {
  /// Notes a value, or forgets one. No file people wrote has a thousand variables, and copies of larger tables would take for ever.
  mutating func remember(_ name: String, _ binding: Binding?) {
    if count < 1000 || self[name] != nil { self[name] = binding }
  }
}

/// A word with its variables replaced by what the file says of them.
struct Expansion: Sendable {
  private(set) var text = ""
  /// Variables whose default in this file was used.
  private(set) var defaults: [String] = []
  /// Variables the file gives no value, and values only a running program can tell.
  private(set) var unknown: [String] = []
  /// Where a suffix can be added to the value itself, when the word is one variable and nothing else.
  private(set) var end: Int?
  /// Whether anything was replaced at all.
  private(set) var isLiteral = true

  /// The escapes a format knows before `$`.
  enum Style { case shell, compose }

  /// Replaces the variables in `text[range]`. Quotes have been dealt with by the caller.
  init(_ text: MappedText, _ range: Range<Int>, _ bindings: [String: Binding], style: Style = .shell) {
    var literal: [UInt8] = []
    var index = range.lowerBound
    while index < range.upperBound {
      let byte = text[index]
      if byte == UInt8(ascii: "{"), index + 1 < range.upperBound, text[index + 1] == byte {
        // A template of Jinja, Go or GitHub that nobody has filled in yet.
        literal.append(byte)
        note(unknown: "{{ }}")
        index += 1
        continue
      }
      guard byte == UInt8(ascii: "$"), index + 1 < range.upperBound else {
        if style == .shell, byte == UInt8(ascii: "`") { note(unknown: "a command's output") }
        literal.append(byte)
        index += 1
        continue
      }
      if style == .compose, text[index + 1] == byte {
        literal.append(byte)
        index += 2
        continue
      }
      let end = Self.endOfVariable(text, index, range.upperBound)
      guard end > index + 1 else {
        literal.append(byte)
        index += 1
        continue
      }
      self.text += String(decoding: literal, as: UTF8.self)
      literal = []
      let isWhole = index == range.lowerBound && end == range.upperBound
      replace(text, index..<end, bindings, isWhole: isWhole)
      index = end
    }
    self.text += String(decoding: literal, as: UTF8.self)
    if unknown.contains("{{ }}") { isLiteral = false }
  }

  /// Puts the text into another form of the same reference; nothing can be added to it in the file then.
  mutating func rewrite(_ form: (String) -> String) { text = form(text) }

  /// The place where a suffix can be added, for a word that stands in the file as it is.
  mutating func setEnd(_ offset: Int?) { end = offset }

  private mutating func note(unknown name: String) {
    isLiteral = false
    if unknown.count < 8, !unknown.contains(name) { unknown.append(name) }
  }

  private mutating func replace(_ text: MappedText, _ range: Range<Int>, _ bindings: [String: Binding], isWhole: Bool) {
    isLiteral = false
    let second = text[range.lowerBound + 1]
    guard second != UInt8(ascii: "(") else { return note(unknown: "a command's output") }
    let isBraced = second == UInt8(ascii: "{")
    guard !isBraced || text[range.upperBound - 1] == UInt8(ascii: "}") else { return note(unknown: text.text(range)) }
    let nameStart = range.lowerBound + (isBraced ? 2 : 1)
    var nameEnd = nameStart
    while nameEnd < range.upperBound, Self.isNameByte(text[nameEnd]) { nameEnd += 1 }
    let name = text.text(nameStart..<nameEnd)
    let inner = nameEnd..<(isBraced ? range.upperBound - 1 : range.upperBound)
    let binding = bindings[name]
    guard isBraced, !inner.isEmpty, !name.isEmpty else {
      guard let binding, !name.isEmpty else { return note(unknown: name.isEmpty ? "$" + text.text(nameStart..<range.upperBound) : name) }
      return take(binding, name, isWhole: isWhole)
    }
    applyOperator(text, inner, name, binding, isWhole: isWhole)
  }

  /// `${NAME:-word}` and its kin; substrings and patterns are beyond what a linter should compute.
  private mutating func applyOperator(_ text: MappedText, _ inner: Range<Int>, _ name: String, _ binding: Binding?, isWhole: Bool) {
    var start = inner.lowerBound
    let hasColon = text[start] == UInt8(ascii: ":")
    if hasColon { start += 1 }
    guard start < inner.upperBound, [UInt8(ascii: "-"), UInt8(ascii: "="), UInt8(ascii: "?")].contains(text[start]) else {
      return note(unknown: name)
    }
    if let binding, !(hasColon && binding.value.isEmpty) { return take(binding, name, isWhole: isWhole) }
    guard text[start] != UInt8(ascii: "?") else { return note(unknown: name) }
    let word = (start + 1)..<inner.upperBound
    let value = text.text(word)
    guard !value.contains("$") else { return note(unknown: name) }
    take(Binding(value: value, end: text.isContiguous(word) ? text.offset(word.upperBound) : nil, isDefault: true), name, isWhole: isWhole)
  }

  private mutating func take(_ binding: Binding, _ name: String, isWhole: Bool) {
    // Values of values can double at every step; no reference is this long.
    guard text.utf8.count + binding.value.utf8.count <= 16_384 else { return note(unknown: name) }
    text += binding.value
    if binding.isDefault, defaults.count < 8, !defaults.contains(name) { defaults.append(name) }
    if isWhole { end = binding.end }
  }

  /// The index after the variable that begins with the dollar at `index`.
  private static func endOfVariable(_ text: MappedText, _ index: Int, _ limit: Int) -> Int {
    let next = text[index + 1]
    let closing: UInt8
    switch next {
    case UInt8(ascii: "{"): closing = UInt8(ascii: "}")
    case UInt8(ascii: "("): closing = UInt8(ascii: ")")
    default:
      if !isNameByte(next) { return "@*#?$!".utf8.contains(next) ? index + 2 : index + 1 }
      var end = index + 1
      while end < limit, isNameByte(text[end]) { end += 1 }
      return end
    }
    var depth = 0
    var end = index + 1
    while end < limit {
      if text[end] == next { depth += 1 }
      if text[end] == closing {
        depth -= 1
        if depth == 0 { return end + 1 }
      }
      end += 1
    }
    return limit
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    byte == 95 || (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
  }
}
