/// Which GPUs a person asks for, in words.
import EnvCatalog
import EnvCore

/// `--gpu`, or `gpu:` of a project.
public enum GPURequest: Sendable, Equatable {
  /// No GPU, whatever the host has.
  case none
  /// All GPUs where the host has some.
  case optional
  /// All GPUs; a host without is an error.
  case required
  /// These, by index, UUID or the beginning of one, MIG name, `all`, or full name.
  case devices([String])

  /// - Throws: `GPUError.badRequest` for an empty word, a word twice, or `none` beside others.
  public init(parsing text: String) throws(GPUError) {
    switch text {
    case "none": self = .none
    case "optional": self = .optional
    case "required": self = .required
    default:
      let words = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
      for word in words {
        if word.isEmpty { throw .badRequest(text, reason: words.count == 1 ? "it is empty" : "a name between commas is empty") }
        if ["none", "optional", "required"].contains(word) { throw .badRequest(text, reason: "'\(word)' stands alone") }
      }
      guard Set(words).count == words.count else { throw .badRequest(text, reason: "a device is named twice") }
      self = .devices(words)
    }
  }

  public init(_ need: ProjectFile.GPU) {
    switch need {
    case .none: self = .none
    case .optional: self = .optional
    case .required: self = .required
    }
  }
}
