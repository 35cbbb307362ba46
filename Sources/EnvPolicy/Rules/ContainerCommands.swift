/// Which words of a command line name images: docker, podman, nerdctl, apptainer, singularity, srun with pyxis.

/// An image named on a command line.
struct CommandImage {
  var word: ShellWord
  /// The part of the word that is the reference.
  var range: Range<Int>
  var user: String
  var digestForm: DigestForm
}

enum ContainerCommands {
  static let engines: Set<String> = ["docker", "podman", "nerdctl", "docker.exe", "buildah"]
  static let unpackers: Set<String> = ["apptainer", "singularity"]
  static let schedulers: Set<String> = ["srun", "sbatch", "salloc"]

  /// The images `command` uses; `text` is the script it stands in.
  static func images(in command: ShellCommand, _ text: MappedText) -> [CommandImage] {
    var found: [CommandImage] = []
    if let (engine, arguments) = command.invocation(of: engines) { found += images(engine, Array(arguments), text) }
    if let (program, arguments) = command.invocation(of: unpackers) {
      for word in arguments where word.text.hasPrefix("docker://") {
        found.append(CommandImage(word: word, range: word.content, user: program, digestForm: .insteadOfTag))
      }
    }
    if let (program, arguments) = command.invocation(of: schedulers) {
      found += containerImages(Array(arguments), program, text)
    }
    return found
  }

  // MARK: docker and its likes

  private static func images(_ engine: String, _ arguments: [ShellWord], _ text: MappedText) -> [CommandImage] {
    var rest = arguments[...]
    // Options before the subcommand: --context x, -H unix://…, --log-level=debug.
    while let word = rest.first, word.text.hasPrefix("-") {
      rest = rest.dropFirst()
      let takesValue =
        !word.text.contains("=") && !["-D", "--debug", "--tls", "--tlsverify", "--remote", "-v", "--version"].contains(word.text)
      if takesValue { rest = rest.dropFirst() }
    }
    if ["container", "image", "buildx", "builder"].contains(rest.first?.text) { rest = rest.dropFirst() }
    guard let subcommand = rest.first?.text else { return [] }
    let user = "\(engine) \(subcommand)"
    if ["build", "bud"].contains(subcommand) { return buildImages(rest.dropFirst(), user, text) }
    guard ["run", "create", "pull"].contains(subcommand) else { return [] }
    let positional = positionals(rest.dropFirst(), isPull: subcommand == "pull")
    // podman pulls several images at once; what follows the image of `run` is a command.
    let images = subcommand == "pull" ? positional : Array(positional.prefix(1))
    return images.filter { !isLocal($0.text) }.map { word in
      CommandImage(word: word, range: word.content, user: user, digestForm: word.text.hasPrefix("docker://") ? .insteadOfTag : .besideTag)
    }
  }

  /// `--build-arg BASE_IMAGE=…` and `--build-context NAME=docker-image://…`: what a build starts from when the file leaves it open.
  private static func buildImages(_ words: ArraySlice<ShellWord>, _ user: String, _ text: MappedText) -> [CommandImage] {
    var found: [CommandImage] = []
    for (index, word) in zip(words.indices, words) {
      for option in ["--build-arg", "--build-context"] {
        var pair: (name: String, value: ShellWord)?
        if word.text == option, words.indices.contains(index + 1) {
          pair = words[index + 1].assignment(in: text)
        } else if word.text.hasPrefix(option + "=") {
          let start = word.content.lowerBound + option.utf8.count + 1
          pair = ShellWord(
            text: String(word.text.dropFirst(option.count + 1)), content: start..<max(start, word.content.upperBound),
            isVerbatim: word.isVerbatim,
            isQuoted: word.isQuoted
          ).assignment(in: text)
        }
        guard let (name, value) = pair else { continue }
        let isImage = option == "--build-arg" ? BuildArgument.namesImage(name) : value.text.hasPrefix(BuildArgument.scheme)
        guard isImage, !value.text.isEmpty else { continue }
        let scheme = value.text.hasPrefix(BuildArgument.scheme) ? BuildArgument.scheme.utf8.count : 0
        let range = min(value.content.lowerBound + scheme, value.content.upperBound)..<value.content.upperBound
        found.append(CommandImage(word: value, range: range, user: "\(user) \(option) \(name)", digestForm: .besideTag))
      }
    }
    return found
  }

  /// podman also runs from `oci:`, `dir:`, `docker-archive:`, and from the ID of an image that is there already.
  private static func isLocal(_ text: String) -> Bool {
    for prefix in ["oci:", "dir:", "oci-archive:", "docker-archive:", "docker-daemon:", "containers-storage:", "sha256:", "./", "/"] {
      if text.hasPrefix(prefix) { return true }
    }
    return text.isEmpty || text == "."
  }

  private static let flags: Set<String> = [
    "--detach", "--interactive", "--tty", "--rm", "--init", "--privileged", "--read-only", "--publish-all", "--no-healthcheck",
    "--oom-kill-disable", "--sig-proxy", "--disable-content-trust", "--quiet", "--help", "--replace", "--rmi", "--no-hosts",
    "--no-hostname",
    "--http-proxy", "--tls-verify", "--all-tags", "--use-api-socket", "--env-host", "--read-only-tmpfs", "--rootfs", "--passwd",
    "--unsetenv-all",
  ]
  private static let shortValues = Set("aceHhlmpuvw".utf8)

  /// The words that are neither options nor their values; for `run`, nothing after the image.
  private static func positionals(_ words: ArraySlice<ShellWord>, isPull: Bool) -> [ShellWord] {
    var found: [ShellWord] = []
    var rest = words
    while let word = rest.popFirst() {
      let text = word.text
      if text == "--" { return found + rest.prefix(isPull ? rest.count : 1) }
      if text.hasPrefix("--") {
        if !text.contains("="), !flags.contains(text) { rest = rest.dropFirst() }
      } else if text.hasPrefix("-"), text.utf8.count > 1 {
        // In a cluster such as -itv the first letter with a value takes the rest of the word, or the next word.
        let letters = Array(text.utf8.dropFirst())
        if let first = letters.firstIndex(where: shortValues.contains), first == letters.count - 1 { rest = rest.dropFirst() }
      } else if isSpreadOfOptions(word) {
        continue
      } else {
        found.append(word)
        if !isPull { return found }
      }
    }
    return found
  }

  /// `"${OPTS[@]}"`, `$@`, `$DOCKER_ARGS`: variables that hold options, not an image.
  private static func isSpreadOfOptions(_ word: ShellWord) -> Bool {
    guard word.text.hasPrefix("$") else { return false }
    if word.text.contains("[@]") || word.text.contains("[*]") || word.text == "$@" || word.text == "$*" { return true }
    if word.text.hasPrefix("$(") { return !word.isQuoted }
    let name = word.text.uppercased()
    return ["OPT", "ARG", "FLAG", "PARAM", "MOUNT", "VOLUME", "GPU", "ENVS"].contains { name.contains($0) }
  }

  // MARK: Slurm with pyxis

  /// `--container-image=[USER@][REGISTRY#]IMAGE[:TAG]` (pyxis; the form is enroot's). A path names a local file.
  static func containerImages(_ arguments: [ShellWord], _ program: String, _ text: MappedText) -> [CommandImage] {
    var found: [CommandImage] = []
    for (number, word) in arguments.enumerated() where word.text.hasPrefix("--container-image") {
      var image = word
      var range = word.content
      if word.text.hasPrefix("--container-image=") {
        range = (word.content.lowerBound + "--container-image=".utf8.count)..<word.content.upperBound
        if range.count >= 2, text[range.lowerBound] == text[range.upperBound - 1],
          text[range.lowerBound] == 34 || text[range.lowerBound] == 39
        {
          range = (range.lowerBound + 1)..<(range.upperBound - 1)
        }
      } else if word.text == "--container-image", number + 1 < arguments.count {
        image = arguments[number + 1]
        range = image.content
      } else {
        continue
      }
      let value = text.text(range)
      guard !value.hasPrefix("/"), !value.hasPrefix("./"), !value.hasPrefix("../"), !value.hasPrefix("~"), !value.hasSuffix(".sqsh"),
        !value.hasSuffix(".squashfs"), !value.hasPrefix("dockerd://"), !value.hasPrefix("podman://")
      else { continue }
      found.append(CommandImage(word: image, range: range, user: program + " --container-image", digestForm: .insteadOfTag))
    }
    return found
  }

  /// pyxis' form in the form everybody else uses: `nvcr.io#nvidia/pytorch:24.01-py3` → `nvcr.io/nvidia/pytorch:24.01-py3`.
  static func fromPyxis(_ text: String) -> String {
    var rest = text[...]
    if rest.hasPrefix("docker://") { rest = rest.dropFirst("docker://".count) }
    guard let hash = rest.firstIndex(of: "#") else { return String(rest) }
    var host = rest[..<hash]
    if let at = host.lastIndex(of: "@") { host = host[host.index(after: at)...] }
    return host + "/" + rest[rest.index(after: hash)...]
  }
}
