/// Which files are read, and as what: told by name first, then by content.

/// The formats the linter knows.
enum FileKind: Sendable, Equatable {
  case dockerfile, yaml, json, devcontainer, script, definition

  /// What a name alone says. `unknown` means that the first bytes decide; nil, that the file is of no interest.
  enum Guess: Equatable { case known(FileKind), unknown }

  static func guess(_ path: String) -> Guess? {
    let name = path.split(separator: "/").last.map { $0.lowercased() } ?? ""
    guard !name.hasSuffix(".dockerignore"), !name.hasSuffix(".containerignore") else { return nil }
    if name == "dockerfile" || name == "containerfile" || name.hasPrefix("dockerfile.") || name.hasPrefix("containerfile.") {
      return .known(.dockerfile)
    }
    if name == "devcontainer.json" || name == ".devcontainer.json" { return .known(.devcontainer) }
    if name == "singularity" { return .known(.definition) }
    if name == "kustomization" { return .known(.yaml) }
    guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return .unknown }
    switch name[name.index(after: dot)...] {
    case "dockerfile", "containerfile": return .known(.dockerfile)
    case "yml", "yaml": return .known(.yaml)
    case "json": return .known(.json)
    case "sh", "bash", "zsh", "ksh", "slurm", "sbatch", "sub", "job", "batch": return .known(.script)
    case "def": return .known(.definition)
    default: return nil
    }
  }

  /// Whether people expect a file of this kind to be judged, so that one that cannot be is told.
  var isExpected: Bool { self != .json }

  /// How large a file may be that is read as a tree, which takes dozens of times its size; nil for the others.
  var sizeLimit: Int? {
    switch self {
    case .yaml, .json, .devcontainer: 4 << 20
    case .dockerfile, .script, .definition: nil
    }
  }

  /// Whether a file without a telling name is a shell script: its first line names a shell.
  static func isScript(_ bytes: [UInt8]) -> Bool {
    guard bytes.starts(with: [35, 33]) else { return false }
    let words = String(decoding: bytes.prefix(120).prefix { $0 != 10 && $0 != 13 }, as: UTF8.self).dropFirst(2).split {
      $0 == " " || $0 == "/"
    }
    return words.contains { ["sh", "bash", "dash", "ash", "zsh", "ksh"].contains($0) }
  }

  /// Words without which a file of this kind has nothing to find, so that most files need no parser.
  static func mayMatter(_ kind: FileKind, _ source: SourceText, name: String) -> Bool {
    let words: [String]
    switch kind {
    case .dockerfile: return true
    case .definition: words = ["ootstrap"]
    case .yaml:
      if name.hasPrefix("envctl.") || name.hasPrefix("image.") { return true }
      words = ["image", "docker", "container", "podman", "apptainer", "singularity", "curl", "wget", "repository", "services"]
    // Most files of this kind are data; objects of a cluster name these two.
    case .json: return source.contains("\"apiVersion\"") && source.contains("\"kind\"")
    case .devcontainer: words = ["image", "ommand"]
    case .script:
      words = [
        "docker", "podman", "nerdctl", "buildah", "apptainer", "singularity", "container-image", "curl", "wget", "aria2c", "axel",
        "huggingface",
        "modelscope",
        "hf ", "erify", "nsecure", "ssl", "SSL", "HTTPS", "TLS", "trusted", "TRUSTED", "unauthenticated", "--force-yes",
      ]
    }
    return words.contains { source.contains($0) } || source.contains(Suppressions.marker)
  }
}
