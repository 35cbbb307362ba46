/// The rules about downloads and models (EC301, EC302, EC401).
import EnvCore

/// Which programs of a script check what was downloaded, found once for all its commands.
struct DownloadReview {
  private let script: ShellScript
  private let verifies: Bool
  /// The commands of each pipeline.
  private let pipelines: [Int: [Int]]
  private let checkedOutCommit: Bool

  init(_ script: ShellScript) {
    self.script = script
    pipelines = Dictionary(grouping: script.commands.indices) { script.commands[$0].pipeline }
    verifies = script.commands.contains(where: Self.isVerification)
    checkedOutCommit = script.commands.contains { command in
      guard let (_, arguments) = command.invocation(of: ["git"]) else { return false }
      return arguments.contains { ["checkout", "reset", "fetch", "switch"].contains($0.text) }
        && arguments.contains { Collector.isCommit($0.text) }
    }
  }

  private static let digesters: Set<String> = [
    "sha256sum", "sha512sum", "sha384sum", "sha224sum", "b2sum", "b3sum", "gpgv", "minisign", "rhash",
  ]
  private static let verifiers = digesters.union(["shasum", "gpg", "gpg2", "cosign", "openssl"])
  private static let fetchers: Set<String> = ["curl", "wget", "aria2c", "axel"]

  /// SHA-2, BLAKE2 and signatures; MD5 and SHA-1 prove nothing any more.
  private static func isVerification(_ command: ShellCommand) -> Bool {
    guard command.runsAnother || verifiers.contains(command.program) else { return false }
    if command.invocation(of: digesters) != nil {
      return true
    }
    if let (_, arguments) = command.invocation(of: ["shasum"]) {
      return arguments.contains { $0.text.contains("256") || $0.text.contains("512") }
    }
    if let (_, arguments) = command.invocation(of: ["gpg", "gpg2"]) { return arguments.contains { $0.text == "--verify" } }
    if let (_, arguments) = command.invocation(of: ["cosign"]) { return arguments.contains { $0.text.hasPrefix("verify") } }
    if let (_, arguments) = command.invocation(of: ["openssl"]) {
      return arguments.contains { $0.text.hasPrefix("-sha") || $0.text == "-verify" }
    }
    return false
  }

  /// Judges one command.
  func check(_ command: ShellCommand, _ text: MappedText, _ context: ScriptContext, _ statement: Int, into collector: inout Collector) {
    if let (program, arguments) = command.invocation(of: Self.fetchers) {
      checkFetch(program, Array(arguments), command, text, context, statement, into: &collector)
    }
    checkRunSubstitution(command, text, context, statement, into: &collector)
    checkModelTools(command, text, context, statement, into: &collector)
  }

  /// `sh -c "$(curl …)"`, `bash <(wget …)`, `eval "$(curl …)"`: what was downloaded runs at once.
  private func checkRunSubstitution(
    _ command: ShellCommand, _ text: MappedText, _ context: ScriptContext, _ statement: Int, into collector: inout Collector
  ) {
    guard !verifies,
      let (program, arguments) = command.invocation(of: ["sh", "bash", "zsh", "dash", "ash", "eval", "source", ".", "python3"])
    else { return }
    let openings = ["$(curl ", "$(wget ", "`curl ", "`wget ", "<(curl ", "<(wget "]
    for word in arguments where openings.contains(where: { word.text.range(ofASCII: $0) != nil }) {
      collector.report(
        .downloadWithoutChecksum, at: text.fileRange(word.content), statement: statement,
        "\(context.user): \(program) runs what is downloaded, compared with no checksum")
    }
  }

  private func checkFetch(
    _ program: String, _ arguments: [ShellWord], _ command: ShellCommand, _ text: MappedText, _ context: ScriptContext, _ statement: Int,
    into collector: inout Collector
  ) {
    guard !verifies, !arguments.contains(where: { $0.text.hasPrefix("--checksum") }) else { return }
    let urls = arguments.filter { Self.isRemote($0.text) }
    guard let url = urls.first(where: { !Self.isSignature($0.text) }) else { return }
    if let model = Self.modelName(url.text) ?? arguments.lazy.compactMap({ Self.modelName($0.text) }).first {
      guard keeps(program, arguments, command) != nil else { return }
      return collector.report(
        .modelWithoutHash, at: text.fileRange(url.content), statement: statement,
        "\(context.user): the model '\(model)' is downloaded and compared with no hash")
    }
    guard let use = keeps(program, arguments, command) else { return }
    collector.report(
      .downloadWithoutChecksum, at: text.fileRange(url.content), statement: statement,
      "\(context.user): \(program) downloads '\(Self.shorten(url.text))' \(use), compared with no checksum")
  }

  // MARK: What becomes of the bytes

  /// Programs that keep or run what they are piped; a filter such as jq or grep only looks at it.
  private static let consumers: Set<String> = [
    "sh", "bash", "zsh", "dash", "ash", "ksh", "python", "python3", "perl", "ruby", "node", "tar", "bsdtar", "gunzip", "gzip", "zcat",
    "unzip",
    "xz", "unxz", "zstd", "bzip2", "cpio", "dpkg", "rpm", "apt-key", "gpg", "tee", "install", "dd", "docker", "podman", "kubectl", "pip",
  ]

  /// How the download stays, as a phrase; nil when it is only looked at.
  private func keeps(_ program: String, _ arguments: [ShellWord], _ command: ShellCommand) -> String? {
    if let consumer = consumer(of: command) { return "into \(consumer)" }
    let intoFile = command.redirections.contains { $0.symbol.hasPrefix(">") && $0.symbol != ">&" && Self.isRealFile($0.target.text) }
    if intoFile { return "into a file" }
    switch program {
    case "curl": return Self.curlWrites(arguments) ? "into a file" : nil
    case "wget": return Self.wgetWrites(arguments) ? "into a file" : nil
    default: return "into a file"
    }
  }

  private func consumer(of command: ShellCommand) -> String? {
    for index in pipelines[command.pipeline] ?? [] {
      if let (program, _) = script.commands[index].invocation(of: Self.consumers) { return program }
    }
    return nil
  }

  private static func isRealFile(_ path: String) -> Bool { !path.hasPrefix("/dev/") || path.hasPrefix("/dev/shm") }

  private static func curlWrites(_ arguments: [ShellWord]) -> Bool {
    for (number, word) in arguments.enumerated() {
      let text = word.text
      let next = number + 1 < arguments.count ? arguments[number + 1].text : ""
      if text == "--output" { return isRealFile(next) && next != "-" }
      if text.hasPrefix("--output=") { return isRealFile(String(text.dropFirst(9))) }
      if text == "--remote-name" || text == "--remote-name-all" { return true }
      guard text.hasPrefix("-"), !text.hasPrefix("--") else { continue }
      // A cluster such as -fsSLo; letters that take a value end it.
      for (place, letter) in text.dropFirst().enumerated() {
        if letter == "O" || letter == "J" { return true }
        if letter == "o" {
          let rest = String(text.dropFirst(place + 2))
          let path = rest.isEmpty ? next : rest
          return isRealFile(path) && path != "-"
        }
        if "HdXuAebcTFmxwCrzEKQtUyYP".contains(letter) { break }
      }
    }
    return false
  }

  private static func wgetWrites(_ arguments: [ShellWord]) -> Bool {
    for (number, word) in arguments.enumerated() {
      let text = word.text
      let next = number + 1 < arguments.count ? arguments[number + 1].text : ""
      if text == "--spider" { return false }
      if text.hasPrefix("--output-document=") { return isKept(String(text.dropFirst(18))) }
      if text == "--output-document" { return isKept(next) }
      guard text.hasPrefix("-"), !text.hasPrefix("--"), let place = text.firstIndex(of: "O") else { continue }
      let rest = String(text[text.index(after: place)...])
      return isKept(rest.isEmpty ? next : rest)
    }
    return true
  }

  private static func isKept(_ path: String) -> Bool { path != "-" && isRealFile(path) }

  // MARK: URLs

  /// Whether a word is the address of something outside this machine.
  static func isRemote(_ text: String) -> Bool {
    let lower = text.lowercased()
    guard let scheme = ["https://", "http://", "ftp://"].first(where: lower.hasPrefix) else { return false }
    let host = lower.dropFirst(scheme.count).prefix { !"/:?".contains($0) }
    return !["localhost", "127.0.0.1", "[", "0.0.0.0", "host.docker.internal", "169.254.169.254"].contains(String(host))
  }

  /// Checksum lists and signatures are what others are compared with.
  private static func isSignature(_ url: String) -> Bool {
    let path = url.prefix { $0 != "?" && $0 != "#" }.lowercased()
    return [
      ".asc", ".sig", ".sha256", ".sha512", ".sha256sum", ".sha512sum", ".minisig", "sha256sums", "sha512sums", "sha256sums.txt",
      "checksums.txt",
    ]
    .contains { path.hasSuffix($0) }
  }

  private static func shorten(_ url: String) -> String { url.count <= 90 ? url : url.prefix(60) + "…" + url.suffix(28) }

  /// Weights of the formats the field uses.
  private static let modelSuffixes = [
    ".pdparams", ".pdmodel", ".pdiparams", ".pdopt", ".pt", ".pth", ".ckpt", ".safetensors", ".onnx", ".h5", ".hdf5", ".gguf", ".ggml",
    ".tflite",
    ".caffemodel", ".mlmodel", ".engine", ".plan", ".nb", ".keras", ".pb",
  ]

  /// The file's name when it is a model's, packed or not.
  static func modelName(_ url: String) -> String? {
    var name = url.prefix { $0 != "?" && $0 != "#" }.split(separator: "/").last.map { $0.lowercased() } ?? ""
    let shown = url.prefix { $0 != "?" && $0 != "#" }.split(separator: "/").last.map(String.init)
    for packing in [".gz", ".tgz", ".zip", ".xz", ".zst", ".bz2", ".tar"] where name.hasSuffix(packing) {
      name = String(name.dropLast(packing.count))
    }
    return modelSuffixes.contains { name.hasSuffix($0) && name.count > $0.count } ? shown : nil
  }

  // MARK: Model hubs

  private func checkModelTools(
    _ command: ShellCommand, _ text: MappedText, _ context: ScriptContext, _ statement: Int, into collector: inout Collector
  ) {
    if let (program, arguments) = command.invocation(of: ["huggingface-cli", "hf", "modelscope"]) {
      let words = Array(arguments)
      guard words.first?.text == "download", words.count > 1 else { return }
      let isPinned = words.indices.contains { index in
        let value =
          words[index].text == "--revision" && index + 1 < words.count ? words[index + 1].text : String(words[index].text.dropFirst(11))
        return words[index].text.hasPrefix("--revision") && (Collector.isCommit(value) || value.hasPrefix("$"))
      }
      guard !isPinned, !verifies else { return }
      collector.report(
        .modelWithoutHash, at: text.fileRange(words[1].content), statement: statement,
        "\(context.user): \(program) downloads '\(words[1].text)' at no fixed revision",
        suggestion: "add --revision with the full commit hash")
    }
    guard let (_, arguments) = command.invocation(of: ["git"]), arguments.contains(where: { $0.text == "clone" }), !checkedOutCommit else {
      return
    }
    guard let url = arguments.first(where: { $0.text.contains("huggingface.co/") || $0.text.contains("modelscope.cn/") }) else { return }
    collector.report(
      .modelWithoutHash, at: text.fileRange(url.content), statement: statement,
      "\(context.user): git clones '\(Self.shorten(url.text))' at no fixed commit",
      suggestion: "check out the full commit hash after cloning")
  }
}
