/// YAML read strictly: every value knows its place, every key must be known, nothing is guessed.
import EnvCore

/// A place in a YAML file, counted from 1.
public struct YAMLMark: Sendable, Equatable, CustomStringConvertible {
  public let file: String
  public let line: Int
  public let column: Int
  public var description: String { "\(file):\(line):\(column)" }

  public init(file: String, line: Int, column: Int) {
    self.file = file
    self.line = line
    self.column = column
  }
}

/// A value in a YAML document together with its place.
public struct YAMLNode: Sendable {
  /// The three shapes of YAML. Scalars keep their text: what type they are is for the reader of the key to say.
  public enum Value: Sendable {
    case scalar(String)
    case sequence([YAMLNode])
    case mapping([(key: String, mark: YAMLMark, value: YAMLNode)])
  }

  public let value: Value
  public let mark: YAMLMark
  /// The plain scalars `null`, `~` and nothing at all.
  public let isNull: Bool

  /// Parses one document without anchors, aliases or keys that are more than text. `file` names it in errors.
  ///
  /// - Throws: `YAMLError` for what is no YAML, is nested deeper than 64, or is none of that.
  public static func parse(_ bytes: [UInt8], file: String) throws(YAMLError) -> YAMLNode {
    var composer = try YAMLComposer(bytes, file: file, dialect: .own)
    guard let node = try composer.document() else {
      throw YAMLError(mark: YAMLMark(file: file, line: 1, column: 1), problem: "the file is empty")
    }
    if let second = try composer.document() { throw YAMLError(mark: second.mark, problem: "not valid YAML: a second document stands here") }
    return node
  }
}

/// What is wrong in a YAML file, and where.
public struct YAMLError: Diagnostic, Equatable {
  public let mark: YAMLMark
  public let problem: String
  public let hint: String?

  public init(mark: YAMLMark, problem: String, hint: String? = nil) {
    self.mark = mark
    self.problem = problem
    self.hint = hint
  }

  public var summary: String { "\(mark): \(problem)" }
  public var exitCode: ExitCode { .usage }
}
