/// `resources:` in envctl.yaml.
import StrictYAML

extension ResourceRequest {
  /// - Throws: `YAMLError` at the value that is no limit.
  init(_ node: YAMLNode) throws {
    self.init()
    let top = try YAMLMapping(node, allowed: Key.allCases.map(\.rawValue) + ["ulimits", "hugepages", "devices"])
    for key in Key.allCases {
      guard let value = try top.nonNull(key.rawValue) else { continue }
      try Self.at(value) { text throws(ResourceTextError) in try set(key, to: text) }
    }
    for (name, mark, value) in try top["ulimits"]?.pairs() ?? [] {
      guard Self.ulimitNames.contains(name) else { throw YAMLError(mark: mark, problem: "'\(name)' is no limit of setrlimit(2)") }
      try Self.at(value) { text throws(ResourceTextError) in try setUlimit(name, to: text) }
    }
    for (page, _, value) in try top["hugepages"]?.pairs() ?? [] {
      try Self.at(value) { text throws(ResourceTextError) in try setHugepages(page, to: text) }
    }
    for item in try top["devices"]?.items() ?? [] {
      try Self.at(item) { text throws(ResourceTextError) in try addDevice(text) }
    }
    do {
      try requireConsistency()
    } catch {
      throw YAMLError(mark: (top["memory-swap"] ?? node).mark, problem: "expected \(error.expected)")
    }
  }

  private static func at(_ node: YAMLNode, _ body: (String) throws(ResourceTextError) -> Void) throws {
    let text = try node.string()
    do {
      try body(text)
    } catch {
      throw node.expected(error.expected)
    }
  }
}
