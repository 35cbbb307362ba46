/// YAML read strictly: every value knows its place, every key must be known, nothing is guessed.
import EnvCore
import Yams

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

  /// Parses one document. `file` names it in errors.
  public static func parse(_ bytes: [UInt8], file: String) throws(YAMLError) -> YAMLNode {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw YAMLError(mark: YAMLMark(file: file, line: 1, column: 1), problem: "the file is not UTF-8", hint: nil)
    }
    do {
      // No resolver: here every scalar is text, and making the default one takes longer than reading a project's file.
      let parser = try Yams.Parser(yaml: text, resolver: .basic, encoding: .utf8)
      // Nodes know their anchors only as long as the parser lives.
      defer { withExtendedLifetime(parser) {} }
      guard let node = try parser.singleRoot() else {
        throw YAMLError(mark: YAMLMark(file: file, line: 1, column: 1), problem: "the file is empty", hint: nil)
      }
      return try YAMLNode(node, file: file, depth: 0)
    } catch let error as YAMLError {
      throw error
    } catch let error as YamlError {
      throw YAMLError(error, file: file)
    } catch {
      throw YAMLError(mark: YAMLMark(file: file, line: 1, column: 1), problem: String(describing: error), hint: nil)
    }
  }

  init(value: Value, mark: YAMLMark, isNull: Bool) {
    self.value = value
    self.mark = mark
    self.isNull = isNull
  }

  private init(_ node: Node, file: String, depth: Int) throws(YAMLError) {
    mark = YAMLMark(file: file, line: node.mark?.line ?? 1, column: node.mark?.column ?? 1)
    guard depth < 64 else { throw YAMLError(mark: mark, problem: "the document is nested too deeply", hint: nil) }
    // Yams puts a copy of the anchored value where an alias stands, so the anchor is what can be seen, and refused before copies of
    // copies fill the memory.
    guard node.anchor == nil else {
      throw YAMLError(mark: mark, problem: "anchors and aliases are not supported", hint: "write the value out")
    }
    switch node {
    case .scalar(let scalar):
      value = .scalar(scalar.string)
      isNull = scalar.style == .plain && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    case .sequence(let sequence):
      isNull = false
      var items: [YAMLNode] = []
      for item in sequence { items.append(try YAMLNode(item, file: file, depth: depth + 1)) }
      value = .sequence(items)
    case .mapping(let mapping):
      isNull = false
      var pairs: [(key: String, mark: YAMLMark, value: YAMLNode)] = []
      var seen: Set<String> = []
      for (key, item) in mapping {
        let keyMark = YAMLMark(file: file, line: key.mark?.line ?? 1, column: key.mark?.column ?? 1)
        guard case .scalar(let scalar) = key else { throw YAMLError(mark: keyMark, problem: "a key must be plain text", hint: nil) }
        guard seen.insert(scalar.string).inserted else {
          throw YAMLError(mark: keyMark, problem: "the key '\(scalar.string)' stands here twice", hint: nil)
        }
        pairs.append((scalar.string, keyMark, try YAMLNode(item, file: file, depth: depth + 1)))
      }
      value = .mapping(pairs)
    case .alias:
      throw YAMLError(mark: mark, problem: "anchors and aliases are not supported", hint: "write the value out")
    }
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

  init(_ error: YamlError, file: String) {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _), .composer(_, let problem, let mark, _):
      self.init(mark: YAMLMark(file: file, line: mark.line, column: mark.column), problem: "not valid YAML: \(problem)")
    case .duplicatedKeysInMapping(let duplicates, let context):
      self.init(
        mark: YAMLMark(file: file, line: context.mark.line, column: context.mark.column),
        problem: "the key \(duplicates.sorted().map { "'\($0)'" }.joined(separator: ", ")) stands here twice")
    default:
      self.init(mark: YAMLMark(file: file, line: 1, column: 1), problem: "not valid YAML: \(error)")
    }
  }
}
