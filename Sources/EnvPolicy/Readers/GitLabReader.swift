/// GitLab CI: images and services of jobs and defaults, and the scripts of jobs. Included files are linted where they lie.
import StrictYAML

enum GitLabReader {
  static func recognises(path: String) -> Bool {
    let file = path.split(separator: "/").last ?? ""
    return file.hasSuffix(".gitlab-ci.yml") || file.hasSuffix(".gitlab-ci.yaml") || path.contains(".gitlab/ci/")
  }

  static func read(_ document: YAMLNode, _ yaml: YAMLSource, into collector: inout Collector) {
    let variables = bindings(document["variables"], yaml, [:])
    section(document, "default", variables, yaml, &collector)
    for pair in document.entries where !["image", "services", "variables", "stages", "include", "workflow", "spec"].contains(pair.key) {
      if !pair.value.entries.isEmpty {
        section(pair.value, "job '\(pair.key)'".shortened, bindings(pair.value["variables"], yaml, variables), yaml, &collector)
      }
    }
  }

  private static func section(
    _ node: YAMLNode, _ user: String, _ bindings: [String: Binding], _ yaml: YAMLSource, _ collector: inout Collector
  ) {
    if let image = node["image"] { collector.check(image: image["name"] ?? image, yaml, user: user, bindings: bindings, style: .shell) }
    for service in node["services"]?.elements ?? [] {
      collector.check(image: service["name"] ?? service, yaml, user: "service of \(user)", bindings: bindings, style: .shell)
    }
    for key in ["before_script", "script", "after_script"] {
      if let script = node[key] { collector.check(script: script, yaml, user: user, bindings: bindings) }
    }
  }

  /// Variables with a value in the file; whoever starts the pipeline may set others.
  private static func bindings(_ node: YAMLNode?, _ yaml: YAMLSource, _ outer: [String: Binding]) -> [String: Binding] {
    var bindings = outer
    for pair in node?.entries ?? [] {
      let value = pair.value["value"] ?? pair.value
      let (range, expansion) = yaml.expansion(value, bindings, style: .shell)
      guard value.isScalar, expansion.unknown.isEmpty else {
        bindings[pair.key] = nil
        continue
      }
      let isPlain = expansion.isLiteral && yaml.range(value).isVerbatim
      bindings.remember(pair.key, Binding(value: expansion.text, end: isPlain ? range.upperBound : expansion.end, isDefault: true))
    }
    return bindings
  }
}
