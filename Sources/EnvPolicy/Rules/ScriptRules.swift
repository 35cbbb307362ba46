/// The rules applied to the commands of a script, in the order they would run.
import EnvCore

/// Where a script stands, which decides the rules that apply to it.
struct ScriptContext {
  /// Who runs it, such as `RUN` or `job 'test'`.
  var user: String
  /// Whether it fills an image: then packages must be pinned as well.
  var isImageFile = false
  /// Variables with a value where the script begins.
  var bindings: [String: Binding] = [:]
  /// Where the statement begins that holds the script, for a script that is part of a statement.
  var statement: Int?
}

extension Collector {
  /// Applies the rules to a script and to the scripts in its here-documents and `sh -c` arguments.
  mutating func check(script text: MappedText, _ context: ScriptContext, depth: Int = 0) {
    guard depth < 4 else { return }
    let script = ShellScript(text)
    var context = context
    let downloads = DownloadReview(script)
    for command in script.commands {
      if Self.matters(command) {
        let statement = context.statement ?? commandStart(command, text)
        checkImages(command, text, context, statement)
        if context.isImageFile { checkInstalls(command, text, context, statement) }
        downloads.check(command, text, context, statement, into: &self)
        checkCertificates(command, text, context, statement)
        checkNested(command, text, context, depth)
      }
      bind(command, text, &context.bindings)
    }
  }

  /// Programs that some rule has something to say about.
  private static let programs: Set<String> = ContainerCommands.engines.union(ContainerCommands.unpackers).union(
    ContainerCommands.schedulers
  )
  .union(shells).union([
    "apt-get", "apt", "aptitude", "uv", "pipx", "curl", "wget", "aria2c", "axel", "git", "huggingface-cli", "hf", "modelscope", "skopeo",
    "buildah", "export", "env", "declare", "source", ".",
  ])
  private static let shells: Set<String> = ["sh", "bash", "dash", "ash", "zsh", "ksh", "sbatch", "ssh"]

  /// Most commands of a script are none of the rules' business, and finding out must cost little.
  private static func matters(_ command: ShellCommand) -> Bool {
    command.runsAnother || programs.contains(command.program) || command.program.hasPrefix("pip") || command.program.hasPrefix("python")
      || !command.assignments.isEmpty
  }

  private static let assigners: Set<String> = ["export", "local", "declare", "readonly", "typeset"]

  private func commandStart(_ command: ShellCommand, _ text: MappedText) -> Int {
    let words = command.assignments.map(\.value) + command.words
    return words.map { text.offset($0.content.lowerBound) }.min() ?? 0
  }

  private mutating func checkImages(_ command: ShellCommand, _ text: MappedText, _ context: ScriptContext, _ statement: Int) {
    for image in ContainerCommands.images(in: command, text) {
      check(image, text, context, statement)
    }
  }

  /// Judges one image of a command line.
  mutating func check(_ image: CommandImage, _ text: MappedText, _ context: ScriptContext, _ statement: Int) {
    let range = text.fileRange(image.range)
    guard !range.isEmpty, !isFull else { return }
    var expansion = Expansion(text, image.range, context.bindings)
    if image.user.hasSuffix("--container-image") { expansion.rewrite(ContainerCommands.fromPyxis) }
    if image.word.isVerbatim, expansion.isLiteral, text.isContiguous(image.range) { expansion.setEnd(range.upperBound) }
    check(ImageMention(user: image.user, range: range, statement: statement, expansion: expansion, digestForm: image.digestForm))
  }

  /// Scripts inside the script: `bash -c '…'`, `bash <<EOF`, `sbatch <<EOF`.
  private mutating func checkNested(_ command: ShellCommand, _ text: MappedText, _ context: ScriptContext, _ depth: Int) {
    guard let (_, arguments) = command.invocation(of: Self.shells) else { return }
    if let document = command.document { check(script: text.slice(document), context, depth: depth + 1) }
    var rest = arguments
    while let word = rest.popFirst() {
      guard word.text.hasPrefix("-") else { return }
      guard !word.text.hasPrefix("--"), word.text.hasSuffix("c"), let inner = rest.first, inner.isVerbatim else { continue }
      return check(script: text.slice(inner.content), context, depth: depth + 1)
    }
  }

  /// Remembers what variables hold from here on.
  private func bind(_ command: ShellCommand, _ text: MappedText, _ bindings: inout [String: Binding]) {
    var assignments = command.words.isEmpty ? command.assignments : []
    if Self.assigners.contains(command.program) {
      assignments += command.words.dropFirst().compactMap { $0.assignment(in: text) }
    }
    for (name, value) in assignments {
      let expansion = Expansion(text, value.content, bindings)
      guard expansion.unknown.isEmpty else {
        bindings[name] = nil
        continue
      }
      let isPlain = expansion.isLiteral && value.isVerbatim && text.isContiguous(value.content)
      bindings.remember(
        name,
        Binding(
          value: expansion.isLiteral ? value.text : expansion.text,
          end: isPlain ? text.fileRange(value.content).upperBound : expansion.end, isDefault: true))
    }
    // `: "${IMAGE:=python:3.11}"` gives a default in passing.
    guard command.program == ":" else { return }
    for word in command.words.dropFirst() where word.text.hasPrefix("${") && word.text.hasSuffix("}") {
      let name = String(word.text.dropFirst(2).prefix { $0 == "_" || $0.isLetter || $0.isNumber })
      let expansion = Expansion(text, word.content, bindings)
      guard expansion.unknown.isEmpty else { continue }
      bindings.remember(name, Binding(value: expansion.text, end: expansion.end, isDefault: true))
    }
  }
}
