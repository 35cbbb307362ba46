/// What a rule found: where, on which object, and what to do. How it is shown is the report's business.
import EnvCore
import OCI

/// A stretch of a file, for people: lines and columns count from 1, columns in Unicode code points; the end is exclusive.
public struct Place: Sendable, Hashable {
  public let file: String
  public let line: Int
  public let column: Int
  public let endLine: Int
  public let endColumn: Int
  /// The part of the line around the place, at most some hundred code points of it.
  public let excerpt: Excerpt?

  public init(file: String, line: Int = 1, column: Int = 1, endLine: Int? = nil, endColumn: Int? = nil, excerpt: Excerpt? = nil) {
    self.file = file
    self.line = line
    self.column = column
    self.endLine = endLine ?? line
    self.endColumn = endColumn ?? column
    self.excerpt = excerpt
  }
}

/// Source text to be shown, with the stretch in it that is meant.
public struct Excerpt: Sendable, Hashable {
  public let text: String
  /// Code points of `text` before the stretch.
  public let indent: Int
  /// Code points in the stretch, at least one.
  public let length: Int

  public init(text: String, indent: Int, length: Int) {
    self.text = text
    self.indent = indent
    self.length = length
  }
}

/// A digest that belongs at a byte offset of the file: right after the reference that stands there.
public struct Pin: Sendable, Hashable {
  /// What to resolve; a reference without a tag stands here with the tag the engine would take.
  public let reference: ImageReference
  /// Offset in bytes from the start of the file.
  public let offset: Int
}

/// One finding.
public struct Finding: Sendable, Hashable {
  public let rule: Rule
  public let place: Place
  /// What is wrong, naming the object.
  public let message: String
  /// What to write instead.
  public let suggestion: String
  /// The edit that mends it, where one is mechanically possible.
  public let pin: Pin?
  /// The object of the finding as it stands in the file; with the rule and the file it recognises the finding when lines have moved.
  public let object: String

  public init(rule: Rule, place: Place, message: String, suggestion: String, pin: Pin? = nil, object: String) {
    self.rule = rule
    self.place = place
    self.message = message
    self.suggestion = suggestion
    self.pin = pin
    self.object = object
  }

  public var severity: Severity { rule.severity }
}

/// A finding that a comment in the file has silenced.
public struct SuppressedFinding: Sendable {
  public let finding: Finding
  public let reason: String
}
