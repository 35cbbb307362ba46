/// What people say of a container on the command line: variables, folders, its terminal.
import ArgumentParser
import ChildProcess
import EnvBundle
import EnvCore
import EnvFlow
import Glibc
import SafeFS
import SystemPackage

/// A variable given as NAME=VALUE, or as NAME with the value it has here.
struct VariableOption: ExpressibleByArgument {
  let name: String
  let value: String

  init?(argument: String) {
    guard let equals = argument.firstIndex(of: "=") else {
      guard let value = ProcessEnvironment.inherited[argument] else { return nil }
      (name, self.value) = (argument, value)
      return
    }
    guard equals != argument.startIndex else { return nil }
    name = String(argument[..<equals])
    value = String(argument[argument.index(after: equals)...])
  }
}

/// What a process in a container gets.
struct ProcessOptions: ParsableArguments {
  @Option(
    name: [.customShort("e"), .customLong("env")],
    help: ArgumentHelp("A variable for the command; without a value, the one it has here.", valueName: "name=value"))
  var variables: [VariableOption] = []

  @Option(help: "A file with variables, NAME=VALUE or NAME in each line.", completion: .file())
  var envFile: [String] = []

  @Option(name: [.customShort("w"), .long], help: "The folder in the container the command starts in.")
  var workdir: String?

  @Option(name: [.customShort("u"), .long], help: "The user the command runs as: name or number, with :group if wanted.")
  var user: String?

  /// Those of files first, so that one named on the command line wins.
  func allVariables() throws -> [(name: String, value: String)] {
    try envFile.flatMap(Self.read) + variables.map { ($0.name, $0.value) }
  }

  private static func read(_ file: String) throws -> [(name: String, value: String)] {
    let text = String(decoding: try FileSystem.readFile(FilePath(file), limit: 1 << 20), as: UTF8.self)
    return try text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().compactMap { index, line in
      let line = line.drop { $0 == " " || $0 == "\t" }
      if line.isEmpty || line.hasPrefix("#") { return nil }
      guard let variable = VariableOption(argument: String(line)) else {
        throw ValidationError("\(file):\(index + 1): expected NAME=VALUE, or the NAME of a variable that is set here")
      }
      return (variable.name, variable.value)
    }
  }
}

/// A folder or file of the host: SOURCE:TARGET[:ro], or type=bind,source=SOURCE,target=TARGET[,readonly].
struct MountOption: ExpressibleByArgument {
  let mount: BindMount

  init?(argument: String) {
    guard let parsed = argument.contains("=") ? Self.named(argument) : Self.positional(argument), !parsed.source.isEmpty,
      parsed.destination.hasPrefix("/")
    else { return nil }
    mount = parsed
  }

  private static func positional(_ text: String) -> BindMount? {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2 || (parts.count == 3 && ["ro", "rw"].contains(parts[2])) else { return nil }
    return BindMount(source: parts[0], destination: parts[1], isReadOnly: parts.count == 3 && parts[2] == "ro")
  }

  private static func named(_ text: String) -> BindMount? {
    var mount = BindMount(source: "", destination: "")
    for field in text.split(separator: ",", omittingEmptySubsequences: false) {
      let pair = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      switch (pair[0], pair.count == 2 ? pair[1] : nil) {
      case ("type", "bind"): continue
      case ("source", let value?), ("src", let value?): mount.source = value
      case ("target", let value?), ("destination", let value?), ("dst", let value?): mount.destination = value
      case ("readonly", nil), ("ro", nil), ("readonly", "true"), ("ro", "true"): mount.isReadOnly = true
      case ("readonly", "false"), ("ro", "false"): mount.isReadOnly = false
      default: return nil
      }
    }
    return mount
  }
}

/// What a container that is started gets besides.
struct LaunchOptions: ParsableArguments {
  @OptionGroup var process: ProcessOptions

  @Option(
    help: ArgumentHelp(
      "A folder or file of the host in the container; also type=bind,source=…,target=…[,readonly].", valueName: "source:target[:ro]"))
  var mount: [MountOption] = []

  @Option(
    name: [.customShort("p"), .long], help: ArgumentHelp("Refused: the container has the host's network already.", valueName: "port"))
  var publish: [String] = []

  /// Whether anything was asked for.
  var isGiven: Bool {
    !process.variables.isEmpty || !process.envFile.isEmpty || process.workdir != nil || process.user != nil || !mount.isEmpty
      || !publish.isEmpty
  }

  func settings() throws -> LaunchSettings {
    if let port = publish.first { throw NothingToPublish(port: port) }
    var settings = LaunchSettings()
    settings.variables = try process.allVariables()
    settings.workingDirectory = process.workdir
    settings.user = process.user
    settings.mounts = try mount.map { option in
      var mount = option.mount
      guard FileSystem.exists(FilePath(mount.source)) else { throw NoMountSource(path: mount.source) }
      mount.source = try FileSystem.canonicalPath(FilePath(mount.source)).string
      return mount
    }
    return settings
  }
}

/// Whether a command gets a terminal.
struct TerminalOptions: ParsableArguments {
  @Flag(name: [.customShort("t"), .long], help: "A terminal for the command, also where the output is no terminal.")
  var tty = false

  @Flag(name: [.customShort("T"), .long], help: "No terminal for the command.")
  var noTty = false

  @Flag(name: [.customShort("i"), .long], help: "Accepted for habit's sake: standard input is always passed on.")
  var interactive = false

  func validate() throws {
    if tty, noTty { throw ValidationError("--tty and --no-tty contradict each other") }
  }

  /// By default where a person sits at both ends.
  var isWanted: Bool { tty || (!noTty && isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1) }

  /// What the person's terminal is called, for programs that draw on it.
  var variables: [String: String] { isWanted ? ProcessEnvironment.inherited(only: ["TERM", "COLORTERM"]) : [:] }
}

/// How a person leaves a terminal.
struct DetachOptions: ParsableArguments {
  @Option(help: "Keys that leave the command running and come back here, such as ctrl-p,ctrl-q (the default); \"\" for none.")
  var detachKeys: String?

  func keys() throws -> DetachKeys {
    guard let detachKeys else { return .standard }
    guard let keys = DetachKeys(parsing: detachKeys) else {
      throw ValidationError("'\(detachKeys)' names no keys: write single characters or ctrl-LETTER, with commas between them")
    }
    return keys
  }
}

/// Ports are for containers with a network of their own.
struct NothingToPublish: Diagnostic {
  let port: String
  var summary: String { "'\(port)' cannot be published: the container has no network of its own" }
  var hint: String? { "a port that a program in it listens on is a port of this machine already; leave the option out" }
  var exitCode: EnvCore.ExitCode { .usage }
}

/// A mount of something that is not there.
struct NoMountSource: Diagnostic {
  let path: String
  var summary: String { "'\(path)', which is to be mounted in the container, does not exist" }
  var exitCode: EnvCore.ExitCode { .usage }
}
