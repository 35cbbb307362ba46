/// The rules about packages in image files (EC201 to EC203).
import EnvCore

extension Collector {
  /// Judges `apt-get install` and `pip install` and their kin.
  mutating func checkInstalls(_ command: ShellCommand, _ text: MappedText, _ context: ScriptContext, _ statement: Int) {
    if let (program, arguments) = command.invocation(of: ["apt-get", "apt", "aptitude"]) {
      checkApt(program, Array(arguments), text, context, statement)
    }
    if let arguments = Self.pipArguments(command) { checkPip(arguments, text, context, statement) }
  }

  // MARK: apt

  private mutating func checkApt(
    _ program: String, _ arguments: [ShellWord], _ text: MappedText, _ context: ScriptContext, _ statement: Int
  ) {
    var words = arguments[...]
    var positional: [ShellWord] = []
    while let word = words.popFirst() {
      if ["-o", "-t", "-c", "--option", "--target-release", "--default-release", "--config-file"].contains(word.text) {
        words = words.dropFirst()
      } else if !word.text.hasPrefix("-") {
        positional.append(word)
      }
    }
    guard let verb = positional.first else { return }
    if ["upgrade", "dist-upgrade", "full-upgrade", "safe-upgrade"].contains(verb.text) {
      return report(
        .aptWithoutVersion, at: text.fileRange(verb.content), statement: statement,
        "\(context.user): `\(program) \(verb.text)` takes whatever is newest",
        suggestion: "start from a newer image, pinned by its digest, instead of upgrading an old one")
    }
    guard verb.text == "install" || verb.text == "reinstall" else { return }
    let loose = positional.dropFirst().filter { !Self.isPinnedForApt($0.text) }
    guard let first = loose.first else { return }
    let verbPhrase = loose.count == 1 ? "has no version" : "have no version"
    report(
      .aptWithoutVersion, at: text.fileRange(first.content), statement: statement,
      "\(context.user): \(Self.enumerate(loose.map(\.text))) \(verbPhrase)", object: loose.map(\.text).joined(separator: " "))
  }

  /// A version, a local file, or a variable that may hold either.
  private static func isPinnedForApt(_ package: String) -> Bool {
    package.contains("=") || package.contains("$") || package.contains("`") || package.hasPrefix("/") || package.hasPrefix(".")
      || package.hasSuffix(".deb") || package.hasSuffix("-") || package.contains("*.deb") || package == "\\"
  }

  /// At most three names, and how many more there are.
  static func enumerate(_ names: [String]) -> String {
    let shown = names.prefix(3).map { "'\($0)'" }
    if names.count > 3 { return shown.joined(separator: ", ") + " and \(names.count - 3) more" }
    return shown.count < 2 ? shown.joined() : shown.dropLast().joined(separator: ", ") + " and " + (shown.last ?? "")
  }

  // MARK: pip

  /// The words after `install` of `pip install`, `python -m pip install` and `uv pip install`.
  private static func pipArguments(_ command: ShellCommand) -> [ShellWord]? {
    func isPip(_ name: String) -> Bool {
      name == "pip" || (name.hasPrefix("pip") && name.dropFirst(3).allSatisfy { $0.isNumber || $0 == "." }) || name == "uv"
        || name == "pipx"
    }
    let words = command.words
    guard let index = words.firstIndex(where: { isPip(ShellCommand.baseName($0.text)) }) else { return nil }
    // `echo pip install` installs nothing; `apt-get install pip` is apt's.
    let before = words[..<index].map { ShellCommand.baseName($0.text) }
    let isModule = before.last == "-m" && before.first?.hasPrefix("python") == true
    let isRunner = before.isEmpty || ["sudo", "env", "exec", "time", "command", "nice", "retry", "timeout"].contains(before[0]) || isModule
    guard isRunner else { return nil }
    var rest = words[(index + 1)...]
    while let word = rest.first, word.text != "install", word.text != "download", word.text != "wheel" {
      // Options and `uv`'s own subcommand come before; anything else is another subcommand.
      guard word.text.hasPrefix("-") || word.text == "pip" else { return nil }
      rest = rest.dropFirst()
    }
    return rest.isEmpty ? nil : Array(rest.dropFirst())
  }

  private static let pipValues: Set<String> = [
    "-i", "--index-url", "--extra-index-url", "-f", "--find-links", "-t", "--target", "--platform", "--python-version", "--implementation",
    "--abi", "--root", "--prefix", "--src", "--timeout", "--retries", "--cache-dir", "--progress-bar", "--trusted-host", "--cert",
    "--proxy",
    "--log", "--only-binary", "--no-binary", "--upgrade-strategy", "--exists-action", "-C", "--config-settings", "--global-option",
    "--report",
    "--root-user-action", "-p", "--python", "--exclude-newer", "--index-strategy", "--torch-backend", "-d", "--dest", "--default-index",
    "--index", "--link-mode", "--prerelease", "--resolution", "-w", "--wheel-dir", "--use-feature",
  ]

  private mutating func checkPip(_ arguments: [ShellWord], _ text: MappedText, _ context: ScriptContext, _ statement: Int) {
    var words = arguments[...]
    var loose: [ShellWord] = []
    var withoutHash: [ShellWord] = []
    var constrained = false
    var demandsHashes = false
    var isOffline = false
    while let word = words.popFirst() {
      switch word.text {
      case "-r", "--requirement":
        if let file = words.popFirst() { withoutHash.append(file) }
      case "-c", "--constraint", "--constraints":
        constrained = true
        words = words.dropFirst()
      case "-e", "--editable":
        if let source = words.popFirst(), !Self.isFixedSource(source.text) { loose.append(source) }
      case "--require-hashes": demandsHashes = true
      case "--no-index": isOffline = true
      case _ where Self.pipValues.contains(word.text): words = words.dropFirst()
      case _ where word.text.hasPrefix("--requirement=") || (word.text.hasPrefix("-r") && !word.text.hasPrefix("--")):
        withoutHash.append(word)
      case _ where word.text.hasPrefix("--constraint="): constrained = true
      case _ where word.text.hasPrefix("-"): continue
      default:
        switch Self.judgePip(word.text) {
        case .exact: withoutHash.append(word)
        case .loose: loose.append(word)
        case .fixed: continue
        }
      }
    }
    guard !demandsHashes, !isOffline else { return }
    if constrained {
      withoutHash += loose
      loose = []
    }
    if let first = loose.first {
      let verbPhrase = loose.count == 1 ? "has no exact version" : "have no exact version"
      report(
        .pipWithoutVersion, at: text.fileRange(first.content), statement: statement,
        "\(context.user): \(Self.enumerate(loose.map(\.text))) \(verbPhrase)", object: loose.map(\.text).joined(separator: " "))
    } else if let first = withoutHash.first {
      report(
        .pipWithoutHashes, at: text.fileRange(first.content), statement: statement,
        "\(context.user): pip compares no hashes for \(Self.enumerate(withoutHash.map(\.text)))",
        object: withoutHash.map(\.text).joined(separator: " "))
    }
  }

  private enum PipRequirement { case exact, loose, fixed }

  private static func judgePip(_ requirement: String) -> PipRequirement {
    if isFixedSource(requirement) { return .fixed }
    if requirement.hasPrefix("$") || requirement.hasPrefix("`") { return .fixed }
    if requirement.contains("://") { return .loose }
    // PEP 440: `===` and `==` without a wildcard name one version.
    guard let equals = requirement.range(ofASCII: "==") else { return .loose }
    let version = requirement[equals...].drop { $0 == "=" }
    return version.isEmpty || version.contains("*") || version.contains(",") ? .loose : .exact
  }

  /// What lies in the build context, carries a hash, or names a commit.
  private static func isFixedSource(_ source: String) -> Bool {
    let path = source.split(separator: "[").first.map(String.init) ?? source
    if let at = source.range(ofASCII: "://") {
      let rest = source[at...]
      if rest.contains("#sha256=") || rest.contains("&sha256=") { return true }
      guard source.hasPrefix("git+") || source.contains(" @ git+"), let commit = rest.lastIndex(of: "@") else { return false }
      return isCommit(rest[rest.index(after: commit)...].prefix { $0 != "#" })
    }
    return path == "." || path.hasPrefix("./") || path.hasPrefix("../") || path.hasPrefix("/") || path.hasPrefix("~/")
      || path.hasSuffix(".whl")
      || path.hasSuffix(".tar.gz") || path.hasSuffix("/")
  }

  /// A full commit id: 40 hexadecimal digits of SHA-1, 64 of SHA-256.
  static func isCommit(_ text: some StringProtocol) -> Bool {
    (text.utf8.count == 40 || text.utf8.count == 64)
      && text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) || (65...70).contains($0) }
  }
}

extension StringProtocol {
  /// Where `needle` first stands; `contains` and `split` of the standard library do not say.
  func range(ofASCII needle: String) -> Index? {
    let pattern = Array(needle.utf8)
    var index = startIndex
    let view = utf8
    while index < view.endIndex {
      if view[index...].starts(with: pattern) { return index }
      index = view.index(after: index)
    }
    return nil
  }
}
