/// Text that is well-formed XML and HTML at once (the "polyglot" subset), escaped by construction. It knows no elements.

/// A piece of markup. Interpolated strings are escaped, interpolated markup is taken as it is.
///
///     let row: Markup = "<td>\(name)</td>"
public struct Markup: Sendable, Hashable, ExpressibleByStringInterpolation {
  /// The markup as it is written.
  public let text: String

  private init(text: String) { self.text = text }

  public init(stringLiteral value: String) { text = value }

  public init(stringInterpolation: StringInterpolation) { text = stringInterpolation.text }

  /// Collects the parts of a literal.
  public struct StringInterpolation: StringInterpolationProtocol {
    var text = ""

    public init(literalCapacity: Int, interpolationCount: Int) { text.reserveCapacity(literalCapacity * 2) }

    public mutating func appendLiteral(_ literal: String) { text += literal }

    /// Text from anywhere: it can neither open an element nor end an attribute.
    public mutating func appendInterpolation(_ value: String) { text += Markup.escaped(value) }

    public mutating func appendInterpolation(_ value: Int) { text += String(value) }

    public mutating func appendInterpolation(_ value: Markup) { text += value.text }

    /// Pieces one after another, each on a line of its own.
    public mutating func appendInterpolation(_ values: [Markup]) { text += values.map(\.text).joined(separator: "\n") }
  }

  /// Fit for text and for quoted attributes. What no XML document may hold (XML 1.0 §2.2) and what would turn the reading direction is
  /// written out.
  private static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      case "\n", "\t": result.unicodeScalars.append(scalar)
      case _ where scalar.controlsTerminal || scalar.value == 0xFFFE || scalar.value == 0xFFFF:
        result += "\\u{" + String(scalar.value, radix: 16) + "}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
