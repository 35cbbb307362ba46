/// Simple commands of a POSIX shell script (POSIX.1-2017, XCU 2) with the places of their words. It expands and runs nothing.

/// One word as the shell splits them.
struct ShellWord: Sendable {
  /// Without its quotes; variables stand as they were written.
  let text: String
  /// The stretch inside any quotes around the whole word.
  let content: Range<Int>
  /// Whether the stretch `content` reads exactly like `text`.
  let isVerbatim: Bool
  let isQuoted: Bool

  var hasExpansion: Bool { text.utf8.contains(UInt8(ascii: "$")) || text.utf8.contains(UInt8(ascii: "`")) }

  /// The name and value of `NAME=value`, when this is such a word of the script `script`.
  func assignment(in script: MappedText) -> (name: String, value: ShellWord)? {
    guard let equals = text.utf8.firstIndex(of: UInt8(ascii: "=")), equals != text.startIndex else { return nil }
    let name = text[..<equals]
    guard name.utf8.allSatisfy({ $0 == 95 || (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) }),
      let first = name.utf8.first, !(48...57).contains(first)
    else { return nil }
    let value = String(text[text.utf8.index(after: equals)...])
    var start = content.lowerBound + name.utf8.count + 1
    var end = content.upperBound
    guard start <= end else { return nil }
    if end - start >= 2, script[start] == script[end - 1], script[start] == UInt8(ascii: "\"") || script[start] == UInt8(ascii: "'") {
      start += 1
      end -= 1
    }
    let range = start..<end
    return (String(name), ShellWord(text: value, content: range, isVerbatim: script.text(range) == value, isQuoted: isQuoted))
  }
}

/// One simple command.
struct ShellCommand: Sendable {
  struct Redirection: Sendable {
    let symbol: String
    let target: ShellWord
  }

  var assignments: [(name: String, value: ShellWord)] = []
  var words: [ShellWord] = []
  var redirections: [Redirection] = []
  /// Commands joined by `|` share a number.
  var pipeline = 0
  /// The body of a here-document given to this command.
  var document: Range<Int>?

  /// The name of the program, without its folder.
  fileprivate(set) var program = ""

  static func baseName(_ text: String) -> String {
    guard let slash = text.utf8.lastIndex(of: UInt8(ascii: "/")) else { return text }
    return String(text[text.utf8.index(after: slash)...])
  }

  /// Programs that run the command in their arguments.
  private static let runners: Set<String> = [
    "sudo", "doas", "env", "exec", "time", "nohup", "command", "builtin", "srun", "mpirun", "mpiexec", "timeout", "xargs", "eval", "nice",
    "ionice", "setsid", "stdbuf", "watch", "flock", "retry", "su-exec", "gosu", "tini", "unbuffer", "echo_and_run", "run",
  ]

  /// Whether the program runs the command in its arguments.
  fileprivate(set) var runsAnother = false

  /// The first of `programs` this command runs, directly or through another program, and its arguments.
  func invocation(of programs: Set<String>) -> (program: String, arguments: ArraySlice<ShellWord>)? {
    guard !words.isEmpty else { return nil }
    if programs.contains(program) { return (program, words.dropFirst()) }
    guard runsAnother else { return nil }
    guard let index = words.indices.dropFirst().first(where: { programs.contains(Self.baseName(words[$0].text)) }) else { return nil }
    return (Self.baseName(words[index].text), words[(index + 1)...])
  }
}

extension ShellCommand {
  /// Works out the program once: every rule asks for it.
  fileprivate mutating func nameProgram() {
    program = words.first.map { Self.baseName($0.text) } ?? ""
    runsAnother = Self.runners.contains(program)
  }
}

/// The commands of a script in the order they stand, those of substitutions and subshells among them.
struct ShellScript: Sendable {
  private(set) var commands: [ShellCommand] = []
  let text: MappedText

  init(_ text: MappedText) {
    self.text = text
    var parser = ShellParser(text: text, limit: text.count, depth: 0)
    parser.parse(from: 0)
    commands = parser.commands
  }
}

private struct ShellParser {
  let text: MappedText
  let limit: Int
  let depth: Int
  var commands: [ShellCommand] = []
  private var index = 0
  private var pipeline = 0
  private var command = ShellCommand()
  private var pendingDocuments: [(delimiter: String, stripsTabs: Bool, command: Int)] = []

  init(text: MappedText, limit: Int, depth: Int) {
    self.text = text
    self.limit = limit
    self.depth = depth
  }

  mutating func parse(from start: Int) {
    index = start
    while index < limit {
      let byte = text[index]
      switch byte {
      case 32, 9, 13: index += 1
      case 10:
        endCommand()
        pipeline += 1
        index += 1
        readDocuments()
      case UInt8(ascii: "#"): skipComment()
      case UInt8(ascii: ";"), UInt8(ascii: "("), UInt8(ascii: ")"): separate(1)
      case UInt8(ascii: "&"): ampersand()
      case UInt8(ascii: "|"): bar()
      case UInt8(ascii: "<"), UInt8(ascii: ">"): redirect()
      case UInt8(ascii: "\\") where isLineEnd(index + 1): index = afterLineEnd(index + 1)
      default: word()
      }
    }
    endCommand()
  }

  private mutating func separate(_ length: Int) {
    endCommand()
    pipeline += 1
    index += length
  }

  private mutating func ampersand() {
    if peek(1) == UInt8(ascii: ">") { return redirect() }
    separate(peek(1) == UInt8(ascii: "&") ? 2 : 1)
  }

  private mutating func bar() {
    if peek(1) == UInt8(ascii: "|") { return separate(2) }
    endCommand()
    index += peek(1) == UInt8(ascii: "&") ? 2 : 1
  }

  private mutating func endCommand() {
    defer { command = ShellCommand() }
    guard !command.words.isEmpty || !command.assignments.isEmpty else { return }
    command.pipeline = pipeline
    command.nameProgram()
    for number in pendingDocuments.indices where pendingDocuments[number].command < 0 { pendingDocuments[number].command = commands.count }
    commands.append(command)
  }

  private static let reserved: Set<String> = ["if", "then", "else", "elif", "fi", "do", "done", "while", "until", "!", "{", "}", "esac"]

  private mutating func skipComment() {
    while index < limit, text[index] != 10 { index += 1 }
  }

  private func peek(_ ahead: Int) -> UInt8? { index + ahead < limit ? text[index + ahead] : nil }

  private func isLineEnd(_ place: Int) -> Bool {
    guard place < limit else { return false }
    return text[place] == 10 || (text[place] == 13 && place + 1 < limit && text[place + 1] == 10)
  }

  private func afterLineEnd(_ place: Int) -> Int { text[place] == 13 ? place + 2 : place + 1 }

  // MARK: Redirections

  private mutating func redirect() {
    let start = index
    while index < limit, "<>&|-".utf8.contains(text[index]), index - start < 3 {
      // `<(…)` and `>(…)` are words.
      if text[index] == UInt8(ascii: "-"), !(index - start == 2 && text[start] == UInt8(ascii: "<")) { break }
      index += 1
    }
    let symbol = text.text(start..<index)
    if symbol == "<" || symbol == ">", peek(0) == UInt8(ascii: "(") {
      substitution(opening: index)
      let word = start..<index
      command.words.append(ShellWord(text: text.text(word), content: word, isVerbatim: true, isQuoted: false))
      return
    }
    while let byte = peek(0), byte == 32 || byte == 9 { index += 1 }
    guard let target = scanWord() else { return }
    if symbol == "<<" || symbol == "<<-" {
      // More on one line than anybody writes are left alone: each command looks through them.
      guard pendingDocuments.count < 100 else { return }
      pendingDocuments.append((target.text, symbol == "<<-", -1))
    } else {
      command.redirections.append(.init(symbol: symbol, target: target))
    }
  }

  /// Reads the bodies of the here-documents the line announced.
  private mutating func readDocuments() {
    for document in pendingDocuments {
      let start = index
      var end = index
      while index < limit {
        let lineStart = index
        while index < limit, text[index] != 10 { index += 1 }
        var line = text.text(lineStart..<index)
        if line.hasSuffix("\r") { line.removeLast() }
        if document.stripsTabs { line = String(line.drop { $0 == "\t" }) }
        index = min(limit, index + 1)
        if line == document.delimiter { break }
        end = index
      }
      if commands.indices.contains(document.command) { commands[document.command].document = start..<end }
    }
    pendingDocuments = []
  }

  // MARK: Words

  private mutating func word() {
    guard let word = scanWord() else { return }
    guard command.words.isEmpty else { return command.words.append(word) }
    if !word.isQuoted, command.assignments.isEmpty, Self.reserved.contains(word.text) { return }
    if let assignment = word.assignment(in: text) {
      command.assignments.append(assignment)
    } else {
      command.words.append(word)
    }
  }

  /// Reads a word at `index`; nil when none begins there, having moved on by one byte at least.
  private mutating func scanWord() -> ShellWord? {
    let start = index
    var bytes: [UInt8] = []
    var hasQuotes = false
    scan: while index < limit {
      let byte = text[index]
      switch byte {
      case 32, 9, 10, 13, UInt8(ascii: ";"), UInt8(ascii: "&"), UInt8(ascii: "|"), UInt8(ascii: "<"), UInt8(ascii: ">"),
        UInt8(ascii: "("), UInt8(ascii: ")"):
        break scan
      case UInt8(ascii: "'"):
        hasQuotes = true
        singleQuoted(&bytes)
      case UInt8(ascii: "\""):
        hasQuotes = true
        doubleQuoted(&bytes)
      case UInt8(ascii: "\\"):
        if isLineEnd(index + 1) {
          index = afterLineEnd(index + 1)
        } else {
          if index + 1 < limit { bytes.append(text[index + 1]) }
          hasQuotes = true
          index = min(limit, index + 2)
        }
      case UInt8(ascii: "$"), UInt8(ascii: "`"): expansion(&bytes)
      default:
        bytes.append(byte)
        index += 1
      }
    }
    guard index > start else {
      index += 1
      return nil
    }
    let isWhollyQuoted =
      hasQuotes && index - start >= 2 && text[start] == text[index - 1]
      && (text[start] == UInt8(ascii: "\"") || text[start] == UInt8(ascii: "'")) && bytes.count == index - start - 2
    let content = isWhollyQuoted ? (start + 1)..<(index - 1) : start..<index
    let word = String(decoding: bytes, as: UTF8.self)
    return ShellWord(
      text: word, content: content, isVerbatim: content.count == bytes.count && text.text(content) == word, isQuoted: hasQuotes)
  }

  private mutating func singleQuoted(_ bytes: inout [UInt8]) {
    index += 1
    while index < limit, text[index] != UInt8(ascii: "'") {
      bytes.append(text[index])
      index += 1
    }
    index = min(limit, index + 1)
  }

  private mutating func doubleQuoted(_ bytes: inout [UInt8]) {
    index += 1
    while index < limit, text[index] != UInt8(ascii: "\"") {
      switch text[index] {
      case UInt8(ascii: "\\") where index + 1 < limit:
        if !isLineEnd(index + 1) { bytes.append(text[index + 1]) }
        index = isLineEnd(index + 1) ? afterLineEnd(index + 1) : index + 2
      case UInt8(ascii: "$"), UInt8(ascii: "`"): expansion(&bytes)
      default:
        bytes.append(text[index])
        index += 1
      }
    }
    index = min(limit, index + 1)
  }

  /// Copies an expansion as it was written, and reads the commands inside a substitution.
  private mutating func expansion(_ bytes: inout [UInt8]) {
    let start = index
    if text[index] == UInt8(ascii: "`") {
      index += 1
      while index < limit, text[index] != UInt8(ascii: "`") { index += text[index] == UInt8(ascii: "\\") ? 2 : 1 }
      let inner = (start + 1)..<min(limit, index)
      index = min(limit, index + 1)
      nested(inner)
    } else if peek(1) == UInt8(ascii: "(") {
      index += 1
      substitution(opening: index)
    } else if peek(1) == UInt8(ascii: "{") {
      index = closing(UInt8(ascii: "{"), UInt8(ascii: "}"), from: index + 1)
    } else {
      index += 1
    }
    bytes += text.bytes[start..<min(limit, index)]
  }

  /// Reads the commands between the parenthesis at `opening` and its counterpart.
  private mutating func substitution(opening: Int) {
    let end = closing(UInt8(ascii: "("), UInt8(ascii: ")"), from: opening)
    index = end
    // `$((…))` is arithmetic.
    guard opening + 1 < limit, text[opening + 1] != UInt8(ascii: "("), end - 1 > opening else { return }
    nested((opening + 1)..<(end - 1))
  }

  private mutating func nested(_ range: Range<Int>) {
    guard depth < 16, !range.isEmpty else { return }
    var parser = ShellParser(text: text, limit: range.upperBound, depth: depth + 1)
    parser.pipeline = pipeline + 1_000_000 * (depth + 1) + range.lowerBound
    parser.parse(from: range.lowerBound)
    commands += parser.commands
  }

  /// The index after the bracket that closes the one at `start`; quotes inside are respected.
  private func closing(_ open: UInt8, _ close: UInt8, from start: Int) -> Int {
    var level = 0
    var place = start
    while place < limit {
      switch text[place] {
      case open: level += 1
      case close:
        level -= 1
        if level == 0 { return place + 1 }
      case UInt8(ascii: "\\"): place += 1
      case UInt8(ascii: "'") where open == UInt8(ascii: "("):
        place += 1
        while place < limit, text[place] != UInt8(ascii: "'") { place += 1 }
      default: break
      }
      place += 1
    }
    return limit
  }
}
