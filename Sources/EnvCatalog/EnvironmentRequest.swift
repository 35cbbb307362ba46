/// What `envctl.yaml` may ask for under `environment:`, and the source of bytes such a request ends in.
import EnvCore
import OCI
import StrictYAML

/// Where an image comes from.
public enum EnvironmentSource: Hashable, Sendable, CustomStringConvertible {
  /// An environment of the catalog, by name.
  case catalog(String)
  /// An image in a registry.
  case image(ImageReference)
  /// `oci:PATH[:TAG]` or `oci-archive:PATH[:TAG]`, as written: the store knows how to read it.
  case layout(String)

  /// Tells the three apart: a layout by its prefix, an image by a slash, a tag or a digest; any other word is a name of the catalog.
  public init(parsing text: String) throws(ImageReferenceError) {
    if text.hasPrefix("oci:") || text.hasPrefix("oci-archive:") {
      self = .layout(text)
    } else if text.utf8.contains(where: { "/:@".utf8.contains($0) }) {
      self = .image(try ImageReference(parsing: text))
    } else {
      self = .catalog(text)
    }
  }

  public var description: String {
    switch self {
    case .catalog(let name): name
    case .image(let reference): reference.description
    case .layout(let text): text
    }
  }
}

extension EnvironmentSource: Codable {
  public init(from decoder: any Decoder) throws { try self.init(parsing: decoder.singleValueContainer().decode(String.self)) }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}

/// What a project asks for: one source, or a triple that leads to one.
public enum EnvironmentRequest: Hashable, Sendable, CustomStringConvertible {
  case source(EnvironmentSource)
  case triple(Triple)

  /// A request in one word, as on the command line.
  public init(parsing text: String) throws(ImageReferenceError) { self = .source(try EnvironmentSource(parsing: text)) }

  /// One line that the lock keeps; two requests with the same line are the same.
  public var description: String {
    switch self {
    case .source(let source): source.description
    case .triple(let triple): triple.description
    }
  }
}

extension EnvironmentRequest {
  /// A request at its place in a file: text, or a mapping of a triple's parts.
  ///
  /// - Throws: `YAMLError` at the part that is wrong.
  init(at node: YAMLNode) throws {
    switch node.value {
    case .scalar:
      let text = try node.nonEmptyString()
      do {
        self = try EnvironmentRequest(parsing: text)
      } catch {
        throw YAMLError(mark: node.mark, problem: error.summary, hint: error.hint)
      }
    case .mapping: self = .triple(try Triple(at: node))
    case .sequence: throw node.expected("text or a mapping (framework, version, …)")
    }
  }
}

extension Triple {
  init(at node: YAMLNode) throws {
    let parts = try YAMLMapping(node, allowed: ["framework", "version", "cuda", "cudnn", "trt", "python"])
    let framework = try parts.required("framework").choice(Framework.self)
    let version = try parts.required("version").string()
    do {
      self = try Triple(
        framework: framework, version: version, cuda: try parts["cuda"]?.string(), cudnn: try parts["cudnn"]?.string(),
        tensorRT: try parts["trt"]?.string(), python: try parts["python"]?.string())
    } catch let error as TripleError {
      let part: String =
        switch error {
        case .malformed(let part, _): part
        case .partWithoutCUDA(let part): part
        default: "framework"
        }
      throw YAMLError(mark: parts[part]?.mark ?? node.mark, problem: error.summary, hint: error.hint)
    }
  }
}
