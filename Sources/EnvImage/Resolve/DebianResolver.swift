/// Debian packages of a recipe → pins, resolved by apt with a state of its own. The host's packages and lists play no part.
import ChildProcess
import EnvCore
import SafeFS
import SystemPackage

/// Runs apt on an empty system that knows one suite.
struct DebianResolver {
  /// A folder for apt's state, which the caller removes.
  let folder: FilePath
  let architecture: String

  /// The packages of all layers with everything they depend on, each in the first layer that needs it.
  func resolve(_ debian: Recipe.Debian, _ origins: DebianOrigins) throws -> [RecipeLock.DebianPin] {
    try prepare(debian, origins)
    _ = try apt("apt-get", ["--error-on=any", "update"])
    var wanted: [String] = []
    var layerOfPackage: [String: String] = [:]
    var selected: [Selection] = []
    for layer in debian.layers {
      wanted += layer.packages
      selected = try select(wanted)
      for selection in selected where layerOfPackage[selection.package] == nil { layerOfPackage[selection.package] = layer.name }
    }
    return try pins(selected, layerOfPackage, order: debian.layers.map(\.name))
  }

  private struct Selection {
    var package: String
    var version: String
  }

  private func prepare(_ debian: Recipe.Debian, _ origins: DebianOrigins) throws {
    for name in ["state/lists/partial", "cache/archives/partial"] { try FileSystem.createDirectories(folder.appending(name)) }
    try FileSystem.writeAtomically([], to: folder.appending("state/status"))
    let lines = Set(origins.sources.map { $0.line(suite: debian.suite, architecture: architecture) }).sorted().joined()
    try FileSystem.writeAtomically(Array(lines.utf8), to: folder.appending("sources.list"), mode: 0o600)
  }

  /// What apt would install. Recommended packages are left to the recipe to name.
  private func select(_ packages: [String]) throws -> [Selection] {
    let arguments = ["--simulate", "--no-install-recommends", "install"] + packages
    return try apt("apt-get", arguments).split(whereSeparator: \.isNewline).compactMap { line in
      // Inst dash (0.5.12-2 Debian:12.1/stable [amd64])
      let words = line.split(separator: " ")
      guard words.count > 2, words[0] == "Inst", words[2].hasPrefix("(") else { return nil }
      return Selection(package: String(words[1].prefix { $0 != ":" }), version: String(words[2].dropFirst()))
    }
  }

  private func pins(
    _ selected: [Selection], _ layerOfPackage: [String: String], order: [String]
  ) throws -> [RecipeLock.DebianPin] {
    guard !selected.isEmpty else { throw ImageError.resolverAnswer(tool: "apt-get", reason: "it selects no package") }
    let records = ControlParagraph.parse(try apt("apt-cache", ["show"] + selected.map { "\($0.package)=\($0.version)" }))
    let pins = try selected.map { selection in
      guard let record = records.first(where: { $0["Package"] == selection.package && $0["Version"] == selection.version }),
        let architecture = record["Architecture"], let path = record["Filename"], let size = record["Size"].flatMap({ Int64($0) }),
        let digest = record["SHA256"].flatMap({ try? Digest(hex: $0) }), let layer = layerOfPackage[selection.package]
      else {
        throw ImageError.resolverAnswer(
          tool: "apt-cache", reason: "no file, size and SHA-256 for \(selection.package) \(selection.version)")
      }
      return RecipeLock.DebianPin(
        package: selection.package, version: selection.version, architecture: architecture, size: size, sha256: digest, path: path,
        layer: layer)
    }
    func key(_ pin: RecipeLock.DebianPin) -> (Int, String) { (order.firstIndex(of: pin.layer) ?? 0, pin.package) }
    return pins.sorted { key($0) < key($1) }
  }

  private func apt(_ program: String, _ arguments: [String]) throws -> String {
    let options = [
      "Dir::State=\(folder)/state", "Dir::State::status=\(folder)/state/status", "Dir::Cache=\(folder)/cache",
      "Dir::Etc::sourcelist=\(folder)/sources.list", "Dir::Etc::sourceparts=-", "Dir::Etc::preferences=-", "Dir::Etc::preferencesparts=-",
      "APT::Architecture=\(architecture)", "APT::Architectures=\(architecture)", "Acquire::Languages=none",
      // The folder belongs to whoever runs envctl; apt's own user could not write there.
      "APT::Sandbox::User=",
    ]
    var environment = ProcessEnvironment.inherited
    environment["LC_ALL"] = "C"
    let command = Command(
      try Executable.find(program), ["--quiet"] + options.flatMap { ["--option", $0] } + arguments, environment: environment)
    return String(decoding: try command.runSuccessfully(output: .capture(limit: 64 << 20)).output, as: UTF8.self)
  }
}
