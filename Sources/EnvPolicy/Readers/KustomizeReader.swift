/// Kustomize: the images a kustomization puts in the place of those its resources name ("images" in its reference).
import StrictYAML

enum KustomizeReader {
  static func recognises(_ document: YAMLNode, name: String) -> Bool {
    ["kustomization", "kustomization.yaml", "kustomization.yml"].contains(name)
      || document["kind"]?.scalarText == "Kustomization" && document["apiVersion"]?.scalarText.hasPrefix("kustomize.config.k8s.io/") == true
  }

  static func read(_ document: YAMLNode, _ yaml: YAMLSource, into collector: inout Collector) {
    for image in document["images"]?.elements ?? [] {
      // Without a tag the resources' own stays, and is judged where it stands; a digest wins over a tag.
      guard let tag = image["newTag"], image["digest"] == nil else { continue }
      let name = image["newName"]?.scalarText ?? image["name"]?.scalarText ?? ""
      var (range, expansion) = yaml.expansion(tag, style: .compose)
      expansion.rewrite { "\(name):\($0)" }
      collector.check(
        ImageMention(
          user: "image '\(image["name"]?.scalarText ?? name)'".shortened, range: range, statement: range.lowerBound, expansion: expansion,
          digestForm: .ownKey))
    }
  }
}
