/// `verify:` rules in YAML → `TrustPolicy`, in `envctl.yaml` and in policy files alike.
import EnvCatalog
import EnvCore
import SafeFS
import Signing
import StrictYAML
import SystemPackage

extension TrustPolicy {
  /// The version of a policy file's form; a newer one is refused.
  public static let newestSchema = 1
  /// The policy of the machine's operator.
  public static let operatorFile: FilePath = "/etc/envctl/policy.yaml"

  /// The policy files of this machine: the operator's where there is one, and the one `override` names, which must be there.
  ///
  /// - Throws: `TrustError.unreadablePolicy` when nobody can tell whether there is one.
  public static func machineFiles(override: String?) throws -> [FilePath] {
    var files: [FilePath] = []
    do {
      if try FileSystem.status(operatorFile, followingLink: true) != nil { files.append(operatorFile) }
    } catch {
      throw TrustError.unreadablePolicy(file: operatorFile, underlying: error)
    }
    if let override, !override.isEmpty { files.append(FilePath(override)) }
    return files
  }

  /// Reads a policy file: `schema: 1` and `verify:`. The key files it names are relative to its folder.
  ///
  /// - Throws: `YAMLError` with the place; `TrustError` for a pattern, a key or a file that cannot be used. A policy that cannot be read is
  ///   never taken for none.
  public static func readRules(_ file: FilePath) throws -> [TrustRule] {
    let bytes: [UInt8]
    do {
      bytes = try FileSystem.readFile(file, limit: 1 << 20)
    } catch {
      throw TrustError.unreadablePolicy(file: file, underlying: error)
    }
    let node = try YAMLNode.parse(bytes, file: file.string)
    try requireSchema(node, newest: newestSchema, file: file)
    let top = try YAMLMapping(node, allowed: ["schema", "verify"])
    return try rules(top.required("verify"), folder: file.removingLastComponent())
  }

  /// Reads the list under `verify:`; key files and layouts are relative to `folder`.
  public static func rules(_ node: YAMLNode, folder: FilePath) throws -> [TrustRule] {
    var rules: [TrustRule] = []
    for item in try node.items() {
      let rule = try rule(item, folder: folder)
      if let twin = rules.first(where: { $0.pattern.covers(sameAs: rule.pattern) }) {
        throw YAMLError(mark: rule.mark, problem: "'\(rule.pattern)' has a rule already, at \(twin.mark)")
      }
      rules.append(rule)
    }
    return rules
  }

  private enum Requirement: String, CaseIterable { case signed, any }

  private static func rule(_ node: YAMLNode, folder: FilePath) throws -> TrustRule {
    let mapping = try YAMLMapping(node, allowed: ["images", "keys", "require", "annotations"])
    let images = try mapping.required("images")
    let pattern: ImagePattern
    do {
      pattern = try ImagePattern(parsing: try images.nonEmptyString(), folder: folder)
    } catch let error as TrustError {
      throw YAMLError(mark: images.mark, problem: error.summary, hint: error.hint)
    }
    if try mapping.nonNull("require")?.choice(Requirement.self) == .any {
      for key in ["keys", "annotations"] {
        if let node = mapping[key] {
          throw YAMLError(mark: node.mark, problem: "`require: any` asks for no signature, so '\(key)' says nothing")
        }
      }
      return TrustRule(pattern: pattern, demand: nil, mark: images.mark)
    }
    let keysNode = try mapping.required("keys")
    let keys = try keysNode.items().map { try key($0, folder: folder) }
    guard !keys.isEmpty else { throw keysNode.expected("at least one key file") }
    let annotations = Dictionary(try mapping.nonNull("annotations")?.stringPairs().map { ($0.key, $0.value) } ?? []) { first, _ in first }
    return TrustRule(pattern: pattern, demand: SignatureDemand(keys: keys, annotations: annotations), mark: images.mark)
  }

  private static func key(_ node: YAMLNode, folder: FilePath) throws -> TrustedKey {
    let name = try node.nonEmptyString()
    do {
      return try TrustedKey(file: folder.pushing(FilePath(name)), name: name)
    } catch {
      throw TrustError.unusableKey(place: "\(node.mark)", underlying: error)
    }
  }
}

extension TrustedKey {
  /// Reads a PEM file. `name` is what people are told, by default the path.
  public init(file: FilePath, name: String? = nil) throws {
    let bytes = try FileSystem.readFile(file, limit: 64 << 10)
    self.init(name: name ?? file.string, key: try PublicKey(pem: bytes, object: "'\(file)'"))
  }
}
