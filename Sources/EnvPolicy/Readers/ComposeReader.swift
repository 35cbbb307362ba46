/// Compose files (compose-spec, "services", "build"): images that are pulled, and what is built in place.
import StrictYAML

enum ComposeReader {
  /// Whether a document is a compose file: every service is a mapping, and at least one says what it runs.
  static func recognises(_ document: YAMLNode) -> Bool {
    guard let services = document["services"]?.entries, !services.isEmpty else { return false }
    return services.contains { $0.value["image"] != nil || $0.value["build"] != nil || $0.value["extends"] != nil }
  }

  static func read(_ document: YAMLNode, _ yaml: YAMLSource, into collector: inout Collector) {
    for service in document["services"]?.entries ?? [] {
      let user = "service '\(service.key)'".shortened
      // Beside `build`, `image` names the result.
      if let image = service.value["image"], service.value["build"] == nil { collector.check(image: image, yaml, user: user) }
      for source in service.value["volumes"]?.elements ?? [] where source["type"]?.scalarText == "image" {
        if let image = source["source"] { collector.check(image: image, yaml, user: user + " volume") }
      }
      if let build = service.value["build"] { read(build: build, yaml, user: user, into: &collector) }
    }
  }

  private static func read(build: YAMLNode, _ yaml: YAMLSource, user: String, into collector: inout Collector) {
    if let inline = build["dockerfile_inline"], let text = yaml.mapped(inline) {
      var reader = DockerfileReader(collector.source.only(text), indentation: collector.source.indentation(of: text))
      reader.read(into: &collector)
    }
    for pair in build["args"]?.entries ?? [] where BuildArgument.namesImage(pair.key) {
      collector.check(image: pair.value, yaml, user: "\(user), build argument \(pair.key)".shortened)
    }
    for item in build["args"]?.elements ?? [] {
      guard let text = yaml.mapped(item), let (name, value) = assignment(text), BuildArgument.namesImage(name) else { continue }
      check(value, in: text, "\(user), build argument \(name)".shortened, &collector)
    }
    for pair in build["additional_contexts"]?.entries ?? [] {
      guard let text = yaml.mapped(pair.value) else { continue }
      check(ShellWord(whole: text), in: text, "\(user), build context \(pair.key)".shortened, scheme: BuildArgument.scheme, &collector)
    }
    for item in build["additional_contexts"]?.elements ?? [] {
      guard let text = yaml.mapped(item), let (name, value) = assignment(text) else { continue }
      check(value, in: text, "\(user), build context \(name)".shortened, scheme: BuildArgument.scheme, &collector)
    }
  }

  private static func assignment(_ text: MappedText) -> (name: String, value: ShellWord)? { ShellWord(whole: text).assignment(in: text) }

  private static func check(
    _ word: ShellWord, in text: MappedText, _ user: String, scheme: String = "", _ collector: inout Collector
  ) {
    guard word.text.hasPrefix(scheme) else { return }
    let range = (word.content.lowerBound + scheme.utf8.count)..<word.content.upperBound
    collector.check(
      CommandImage(word: word, range: range, user: user, digestForm: .besideTag), text, ScriptContext(user: user), text.offset(0))
  }
}

extension ShellWord {
  /// A text that is one word.
  fileprivate init(whole text: MappedText) {
    self.init(text: text.text(0..<text.count), content: 0..<text.count, isVerbatim: true, isQuoted: false)
  }
}

/// Arguments of an image build that are images themselves.
enum BuildArgument {
  /// What makes an image of a build context.
  static let scheme = "docker-image://"

  /// By custom their names say so: `BASE_IMAGE`, `PYTHON_IMAGE`, `IMAGE`, `BASE`, `FROM`.
  static func namesImage(_ name: String) -> Bool {
    let name = name.uppercased()
    return name.hasSuffix("IMAGE") || ["BASE", "FROM", "BASE_CONTAINER", "BASE_IMG"].contains(name)
  }
}
