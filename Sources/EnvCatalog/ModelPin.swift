/// A model file that a project pins: where it comes from, what its bytes are, and where the container sees it. Fetching is not done here.
import EnvCore
import StrictYAML
import SystemPackage

/// One entry of `models:` in `envctl.yaml`.
public struct ModelPin: Sendable, Hashable {
  /// Where the bytes come from. The digest decides whether they are the right ones.
  public enum Source: Sendable, Hashable {
    /// An `http` or `https` URL.
    case url(String)
    /// A file of this machine as `envctl.yaml` names it; relative to the project's folder.
    case path(String)
  }

  /// The file's name; unique in a project.
  public let name: String
  public let source: Source
  public let sha256: Digest
  /// Bytes.
  public let size: Int64
  /// Absolute path of the file in the container.
  public let mount: String
  /// Global names that the model's pickles may import beside those of tensors and plain containers, such as `package.module.Class`.
  public let allow: [String]

  public init(name: String, source: Source, sha256: Digest, size: Int64, mount: String, allow: [String] = []) {
    self.name = name
    self.source = source
    self.sha256 = sha256
    self.size = size
    self.mount = mount
    self.allow = allow
  }

  /// What the lock keeps of it.
  public var locked: EnvironmentLock.Model {
    switch source {
    case .url(let url): EnvironmentLock.Model(name: name, url: url, sha256: sha256, size: size, mount: mount)
    case .path(let path): EnvironmentLock.Model(name: name, path: path, sha256: sha256, size: size, mount: mount)
    }
  }

  /// Parses the list of a project's models.
  ///
  /// - Throws: `YAMLError` with the place; `CatalogError.modelWithoutHash` for a model without `sha256`.
  static func list(_ node: YAMLNode) throws -> [ModelPin] {
    var pins: [ModelPin] = []
    for item in try node.items() {
      let pin = try ModelPin(item)
      for other in pins {
        guard other.name != pin.name else { throw YAMLError(mark: item.mark, problem: "two models are named '\(pin.name)'") }
        guard !(pin.mount + "/").hasPrefix(other.mount + "/"), !(other.mount + "/").hasPrefix(pin.mount + "/") else {
          throw YAMLError(mark: item.mark, problem: "the models '\(other.name)' and '\(pin.name)' are mounted over one another")
        }
      }
      pins.append(pin)
    }
    return pins
  }

  private init(_ node: YAMLNode) throws {
    let fields = try YAMLMapping(node, allowed: ["name", "url", "path", "sha256", "size", "mount", "allow"])
    source = try Self.source(fields)
    name = try Self.name(fields["name"], source: source, fields.mark)
    guard let hash = fields["sha256"] else { throw CatalogError.modelWithoutHash(mark: fields.mark, name: name) }
    sha256 = try Self.digest(hash)
    let size = try fields.required("size")
    self.size = Int64(try size.integer())
    guard self.size > 0 else { throw size.expected("the number of the file's bytes") }
    mount = try Self.mount(try fields.required("mount"), name: name)
    allow = try fields.nonNull("allow")?.items().map { try Self.global($0) } ?? []
  }

  private static func source(_ fields: YAMLMapping) throws(YAMLError) -> Source {
    switch (fields["url"], fields["path"]) {
    case (let node?, nil): return .url(try url(node))
    case (nil, let node?): return .path(try node.nonEmptyString())
    case (nil, nil): throw YAMLError(mark: fields.mark, problem: "a model needs a url or a path")
    case (_?, _?): throw YAMLError(mark: fields.mark, problem: "a model has either a url or a path, not both")
    }
  }

  private static func url(_ node: YAMLNode) throws(YAMLError) -> String {
    let text = try node.nonEmptyString()
    guard let colon = text.firstRange(of: "://") else { throw node.expected("a URL such as https://HOST/FILE") }
    let scheme = text[..<colon.lowerBound].lowercased()
    guard scheme == "https" || scheme == "http" else {
      throw YAMLError(
        mark: node.mark, problem: "models cannot be fetched by '\(scheme)'",
        hint: scheme == "file" ? "write it as `path:`" : "https and http can; bring the file by its own tool, and write it as `path:`")
    }
    let rest = text[colon.upperBound...]
    let host = rest.prefix { !"/?#".contains($0) }
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), !host.isEmpty else { throw node.expected("a URL such as https://HOST/FILE") }
    guard !host.contains("@") else {
      throw YAMLError(
        mark: node.mark, problem: "the URL holds a user's name or password, which would end up in version control",
        hint: "fetch the file by another tool, and write it as `path:`")
    }
    return text
  }

  private static func name(_ node: YAMLNode?, source: Source, _ mark: YAMLMark) throws(YAMLError) -> String {
    if let node {
      let name = try node.nonEmptyString()
      guard isName(name) else { throw node.expected("a file name without '/' and control characters") }
      return name
    }
    let last =
      switch source {
      case .url(let url):
        url.prefix { !"?#".contains($0) }.split(separator: "/", omittingEmptySubsequences: false).dropFirst(3).last.map(String.init)
      case .path(let path): FilePath(path).lexicallyNormalized().lastComponent?.string
      }
    guard let last, isName(last) else { throw YAMLError(mark: mark, problem: "the model needs a name: its source does not end in one") }
    return last
  }

  private static func isName(_ text: String) -> Bool {
    !text.isEmpty && text != "." && text != ".." && text.utf8.count <= 255
      && text.unicodeScalars.allSatisfy { $0 != "/" && $0.value >= 0x20 && $0.value != 0x7F }
  }

  private static func digest(_ node: YAMLNode) throws(YAMLError) -> Digest {
    let text = try node.string()
    guard let digest = (try? Digest(hex: text)) ?? (try? Digest(parsing: text)) else {
      throw node.expected("64 lowercase hexadecimal digits")
    }
    return digest
  }

  private static func global(_ node: YAMLNode) throws(YAMLError) -> String {
    let text = try node.string()
    let isName = text.contains(".") && text.utf8.allSatisfy { $0 > 0x20 && $0 != UInt8(ascii: "*") && $0 != 0x7F }
    guard isName else { throw node.expected("a global name such as package.module.Class") }
    return text
  }

  /// Folders whose content makes the container what it is.
  private static let system = ["bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "run", "sbin", "sys", "usr"]
  /// Folders a file cannot take the place of.
  private static let folders = ["home", "media", "mnt", "opt", "root", "srv", "tmp", "var"]

  private static func mount(_ node: YAMLNode, name: String) throws(YAMLError) -> String {
    let text = try node.nonEmptyString()
    guard text.hasPrefix("/"), !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else {
      throw node.expected("an absolute path in the container")
    }
    let path = text.hasSuffix("/") ? text + name : text
    let parts = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
    guard parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." }), let first = parts.first.map(String.init) else {
      throw node.expected("an absolute path without '.', '..' and '//'")
    }
    let advice = "choose a place of its own, such as /models/\(name)"
    if system.contains(first) || (parts.count == 1 && folders.contains(first)) {
      throw YAMLError(mark: node.mark, problem: "a model cannot be mounted over the system's '\(path)'", hint: advice)
    }
    // The runtime would leave an empty file in the project's folder for the mount to stand on.
    if first == "workspace" {
      throw YAMLError(mark: node.mark, problem: "a model cannot be mounted inside the project's folder, '/workspace'", hint: advice)
    }
    return path
  }
}

extension ProjectFile {
  /// What the lock keeps of the models; nil for none.
  public var lockedModels: [EnvironmentLock.Model]? { models.isEmpty ? nil : models.map(\.locked) }
}
