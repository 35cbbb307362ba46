/// envctl's own files: `envctl.yaml` and recipes (`image.yaml`).
import EnvCore
import StrictYAML

enum EnvctlReader {
  /// A catalog's name is pinned by the catalog, a local layout by the lock; what is left is a reference.
  static func readProject(_ document: YAMLNode, _ yaml: YAMLSource, into collector: inout Collector) {
    for key in ["environment", "image"] {
      guard let node = document[key], node.isScalar else { continue }
      let text = node.scalarText
      guard !text.hasPrefix("oci:"), !text.hasPrefix("oci-archive:") else { continue }
      if key == "image" || text.utf8.contains(where: { "/:@".utf8.contains($0) }) { collector.check(image: node, yaml, user: key) }
    }
    guard let models = document["models"] else { return }
    for (name, model) in models.entries.map({ ($0.key, $0.value) })
      + models.elements.map({ ($0["name"]?.scalarText ?? $0["path"]?.scalarText ?? "", $0) })
    {
      checkModel(name, model, yaml, &collector)
    }
  }

  private static func checkModel(_ name: String, _ model: YAMLNode, _ yaml: YAMLSource, _ collector: inout Collector) {
    let hash = model["sha256"] ?? model["digest"] ?? model
    let text = hash.scalarText
    if (try? Digest(hex: text)) != nil || (try? Digest(parsing: text)) != nil { return }
    let range = yaml.range(model).range
    collector.report(
      .modelWithoutHash, at: range, statement: range.lowerBound, "the model '\(name.isEmpty ? text : name)' has no sha256",
      suggestion: "add sha256: and the file's 64 hexadecimal digits")
  }

  static func isRecipe(_ document: YAMLNode) -> Bool {
    document["name"] != nil && document["platform"] != nil && (document["debian"] != nil || document["python"] != nil)
  }

  /// - Parameter hasLock: Whether `image.lock` lies beside the recipe.
  static func readRecipe(_ document: YAMLNode, _ yaml: YAMLSource, hasLock: Bool, into collector: inout Collector) {
    guard !hasLock, let name = document["name"] else { return }
    let range = yaml.range(name).range
    collector.report(
      .recipeWithoutLock, at: range, statement: range.lowerBound, "the recipe '\(name.scalarText)' has no image.lock beside it")
  }
}
