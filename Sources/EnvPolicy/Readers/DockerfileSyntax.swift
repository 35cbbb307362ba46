/// The grammar of Dockerfiles (BuildKit's reference): directives, continued lines, comments, here-documents. It judges nothing.

/// A Dockerfile taken apart.
struct DockerfileSyntax {
  /// One instruction.
  struct Instruction {
    /// In capitals.
    var keyword: String
    /// What follows the keyword, continued lines joined.
    var arguments: MappedText
    var documents: [Document] = []
    /// Where the instruction begins.
    var start: Int
  }

  /// A here-document of an instruction.
  struct Document {
    var name: String
    var body: MappedText
  }

  private(set) var instructions: [Instruction] = []
  /// The image of `# syntax=`, which interprets the rest.
  private(set) var frontend: Range<Int>?

  private let source: SourceText
  private var escape = UInt8(ascii: "\\")
  private var line = 0
  private let indentation: Int

  init(_ source: SourceText, indentation: Int) {
    self.source = source
    self.indentation = indentation
    readDirectives()
    while line < source.lineStarts.count { readInstruction() }
  }

  /// Directives stand before everything else, each at most once; the first line that is none ends them.
  private mutating func readDirectives() {
    var seen: Set<String> = []
    while line < source.lineStarts.count {
      let range = content(line)
      guard range.count > 1, source.bytes[range.lowerBound] == UInt8(ascii: "#") else { return }
      let body = trim((range.lowerBound + 1)..<range.upperBound)
      guard let equals = source.bytes[body].firstIndex(of: UInt8(ascii: "=")) else { return }
      let name = source.text(trim(body.lowerBound..<equals)).lowercased()
      guard ["syntax", "escape", "check"].contains(name), seen.insert(name).inserted else { return }
      let value = trim((equals + 1)..<body.upperBound)
      if name == "syntax", !value.isEmpty { frontend = value }
      if name == "escape", value.count == 1, source.bytes[value.lowerBound] == UInt8(ascii: "`") { escape = UInt8(ascii: "`") }
      line += 1
    }
  }

  private mutating func readInstruction() {
    let first = content(line)
    guard !first.isEmpty, source.bytes[first.lowerBound] != UInt8(ascii: "#") else {
      line += 1
      return
    }
    var text = MappedText()
    var continues = appendLine(first, to: &text)
    line += 1
    while continues, line < source.lineStarts.count {
      let next = content(line)
      // Comments and empty lines between continued lines do not end the instruction.
      if next.isEmpty || source.bytes[next.lowerBound] == UInt8(ascii: "#") {
        line += 1
        continue
      }
      continues = appendLine(source.lineRange(line), to: &text)
      line += 1
    }
    guard var instruction = Self.split(text, start: first.lowerBound) else { return }
    if ["RUN", "COPY", "ADD", "ONBUILD"].contains(instruction.keyword) { readDocuments(&instruction) }
    instructions.append(instruction)
  }

  /// Adds a line without its continuation; whether it had one.
  private func appendLine(_ range: Range<Int>, to text: inout MappedText) -> Bool {
    var end = range.upperBound
    while end > range.lowerBound, source.bytes[end - 1] == 32 || source.bytes[end - 1] == 9 { end -= 1 }
    guard end > range.lowerBound, source.bytes[end - 1] == escape else {
      text.append(source.bytes, range)
      return false
    }
    text.append(source.bytes, range.lowerBound..<(end - 1))
    return true
  }

  private static func split(_ text: MappedText, start: Int) -> Instruction? {
    var end = 0
    while end < text.count, text[end] > 32 { end += 1 }
    guard end > 0 else { return nil }
    var rest = end
    while rest < text.count, text[rest] == 32 || text[rest] == 9 { rest += 1 }
    return Instruction(keyword: text.text(0..<end).uppercased(), arguments: text.slice(rest..<text.count), start: start)
  }

  // MARK: Here-documents

  private mutating func readDocuments(_ instruction: inout Instruction) {
    for (name, stripsTabs) in Self.delimiters(instruction.arguments) {
      var body = MappedText()
      while line < source.lineStarts.count {
        var range = source.lineRange(line)
        range = min(range.lowerBound + indentation, range.upperBound)..<range.upperBound
        if stripsTabs {
          while range.lowerBound < range.upperBound, source.bytes[range.lowerBound] == 9 {
            range = (range.lowerBound + 1)..<range.upperBound
          }
        }
        let end = line + 1 < source.lineStarts.count ? source.lineStarts[line + 1] : source.bytes.count
        line += 1
        if source.text(range) == name { break }
        body.append(source.bytes, range.lowerBound..<end)
      }
      instruction.documents.append(Document(name: name, body: body))
    }
  }

  /// The words `<<NAME`, `<<-NAME`, `<<"NAME"` of an instruction.
  private static func delimiters(_ text: MappedText) -> [(name: String, stripsTabs: Bool)] {
    guard text.bytes.contains(UInt8(ascii: "<")) else { return [] }
    var found: [(String, Bool)] = []
    for word in text.words() {
      var rest = text.text(word).drop { $0.isASCII && $0.isNumber }
      guard rest.hasPrefix("<<"), !rest.hasPrefix("<<<") else { continue }
      rest = rest.dropFirst(2)
      let stripsTabs = rest.hasPrefix("-")
      if stripsTabs { rest = rest.dropFirst() }
      if let quote = rest.first, quote == "\"" || quote == "'" {
        guard rest.count > 2, rest.last == quote else { continue }
        rest = rest.dropFirst().dropLast()
      }
      guard !rest.isEmpty,
        rest.utf8.allSatisfy({
          $0 == 95 || $0 == 46 || $0 == 45 || (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0)
        })
      else { continue }
      found.append((String(rest), stripsTabs))
    }
    return found
  }

  // MARK: Lines

  /// A line without the blanks around it, and without the byte order mark.
  private func content(_ line: Int) -> Range<Int> {
    let range = source.lineRange(line)
    return trim(line == 0 ? min(range.lowerBound + source.byteOrderMark, range.upperBound)..<range.upperBound : range)
  }

  private func trim(_ range: Range<Int>) -> Range<Int> {
    var (start, end) = (range.lowerBound, range.upperBound)
    while start < end, source.bytes[start] == 32 || source.bytes[start] == 9 || source.bytes[start] == 13 { start += 1 }
    while end > start, source.bytes[end - 1] == 32 || source.bytes[end - 1] == 9 || source.bytes[end - 1] == 13 { end -= 1 }
    return start..<end
  }
}
