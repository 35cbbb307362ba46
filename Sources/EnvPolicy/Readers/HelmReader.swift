/// A Helm chart's values where they say plainly which image they mean; the templates are programs and are not read.
import StrictYAML

enum HelmReader {
  static func read(_ document: YAMLNode, _ yaml: YAMLSource, into collector: inout Collector) {
    search(document, yaml, path: "", key: "", into: &collector)
  }

  /// - Parameters:
  ///   - path: As people are shown it, cut when it is long.
  ///   - key: What the node stands under, whole; empty for an item of a list.
  private static func search(_ node: YAMLNode, _ yaml: YAMLSource, path: String, key: String, into collector: inout Collector) {
    if node["repository"]?.isScalar == true, node["tag"] != nil || node["digest"] != nil || key.lowercased().hasSuffix("image") {
      return split(node, yaml, path, &collector)
    }
    for pair in node.entries {
      let inner = (path.isEmpty ? pair.key : path + "." + pair.key).shortened
      if pair.key == "image", pair.value.isScalar {
        // Beside a tag of its own, the name alone is half of a reference.
        if let tag = node["tag"] ?? node["imageTag"], !pair.value.scalarText.contains("@") {
          checkParts(repository: pair.value, registry: nil, tag: tag, digest: nil, yaml, inner, &collector)
        } else {
          collector.check(image: pair.value, yaml, user: "value '\(inner)'")
        }
      } else {
        search(pair.value, yaml, path: inner, key: pair.key, into: &collector)
      }
    }
    for (index, item) in node.elements.enumerated() {
      search(item, yaml, path: "\(path)[\(index)]".shortened, key: "", into: &collector)
    }
  }

  /// `registry`, `repository`, `tag` and `digest` as charts split them.
  private static func split(_ node: YAMLNode, _ yaml: YAMLSource, _ path: String, _ collector: inout Collector) {
    guard let repository = node["repository"], !repository.scalarText.contains("://") else { return }  // A chart's own repository.
    checkParts(
      repository: repository, registry: node["registry"], tag: node["tag"], digest: node["digest"] ?? node["sha"], yaml, path, &collector)
  }

  private static func checkParts(
    repository: YAMLNode, registry: YAMLNode?, tag: YAMLNode?, digest: YAMLNode?, _ yaml: YAMLSource, _ path: String,
    _ collector: inout Collector
  ) {
    var reference = repository.scalarText
    guard !reference.isEmpty else { return }
    if let host = registry?.scalarText, !host.isEmpty { reference = host + "/" + reference }
    if let tag = tag?.scalarText, !tag.isEmpty { reference += ":" + tag }
    if let digest = digest?.scalarText, !digest.isEmpty { reference += "@" + (digest.contains(":") ? digest : "sha256:" + digest) }
    let place = tag.flatMap { $0.scalarText.isEmpty ? nil : $0 } ?? repository
    let bytes = Array(reference.utf8)
    var expansion = Expansion(MappedText(bytes, 0..<bytes.count), 0..<bytes.count, [:], style: .compose)
    expansion.setEnd(nil)  // The digest belongs under a key of its own.
    let range = yaml.range(place).range
    collector.check(ImageMention(user: "value '\(path)'", range: range, statement: range.lowerBound, expansion: expansion))
  }
}
