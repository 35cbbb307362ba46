/// What a Dockerfile or Containerfile asks for: base images, copies from images, installs, downloads.
import EnvCore
import OCI

/// Walks through the instructions of a Dockerfile and judges them.
struct DockerfileReader {
  private let syntax: DockerfileSyntax
  private let source: SourceText
  /// Names of the stages so far, in lower case.
  private var stages: Set<String> = []
  private var stageCount = 0
  /// Arguments before the first FROM, which alone may stand in FROM.
  private var globals: [String: Binding] = [:]
  /// Arguments and variables of the stage.
  private var locals: [String: Binding] = [:]

  /// - Parameter indentation: Blanks before each line that the format around the file adds.
  init(_ source: SourceText, indentation: Int = 0) {
    self.source = source
    syntax = DockerfileSyntax(source, indentation: indentation)
  }

  /// Judges the whole file.
  mutating func read(into collector: inout Collector) {
    if let frontend = syntax.frontend { image(frontend, "syntax directive", start: frontend.lowerBound, [:], &collector) }
    for instruction in syntax.instructions { read(instruction, &collector, depth: 0) }
  }

  private mutating func read(_ instruction: DockerfileSyntax.Instruction, _ collector: inout Collector, depth: Int) {
    switch instruction.keyword {
    case "FROM": from(instruction, &collector)
    case "ARG": argument(instruction)
    case "ENV": environment(instruction, &collector)
    case "COPY", "ADD": copy(instruction, &collector)
    case "RUN": run(instruction, &collector)
    case "ONBUILD":
      // ONBUILD does not nest.
      guard depth == 0, let word = instruction.arguments.words().first else { return }
      var inner = instruction
      inner.keyword = instruction.arguments.text(word).uppercased()
      inner.arguments = instruction.arguments.slice(rest(instruction.arguments, after: word)..<instruction.arguments.count)
      if inner.keyword != "FROM" { read(inner, &collector, depth: 1) }
    default: break
    }
  }

  private func rest(_ text: MappedText, after word: Range<Int>) -> Int {
    var index = word.upperBound
    while index < text.count, text[index] == 32 || text[index] == 9 { index += 1 }
    return index
  }

  // MARK: Images

  private mutating func from(_ instruction: DockerfileSyntax.Instruction, _ collector: inout Collector) {
    let text = instruction.arguments
    let words = text.words().drop { text.text($0).hasPrefix("--") }
    guard let image = words.first else { return }
    let after = words.dropFirst()
    let name =
      after.count >= 2 && after.first.map { text.text($0).lowercased() } == "as" ? text.text(after[after.startIndex + 1]).lowercased() : ""
    defer {
      if !name.isEmpty { stages.insert(name) }
      stageCount += 1
      locals = [:]
    }
    let user = name.isEmpty ? "stage \(stageCount + 1)" : "stage '\(name)'"
    judge(text, image, user, instruction.start, globals, &collector)
  }

  /// An image, a stage or `scratch`, in a word of an instruction.
  private func judge(
    _ text: MappedText, _ word: Range<Int>, _ user: String, _ start: Int, _ bindings: [String: Binding], _ collector: inout Collector
  ) {
    guard !word.isEmpty else { return }
    var word = word
    if word.count >= 2, text[word.lowerBound] == text[word.upperBound - 1], text[word.lowerBound] == 34 || text[word.lowerBound] == 39 {
      word = (word.lowerBound + 1)..<(word.upperBound - 1)
    }
    var expansion = Expansion(text, word, bindings)
    let name = expansion.text.lowercased()
    if expansion.unknown.isEmpty, name == "scratch" || stages.contains(name) || name.isEmpty { return }
    let range = text.fileRange(word)
    if expansion.isLiteral, text.isContiguous(word) { expansion.setEnd(range.upperBound) }
    collector.check(ImageMention(user: user, range: range, statement: start, expansion: expansion))
  }

  private func image(_ range: Range<Int>, _ user: String, start: Int, _ bindings: [String: Binding], _ collector: inout Collector) {
    let text = MappedText(source.bytes, range)
    judge(text, 0..<text.count, user, start, bindings, &collector)
  }

  private func copySource(_ text: MappedText, _ range: Range<Int>, _ user: String, _ start: Int, _ collector: inout Collector) {
    // The number of a stage before this one.
    if let number = Int(text.text(range)), number >= 0, number < stageCount { return }
    judge(text, range, user, start, locals, &collector)
  }

  // MARK: Variables

  private mutating func argument(_ instruction: DockerfileSyntax.Instruction) {
    let script = ShellScript(instruction.arguments)
    for command in script.commands {
      for (name, value) in command.assignments + command.words.compactMap({ $0.assignment(in: script.text) }) {
        bind(name, binding(value, script.text, isDefault: true))
      }
      for word in command.words where !word.text.contains("=") {
        // Inside a stage a bare ARG takes the value it has before the first FROM.
        if stageCount > 0 { bind(word.text, globals[word.text]) }
      }
    }
  }

  private mutating func bind(_ name: String, _ binding: Binding?) {
    if stageCount == 0 {
      globals.remember(name, binding)
    } else {
      locals.remember(name, binding)
    }
  }

  private func binding(_ value: ShellWord, _ text: MappedText, isDefault: Bool) -> Binding? {
    let expansion = Expansion(text, value.content, stageCount == 0 ? globals : locals)
    guard expansion.unknown.isEmpty else { return nil }
    let isPlain = expansion.isLiteral && value.isVerbatim && text.isContiguous(value.content)
    return Binding(
      value: expansion.isLiteral ? value.text : expansion.text, end: isPlain ? text.fileRange(value.content).upperBound : expansion.end,
      isDefault: isDefault)
  }

  private mutating func environment(_ instruction: DockerfileSyntax.Instruction, _ collector: inout Collector) {
    let script = ShellScript(instruction.arguments)
    for command in script.commands {
      for (name, value) in command.assignments + command.words.compactMap({ $0.assignment(in: script.text) }) {
        collector.checkVariable(name, value.text, at: script.text.fileRange(value.content), "ENV", instruction.start)
        if let binding = binding(value, script.text, isDefault: false) { bind(name, binding) }
      }
    }
  }

  // MARK: COPY, ADD, RUN

  private func copy(_ instruction: DockerfileSyntax.Instruction, _ collector: inout Collector) {
    let text = instruction.arguments
    let words = text.words()
    let flags = words.prefix { text.text($0).hasPrefix("--") }
    for flag in flags where text.text(flag).hasPrefix("--from=") {
      copySource(text, (flag.lowerBound + 7)..<flag.upperBound, "\(instruction.keyword) --from", instruction.start, &collector)
    }
    guard instruction.keyword == "ADD", !flags.contains(where: { text.text($0).hasPrefix("--checksum=") }) else { return }
    for word in words.dropFirst(flags.count).dropLast() {
      let url = text.text(word).filter { $0 != "\"" && $0 != "'" && $0 != "[" && $0 != "," }
      guard DownloadReview.isRemote(url) || url.hasPrefix("git@") else { continue }
      // Git sources are pinned by the commit in the fragment.
      if let hash = url.firstIndex(of: "#"), Collector.isCommit(url[hash...].dropFirst().prefix { $0 != ":" }) { continue }
      let model = DownloadReview.modelName(url)
      collector.report(
        model == nil ? .downloadWithoutChecksum : .modelWithoutHash, at: text.fileRange(word), statement: instruction.start,
        model.map { "ADD: the model '\($0)' is downloaded and compared with no hash" }
          ?? "ADD downloads '\(url.prefix(90))' without --checksum",
        suggestion: "add --checksum=sha256:…, or the full commit hash for a git source")
    }
  }

  private func run(_ instruction: DockerfileSyntax.Instruction, _ collector: inout Collector) {
    let text = instruction.arguments
    var body = 0
    for word in text.words() {
      guard text.text(word).hasPrefix("--") else { break }
      body = rest(text, after: word)
      if text.text(word).hasPrefix("--mount=") { mount(text, word, instruction.start, &collector) }
    }
    let context = ScriptContext(
      user: "RUN", isImageFile: true, bindings: locals, statement: instruction.start)
    let command = text.slice(body..<text.count)
    if command.bytes.first == UInt8(ascii: "[") {
      if let script = Self.execForm(command) { collector.check(script: script, context) }
    } else if command.bytes.starts(with: [60, 60]) {
      // The document is the script itself, unless its first line names another interpreter.
      for document in instruction.documents where !Self.isForeign(document.body) { collector.check(script: document.body, context) }
    } else {
      collector.check(script: command, context)
      let shells = ShellScript(command).commands.contains { ["sh", "bash", "ash", "dash"].contains($0.program) }
      if shells { for document in instruction.documents { collector.check(script: document.body, context) } }
    }
  }

  private func mount(_ text: MappedText, _ word: Range<Int>, _ start: Int, _ collector: inout Collector) {
    var index = word.lowerBound + "--mount=".utf8.count
    while index < word.upperBound {
      var end = index
      while end < word.upperBound, text[end] != UInt8(ascii: ",") { end += 1 }
      if text.text(index..<end).hasPrefix("from=") { copySource(text, (index + 5)..<end, "RUN --mount", start, &collector) }
      index = end + 1
    }
  }

  private static func isForeign(_ body: MappedText) -> Bool {
    guard body.bytes.starts(with: [35, 33]) else { return false }
    let line = String(decoding: body.bytes.prefix { $0 != 10 }, as: UTF8.self)
    return !line.contains("sh")
  }

  /// `["apt-get", "install"]` with brackets and commas blanked is a command line in quotes.
  private static func execForm(_ text: MappedText) -> MappedText? {
    var result = text
    var isInside = false
    for index in 0..<text.count {
      switch text[index] {
      case UInt8(ascii: "\""): isInside.toggle()
      case UInt8(ascii: "\\") where isInside: return nil
      case UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: ","): if !isInside { result.blank(index) }
      default: break
      }
    }
    return isInside ? nil : result
  }
}
