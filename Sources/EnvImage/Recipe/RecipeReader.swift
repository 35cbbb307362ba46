/// `image.yaml` → `Recipe`. It reads bytes; the files a recipe bundles are looked at when they are locked.
import EnvCore
import OCI
import SafeFS
import StrictYAML
import SystemPackage

extension Recipe {
  /// The name of the file in a recipe's folder.
  public static let fileName = "image.yaml"

  /// Reads the recipe in `folder`.
  /// - Throws: `FileSystemError`, or `YAMLError` with line and column of what is wrong.
  public static func read(in folder: FilePath) throws -> Recipe {
    let path = folder.appending(fileName)
    return try parse(FileSystem.readFile(path, limit: 1 << 20), file: path.string, folder: folder)
  }

  /// Parses the bytes of a recipe; `file` names them in errors.
  public static func parse(_ bytes: [UInt8], file: String, folder: FilePath) throws(YAMLError) -> Recipe {
    let top = try YAMLMapping(
      YAMLNode.parse(bytes, file: file),
      allowed: [
        "name", "platform", "created", "debian", "python", "files", "links", "environment", "user", "workdir", "command", "labels",
      ])
    let name = try name(top.required("name"))
    let platformNode = try top.required("platform")
    guard let platform = Platform(parsing: try platformNode.string()) else { throw platformNode.expected("a platform such as linux/amd64") }
    return Recipe(
      name: name,
      platform: platform,
      created: try timestamp(top.required("created")),
      debian: try debian(top.required("debian")),
      python: try top["python"].map { node throws(YAMLError) in try python(node) },
      files: try files(top["files"]),
      links: try links(top["links"]),
      environment: try environment(top["environment"]),
      user: try top["user"]?.nonEmptyString() ?? "0:0",
      workingDirectory: try imagePath(top.required("workdir")),
      command: try top["command"]?.strings() ?? [],
      labels: try labels(top["labels"]),
      folder: folder)
  }

  private static func debian(_ node: YAMLNode) throws(YAMLError) -> Debian {
    let mapping = try YAMLMapping(node, allowed: ["suite", "layers"])
    let layersNode = try mapping.required("layers")
    var layers: [Debian.Layer] = []
    for pair in try layersNode.pairs() {
      var packages: [String] = []
      for item in try pair.value.items() {
        let package = try item.string()
        guard isPackageName(package) else { throw item.expected("a Debian package name") }
        packages.append(package)
      }
      layers.append(Debian.Layer(name: pair.key, packages: packages))
    }
    guard !layers.isEmpty else { throw layersNode.expected("at least one layer") }
    let suite = try mapping.required("suite")
    guard try isPackageName(suite.string()) else { throw suite.expected("a suite's code name") }
    return Debian(suite: try suite.string(), layers: layers)
  }

  private static func python(_ node: YAMLNode) throws(YAMLError) -> Python {
    let mapping = try YAMLMapping(node, allowed: ["version", "requirements", "before"])
    let version = try mapping.required("version")
    let parts = try version.string().split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 2, parts.allSatisfy({ UInt8($0) != nil }) else { throw version.expected("a version such as \"3.11\"") }
    var requirements: [String] = []
    for item in try mapping.required("requirements").items() {
      // A leading dash would be an option to pip.
      guard try item.nonEmptyString().first?.isLetter == true else { throw item.expected("a requirement such as numpy==1.26.4") }
      requirements.append(try item.string())
    }
    return Python(version: try version.string(), requirements: requirements, before: try timestamp(mapping.required("before")))
  }

  private static func files(_ node: YAMLNode?) throws(YAMLError) -> [BundledFiles] {
    guard let node else { return [] }
    var files: [BundledFiles] = []
    for pair in try node.pairs() {
      let destination = try imagePath(pair.key, at: pair.mark)
      let source = try pair.value.nonEmptyString()
      // Recipes stand side by side in one folder, and may share what lies there; nothing further up travels with them.
      var depth = 1
      for component in source.split(separator: "/") where component != "." {
        depth += component == ".." ? -1 : 1
        if depth < 0 { break }
      }
      guard depth > 0, !source.hasPrefix("/") else { throw pair.value.expected("a relative path inside the folder of recipes") }
      files.append(BundledFiles(destination: destination, source: source))
    }
    return files
  }

  private static func links(_ node: YAMLNode?) throws(YAMLError) -> [Link] {
    guard let node else { return [] }
    var links: [Link] = []
    for pair in try node.pairs() {
      links.append(Link(path: try imagePath(pair.key, at: pair.mark), target: try imagePath(pair.value)))
    }
    return links.sorted { $0.path.relative.utf8.lexicographicallyPrecedes($1.path.relative.utf8) }
  }

  private static func environment(_ node: YAMLNode?) throws(YAMLError) -> [String] {
    guard let node else { return [] }
    var variables: [String] = []
    for (key, value) in try node.stringPairs() {
      guard !key.isEmpty, !key.contains("=") else { throw node.expected("names of variables without '='") }
      variables.append("\(key)=\(value)")
    }
    return variables
  }

  private static func labels(_ node: YAMLNode?) throws(YAMLError) -> [String: String] {
    guard let node else { return [:] }
    return Dictionary(try node.stringPairs().map { ($0.key, $0.value) }) { first, _ in first }
  }

  private static func name(_ node: YAMLNode) throws(YAMLError) -> String {
    let name = try node.string()
    guard isPackageName(name) else { throw node.expected("a name of lower-case letters, digits, '.', '+' and '-'") }
    return name
  }

  private static func timestamp(_ node: YAMLNode) throws(YAMLError) -> Timestamp {
    guard let time = Timestamp(parsing: try node.string()) else {
      throw node.expected("a date in UTC such as 2024-10-15 or 2024-10-15T00:00:00Z")
    }
    return time
  }

  private static func imagePath(_ node: YAMLNode) throws(YAMLError) -> RecipePath {
    try imagePath(node.string(), at: node.mark)
  }

  private static func imagePath(_ text: String, at mark: YAMLMark) throws(YAMLError) -> RecipePath {
    guard let path = RecipePath(text) else { throw YAMLError(mark: mark, problem: "'\(text)' is no absolute path without '.' and '..'") }
    return path
  }

  /// Debian policy, section 5.6.1; it keeps anything that could be an option or a pattern away from apt.
  private static func isPackageName(_ text: String) -> Bool {
    guard text.utf8.count >= 2, let first = text.utf8.first, isLowerAlphanumeric(first) else { return false }
    return text.utf8.allSatisfy { isLowerAlphanumeric($0) || $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") }
  }

  private static func isLowerAlphanumeric(_ byte: UInt8) -> Bool { (byte >= 97 && byte <= 122) || (byte >= 48 && byte <= 57) }
}
