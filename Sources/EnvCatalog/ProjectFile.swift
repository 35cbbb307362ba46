/// `envctl.yaml`, which people write beside their code: which environment, and how it meets the project.
import EnvCore
import OCI
import SafeFS
import StrictYAML
import SystemPackage

/// The content of `envctl.yaml`.
public struct ProjectFile: Sendable {
  /// Whether the project needs a GPU.
  public enum GPU: String, Sendable, CaseIterable { case none, optional, required }

  /// How much of the drift check `envctl up` runs when it meets an environment for the first time.
  public enum Check: String, Sendable, CaseIterable { case none, quick, full }

  public static let name = "envctl.yaml"

  public let environment: EnvironmentRequest
  /// The platforms the lock covers.
  public let platforms: [Platform]
  /// The folder that appears as `/workspace`; absolute.
  public let mount: FilePath
  /// Variables added to the image's, in the order of the file.
  public let variables: [(name: String, value: String)]
  public let gpu: GPU
  /// `none` too where `program` is the measure: a training of one's own may take hours, and runs only when `check` is asked for.
  public let check: Check
  /// What the project's containers may use at most.
  public let resources: ResourceRequest
  /// The user's own training, where it is the measure.
  public let program: ProgramCheck?
  /// A file with further rules about signatures; absolute.
  public let policy: FilePath?
  /// Rules about signatures as they stand in the file. What they mean is read where keys are.
  public let verify: YAMLNode?
  /// In the order of the file.
  public let models: [ModelPin]
  /// The folder of the project: where the file stands.
  public let folder: FilePath

  /// The project of a folder without `envctl.yaml`: the named environment with every default.
  public init(environment: EnvironmentRequest, folder: FilePath) {
    self.environment = environment
    self.platforms = [.host]
    self.mount = folder
    self.variables = []
    self.gpu = .none
    self.check = .quick
    self.resources = ResourceRequest()
    self.program = nil
    self.policy = nil
    self.verify = nil
    self.models = []
    self.folder = folder
  }

  /// Reads `envctl.yaml` in `folder`; nil when there is none.
  public static func read(in folder: FilePath) throws -> ProjectFile? {
    let file = folder.appending(name)
    guard FileSystem.exists(file) else { return nil }
    return try ProjectFile(try FileSystem.readFile(file, limit: 1 << 20), file: file)
  }

  /// Parses the bytes of an `envctl.yaml`.
  ///
  /// - Throws: `YAMLError` with line and column, and the nearest valid key or word.
  public init(_ bytes: [UInt8], file: FilePath) throws {
    let node = try YAMLNode.parse(bytes, file: file.string)
    try requireSchema(node, newest: 1, file: file)
    let top = try YAMLMapping(
      node, allowed: ["schema", "environment", "platforms", "mount", "env", "gpu", "check", "policy", "verify", "models", "resources"])
    let folder = file.removingLastComponent()
    self.folder = folder
    environment = try EnvironmentRequest(at: try top.required("environment"))
    platforms = try top["platforms"].map(Self.platforms) ?? [.host]
    mount = try top["mount"].map { try Self.mount($0, in: folder) } ?? folder
    variables = try top["env"].map(Self.variables) ?? []
    gpu = try top["gpu"]?.choice(GPU.self) ?? .none
    if let node = top["check"], case .mapping = node.value {
      (check, program) = (.none, try ProgramCheck(node))
    } else {
      (check, program) = (try top["check"]?.choice(Check.self) ?? .quick, nil)
    }
    resources = try top["resources"].map { try ResourceRequest($0) } ?? ResourceRequest()
    policy = try top.nonNull("policy").map { folder.pushing(FilePath(try $0.nonEmptyString())).lexicallyNormalized() }
    verify = try top.nonNull("verify")
    models = try top["models"].map(ModelPin.list) ?? []
  }

  private static func platforms(_ node: YAMLNode) throws -> [Platform] {
    var platforms: [Platform] = []
    for item in try node.items() {
      guard let platform = Platform(parsing: try item.string()) else { throw item.expected("a platform such as linux/amd64") }
      guard !platforms.contains(platform) else { throw YAMLError(mark: item.mark, problem: "\(platform) is listed twice") }
      platforms.append(platform)
    }
    guard !platforms.isEmpty else { throw node.expected("at least one platform") }
    return platforms
  }

  private static func mount(_ node: YAMLNode, in folder: FilePath) throws -> FilePath {
    let path = folder.pushing(FilePath(try node.nonEmptyString())).lexicallyNormalized()
    guard try FileSystem.status(path, followingLink: true)?.kind == .directory else { throw node.expected("a folder that exists") }
    return path
  }

  private static func variables(_ node: YAMLNode) throws -> [(name: String, value: String)] {
    try node.pairs().map { pair in
      guard let first = pair.key.unicodeScalars.first, first == "_" || first.properties.isAlphabetic, first.isASCII,
        pair.key.utf8.allSatisfy({ $0 == 95 || (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) })
      else { throw YAMLError(mark: pair.mark, problem: "'\(pair.key)' is not a variable's name: letters, digits and _ only") }
      let value = pair.value.isNull ? "" : try pair.value.string()
      guard !value.utf8.contains(0) else { throw pair.value.expected("text without NUL") }
      return (pair.key, value)
    }
  }
}
