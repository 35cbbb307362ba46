/// Which servers this machine gets its packages from, asked of apt and pip. envctl names none itself.
import ChildProcess
import EnvCore
import SafeFS
import SystemPackage

/// Where the files of a lock may come from. Each is asked only when something is missing.
struct PackageOrigins: Sendable {
  /// Base URLs of mirrors that have the suite, without a final slash.
  var debianMirrors: @Sendable (_ suite: String) throws -> [String]
  /// Base URLs of simple indexes without a final slash.
  var pythonIndexes: @Sendable () throws -> [String]

  /// What apt and pip of this machine are configured with.
  static let ofThisMachine = PackageOrigins(
    debianMirrors: { try DebianOrigins.ofThisMachine(suite: $0).baseURLs() },
    pythonIndexes: { try PythonOrigins.ofThisMachine().indexes })
}

/// Debian mirrors of this machine.
struct DebianOrigins: Sendable {
  /// Base URL of one mirror to use instead of those that apt is configured with.
  static let override = "ENVCTL_DEBIAN_MIRROR"

  /// Sources that offer component main of the suite, in apt's order.
  var sources: [AptSource]

  /// Reads apt's source lists, or takes the override.
  static func ofThisMachine(suite: String) throws -> DebianOrigins {
    let configured = AptSource.forMain(of: suite, among: try configuredSources())
    if let mirror = ProcessEnvironment.inherited[override], !mirror.isEmpty {
      let signedBy = configured.lazy.compactMap(\.signedBy).first
      return DebianOrigins(sources: [AptSource(uri: mirror, suite: suite, components: ["main"], signedBy: signedBy)])
    }
    guard !configured.isEmpty else { throw ImageError.noDebianSource(suite: suite) }
    return DebianOrigins(sources: configured)
  }

  /// Base URLs without a final slash, each once. A source may be a list of mirrors in a file (apt-transport-mirror(1)).
  func baseURLs() throws -> [String] {
    var urls: [String] = []
    for source in sources {
      for url in try mirrors(of: source.uri) {
        let base = url.hasSuffix("/") ? String(url.dropLast()) : url
        if !urls.contains(base) { urls.append(base) }
      }
    }
    return urls
  }

  private func mirrors(of uri: String) throws -> [String] {
    guard uri.hasPrefix("mirror+file:") else { return [uri.hasPrefix("copy:") ? "file:" + uri.dropFirst(5) : uri] }
    let path = "/" + uri.dropFirst("mirror+file:".count).drop { $0 == "/" }
    let text = String(decoding: try FileSystem.readFile(FilePath(path), limit: 1 << 20), as: UTF8.self)
    return text.split(whereSeparator: \.isNewline).compactMap { line in
      let url = line.prefix { !$0.isWhitespace }
      return url.isEmpty || url.hasPrefix("#") ? nil : String(url)
    }
  }

  private static func configuredSources() throws -> [AptSource] {
    // A machine without apt has no sources; the override is then the only way.
    guard let program = try? Executable.find("apt-config") else { return [] }
    let command = Command(program, ["shell", "LIST", "Dir::Etc::sourcelist/f", "PARTS", "Dir::Etc::sourceparts/d"])
    let output = String(decoding: try command.runSuccessfully().output, as: UTF8.self)
    var sources: [AptSource] = []
    for line in output.split(whereSeparator: \.isNewline) {
      let (name, quoted) = split(String(line), at: "=")
      let path = FilePath(quoted.filter { $0 != "'" })
      if name == "LIST", FileSystem.exists(path) { sources += try read(path) }
      guard name == "PARTS", FileSystem.exists(path) else { continue }
      for file in try FileSystem.list(path) where file.hasSuffix(".list") || file.hasSuffix(".sources") {
        sources += try read(path.appending(file))
      }
    }
    return sources
  }

  private static func read(_ path: FilePath) throws -> [AptSource] {
    let text = String(decoding: try FileSystem.readFile(path, limit: 1 << 20), as: UTF8.self)
    return path.string.hasSuffix(".sources") ? AptSource.parse(deb822: text) : AptSource.parse(list: text)
  }
}

/// Python package indexes of this machine.
struct PythonOrigins: Sendable {
  /// Base URL of one simple index to use instead of those that pip is configured with.
  static let override = "ENVCTL_PYTHON_INDEX"

  /// Base URLs of simple indexes without a final slash, the main one first.
  var indexes: [String]

  /// Asks pip for its configuration and, where there is none, for what it has built in.
  static func ofThisMachine() throws -> PythonOrigins {
    if let index = ProcessEnvironment.inherited[override], !index.isEmpty { return PythonOrigins(indexes: [withoutFinalSlash(index)]) }
    let settings = PipSettings.parse(try pip(["config", "list"]))
    let main = try settings["index-url"] ?? builtInIndex()
    guard let main else { throw ImageError.noPythonIndex }
    let extra = (settings["extra-index-url"] ?? "").split(whereSeparator: \.isWhitespace).map(String.init)
    return PythonOrigins(indexes: ([main] + extra).map(withoutFinalSlash))
  }

  /// pip's help names the default of an option in parentheses.
  private static func builtInIndex() throws -> String? {
    let help = try pip(["install", "--help"])
    guard let option = help.firstRange(of: "--index-url"), let start = help[option.upperBound...].firstRange(of: "(default ") else {
      return nil
    }
    let url = help[start.upperBound...].prefix { $0 != ")" && !$0.isWhitespace }
    return url.firstRange(of: "://") == nil ? nil : String(url)
  }

  private static func pip(_ arguments: [String]) throws -> String {
    var environment = ProcessEnvironment.inherited
    // Wide enough that no URL is broken over lines.
    environment["COLUMNS"] = "4000"
    environment["LC_ALL"] = "C.UTF-8"
    let command = Command(
      try Executable.find("python3"), ["-m", "pip", "--disable-pip-version-check"] + arguments, environment: environment)
    return String(decoding: try command.runSuccessfully().output, as: UTF8.self)
  }

  private static func withoutFinalSlash(_ url: String) -> String { url.hasSuffix("/") ? String(url.dropLast()) : url }
}

/// The output of `pip config list`, looked up as pip itself does: environment, then the command's section, then the global one.
struct PipSettings {
  private var values: [String: String] = [:]

  static func parse(_ output: String) -> PipSettings {
    var settings = PipSettings()
    for line in output.split(whereSeparator: \.isNewline) {
      let (key, quoted) = split(String(line), at: "=")
      // A value is printed as Python writes a string; URLs hold nothing that it would escape but newlines between several.
      let value = quoted.dropFirst().dropLast().replacing("\\n", with: "\n")
      settings.values[key] = String(value)
    }
    return settings
  }

  subscript(_ option: String) -> String? {
    [":env:.", "install.", "global."].lazy.compactMap { values[$0 + option] }.first { !$0.isEmpty }
  }
}
