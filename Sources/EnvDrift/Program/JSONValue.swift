/// Any JSON, for lines whose shape is the user's. Records of our own have types.

/// A JSON value as it stands in the text.
public enum JSONValue: Hashable, Sendable, Codable {
  case object([String: JSONValue])
  case array([JSONValue])
  case text(String)
  case number(Double)
  case flag(Bool)
  case null

  public init(from decoder: any Decoder) throws {
    if let container = try? decoder.container(keyedBy: AnyKey.self) {
      var members: [String: JSONValue] = [:]
      for key in container.allKeys { members[key.stringValue] = try container.decode(JSONValue.self, forKey: key) }
      self = .object(members)
    } else if var container = try? decoder.unkeyedContainer() {
      var items: [JSONValue] = []
      while !container.isAtEnd { items.append(try container.decode(JSONValue.self)) }
      self = .array(items)
    } else {
      self =
        switch try Scalar(from: decoder) {
        case .number(let value): .number(value)
        case .text(let value): .text(value)
        case .flag(let value): .flag(value)
        case .unknown: .null
        }
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .object(let members): try container.encode(members)
    case .array(let items): try container.encode(items)
    case .text(let value): try container.encode(value)
    case .number(let value): try container.encode(value)
    case .flag(let value): try container.encode(value)
    case .null: try container.encodeNil()
    }
  }

  /// The member of an object.
  subscript(_ key: String) -> JSONValue? { if case .object(let members) = self { members[key] } else { nil } }

  var number: Double? { if case .number(let value) = self { value } else { nil } }
  var text: String? { if case .text(let value) = self { value } else { nil } }

  /// A leaf as people read it.
  fileprivate var leaf: String? {
    switch self {
    case .object, .array: nil
    case .text(let value): value
    case .number(let value): Scalar.number(value).description
    case .flag(let value): "\(value)"
    case .null: "none"
    }
  }

  /// Every leaf by its path, such as `model.version`; lists count from 0.
  func leaves(_ path: String = "") -> [String: String] {
    let children: [(String, JSONValue)]
    switch self {
    case .object(let members): children = members.map { ($0, $1) }
    case .array(let items): children = items.enumerated().map { ("\($0)", $1) }
    default: return [path: leaf ?? ""]
    }
    var found: [String: String] = [:]
    for (name, child) in children { found.merge(child.leaves(path.isEmpty ? name : path + "." + name)) { first, _ in first } }
    return found
  }

  private struct AnyKey: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }
}
