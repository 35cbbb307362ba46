/// The rule about certificate checks that are switched off (EC302).
import EnvCore

extension Collector {
  /// Judges the options and variables of one command.
  mutating func checkCertificates(_ command: ShellCommand, _ text: MappedText, _ context: ScriptContext, _ statement: Int) {
    for (name, value) in command.assignments { checkVariable(name, value.text, at: text.fileRange(value.content), context.user, statement) }
    if ["export", "env", "declare"].contains(command.program) {
      for word in command.words.dropFirst() {
        guard let (name, value) = word.assignment(in: text) else { continue }
        checkVariable(name, value.text, at: text.fileRange(value.content), context.user, statement)
      }
    }
    guard let (program, word) = Self.unsafeOption(command) else { return }
    report(
      .certificateChecksOff, at: text.fileRange(word.content), statement: statement,
      "\(context.user): '\(word.text)' lets \(program) accept any certificate")
  }

  /// Judges a variable that switches checks off for programs that read it.
  mutating func checkVariable(_ name: String, _ value: String, at range: Range<Int>, _ user: String, _ statement: Int) {
    let isOff: Bool =
      switch name {
      case "GIT_SSL_NO_VERIFY", "CURL_INSECURE": !["", "0", "false"].contains(value)
      case "NODE_TLS_REJECT_UNAUTHORIZED", "PYTHONHTTPSVERIFY": value == "0"
      case "PIP_TRUSTED_HOST": !value.isEmpty && !value.hasPrefix("$")
      case "NPM_CONFIG_STRICT_SSL", "npm_config_strict_ssl", "CONDA_SSL_VERIFY": ["false", "no", "0"].contains(value.lowercased())
      default: false
      }
    guard isOff, !range.isEmpty else { return }
    report(.certificateChecksOff, at: range, statement: statement, "\(user): \(name)=\(value) switches certificate checks off")
  }

  private static let unsafeOptions: [(programs: Set<String>, words: Set<String>)] = [
    (["wget"], ["--no-check-certificate"]), (["aria2c"], ["--check-certificate=false"]),
    (["pip", "pip3", "python", "python3", "uv"], ["--trusted-host", "--allow-insecure-host"]),
    (["apt-get", "apt"], ["--allow-unauthenticated", "--force-yes", "--allow-insecure-repositories"]),
    (["docker", "podman", "nerdctl", "skopeo", "buildah"], ["--tls-verify=false", "--src-tls-verify=false", "--insecure-registry"]),
  ]

  private static func unsafeOption(_ command: ShellCommand) -> (program: String, option: ShellWord)? {
    if let (program, arguments) = command.invocation(of: ["curl"]) {
      let remote = arguments.contains { DownloadReview.isRemote($0.text) || $0.text.hasPrefix("$") }
      guard remote, let word = arguments.first(where: { isInsecureForCurl($0.text) }) else { return nil }
      return (program, word)
    }
    if let (program, arguments) = command.invocation(of: ["git"]) {
      return arguments.first { $0.text.lowercased() == "http.sslverify=false" }.map { (program, $0) }
        ?? gitConfiguration(program, arguments)
    }
    for option in unsafeOptions {
      guard let (program, arguments) = command.invocation(of: option.programs) else { continue }
      let found = arguments.first { word in
        option.words.contains(word.text) || option.words.contains(String(word.text.prefix { $0 != "=" }))
          || word.text.lowercased().hasSuffix("verify-peer=false") || word.text.lowercased().hasSuffix("verify-host=false")
          || word.text.lowercased().hasSuffix("allowunauthenticated=true")
      }
      if let found { return (program, found) }
    }
    return nil
  }

  private static func gitConfiguration(_ program: String, _ arguments: ArraySlice<ShellWord>) -> (program: String, option: ShellWord)? {
    guard arguments.contains(where: { $0.text == "config" }),
      let key = arguments.firstIndex(where: { $0.text.lowercased() == "http.sslverify" }),
      key + 1 < arguments.endIndex, ["false", "0"].contains(arguments[key + 1].text)
    else { return nil }
    return (program, arguments[key])
  }

  /// `--insecure`, `-k`, or a cluster such as -fsSkL in which no letter before takes a value.
  private static func isInsecureForCurl(_ word: String) -> Bool {
    if word == "--insecure" { return true }
    guard word.hasPrefix("-"), !word.hasPrefix("--") else { return false }
    let letters = word.dropFirst().prefix { !"HdXuAebcTFmxwCrzEKQtUyYPo".contains($0) }
    return letters.contains("k")
  }
}
