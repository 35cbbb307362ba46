/// Workflow commands that GitHub shows beside the lines of a change (docs.github.com, "Workflow commands for GitHub Actions").

/// One annotation.
public struct GitHubAnnotation: Sendable, CustomStringConvertible {
  public enum Level: String, Sendable { case notice, warning, error }

  public let level: Level
  public let title: String
  public let message: String
  public let file: String
  public let line: Int
  public let column: Int
  /// The column of the last character, which here belongs to the stretch.
  public let lastColumn: Int

  public init(level: Level, title: String, message: String, file: String, line: Int, column: Int, lastColumn: Int) {
    self.level = level
    self.title = title
    self.message = message
    self.file = file
    self.line = line
    self.column = column
    self.lastColumn = lastColumn
  }

  /// The command in one line.
  public var description: String {
    let properties = [
      ("file", file), ("line", "\(line)"), ("endLine", "\(line)"), ("col", "\(column)"), ("endColumn", "\(lastColumn)"), ("title", title),
    ]
    let text = properties.map { "\($0.0)=\(Self.escaped($0.1, isProperty: true))" }.joined(separator: ",")
    return "::\(level.rawValue) \(text)::\(Self.escaped(message, isProperty: false))"
  }

  private static func escaped(_ text: String, isProperty: Bool) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "%": result += "%25"
      case "\r": result += "%0D"
      case "\n": result += "%0A"
      case ":" where isProperty: result += "%3A"
      case "," where isProperty: result += "%2C"
      case _ where scalar.controlsTerminal: result += printable(String(scalar))
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
