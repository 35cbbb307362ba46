/// One file's bytes → what the rules find in it. It does no I/O.
import EnvCore
import StrictYAML

enum FileReader {
  /// Why a file of a known kind was not read.
  struct Skip: Error {
    let reason: String
    /// Counted from 1.
    var line = 1
    /// Whether nobody expects the file to be readable, so that it is told and is no finding.
    var isExpected = false
  }

  /// - Parameter hasRecipeLock: Whether `image.lock` lies beside the file.
  static func read(_ kind: FileKind, _ collector: inout Collector, hasRecipeLock: Bool) throws(Skip) {
    let source = collector.source
    switch kind {
    case .dockerfile:
      var reader = DockerfileReader(source)
      reader.read(into: &collector)
    case .script: ScriptReader.read(source, into: &collector)
    case .definition: ScriptReader.readDefinition(source, into: &collector)
    case .devcontainer:
      let yaml = try json(source)
      for document in yaml.documents { DevcontainerReader.read(document, yaml, into: &collector) }
    case .json:
      let yaml = try json(source)
      for document in yaml.documents where KubernetesReader.recognises(document) { KubernetesReader.read(document, yaml, into: &collector) }
    case .yaml:
      let yaml = try parse(source) { () throws(YAMLError) in try YAMLSource(source) }
      for document in yaml.documents { read(document, yaml, hasRecipeLock: hasRecipeLock, &collector) }
    }
  }

  private static func json(_ source: SourceText) throws(Skip) -> YAMLSource {
    let text = DevcontainerReader.plainJSON(Array(source.bytes[source.byteOrderMark...]))
    return try parse(source) { () throws(YAMLError) in try YAMLSource(source, text: text) }
  }

  private static func parse(_ source: SourceText, _ body: () throws(YAMLError) -> YAMLSource) throws(Skip) -> YAMLSource {
    do { return try body() } catch {
      // Helm keeps what is to become YAML in folders of this name. Anywhere else braces excuse nothing.
      if source.contains("{{"), source.path.split(separator: "/").dropLast().contains("templates") {
        throw Skip(reason: "a template, not YAML as it stands", isExpected: true)
      }
      throw Skip(reason: "\(error.problem) (line \(error.mark.line))", line: error.mark.line)
    }
  }

  private static func read(_ document: YAMLNode, _ yaml: YAMLSource, hasRecipeLock: Bool, _ collector: inout Collector) {
    let path = collector.source.path
    let name = path.split(separator: "/").last.map { $0.lowercased() } ?? ""
    if name == "envctl.yaml" || name == "envctl.yml" {
      EnvctlReader.readProject(document, yaml, into: &collector)
    } else if name == "image.yaml", EnvctlReader.isRecipe(document) {
      EnvctlReader.readRecipe(document, yaml, hasLock: hasRecipeLock, into: &collector)
    } else if GitLabReader.recognises(path: path) {
      GitLabReader.read(document, yaml, into: &collector)
    } else if GitHubReader.recognises(document, path: path) {
      GitHubReader.read(document, yaml, into: &collector)
    } else if KustomizeReader.recognises(document, name: name) {
      KustomizeReader.read(document, yaml, into: &collector)
    } else if KubernetesReader.recognises(document) {
      KubernetesReader.read(document, yaml, into: &collector)
    } else if ComposeReader.recognises(document) {
      ComposeReader.read(document, yaml, into: &collector)
    } else if name.hasPrefix("values") || name.hasSuffix("values.yaml") || name.hasSuffix("values.yml") {
      HelmReader.read(document, yaml, into: &collector)
    }
  }
}
