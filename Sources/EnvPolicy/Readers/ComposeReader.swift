/// Compose files (compose-spec, "services"): images that are pulled.
import StrictYAML

enum ComposeReader {
  /// Whether a document is a compose file: every service is a mapping, and at least one says what it runs.
  static func recognises(_ document: YAMLNode) -> Bool {
    guard let services = document["services"]?.entries, !services.isEmpty else { return false }
    return services.contains { $0.value["image"] != nil || $0.value["build"] != nil || $0.value["extends"] != nil }
  }

  static func read(_ document: YAMLNode, _ yaml: YAMLSource, into collector: inout Collector) {
    for service in document["services"]?.entries ?? [] {
      let user = "service '\(service.key)'"
      // Beside `build`, `image` names the result.
      if let image = service.value["image"], service.value["build"] == nil { collector.check(image: image, yaml, user: user) }
      for source in service.value["volumes"]?.elements ?? [] where source["type"]?.scalarText == "image" {
        if let image = source["source"] { collector.check(image: image, yaml, user: user + " volume") }
      }
    }
  }
}
