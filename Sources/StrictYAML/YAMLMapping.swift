/// Typed access to a YAML mapping whose keys are all accounted for.
import EnvCore

/// A mapping that knows which keys it may have. Each accessor throws a `YAMLError` with the place and what was expected there.
public struct YAMLMapping: Sendable {
  public let mark: YAMLMark
  private let pairs: [(key: String, mark: YAMLMark, value: YAMLNode)]

  /// Refuses any key outside `allowed`, naming the nearest allowed one.
  public init(_ node: YAMLNode, allowed: [String]) throws(YAMLError) {
    self.init(mark: node.mark, pairs: try node.pairs())
    for pair in pairs where !allowed.contains(pair.key) {
      let hint = didYouMean(pair.key, among: allowed) ?? "known keys here: " + allowed.joined(separator: ", ")
      throw YAMLError(mark: pair.mark, problem: "unknown key '\(pair.key)'", hint: hint)
    }
  }

  private init(mark: YAMLMark, pairs: [(key: String, mark: YAMLMark, value: YAMLNode)]) {
    self.mark = mark
    self.pairs = pairs
  }

  /// The value of `key`, unless it is missing or null.
  public subscript(_ key: String) -> YAMLNode? { pairs.first { $0.key == key && !$0.value.isNull }?.value }

  /// The value of `key`, unless it is missing. For keys whose absence loosens something: an empty one is a mistake, not a wish.
  public func nonNull(_ key: String) throws(YAMLError) -> YAMLNode? {
    if let pair = pairs.first(where: { $0.key == key }), pair.value.isNull {
      throw YAMLError(mark: pair.mark, problem: "the key '\(key)' has no value", hint: "write one, or leave the key out")
    }
    return self[key]
  }

  /// The value of a key that must be there.
  public func required(_ key: String) throws(YAMLError) -> YAMLNode {
    guard let node = self[key] else { throw YAMLError(mark: mark, problem: "the key '\(key)' is missing") }
    return node
  }
}

extension YAMLNode {
  /// The text of a scalar.
  public func string() throws(YAMLError) -> String {
    guard case .scalar(let text) = value else { throw expected("text") }
    return text
  }

  /// Text that is not empty.
  public func nonEmptyString() throws(YAMLError) -> String {
    let text = try string()
    guard !text.isEmpty else { throw expected("text that is not empty") }
    return text
  }

  /// One of a closed set of words.
  public func choice<Choice: RawRepresentable & CaseIterable>(_ type: Choice.Type) throws(YAMLError) -> Choice
  where Choice.RawValue == String {
    let text = try string()
    if let choice = Choice(rawValue: text) { return choice }
    let words = Choice.allCases.map(\.rawValue)
    throw YAMLError(
      mark: mark, problem: "'\(text)' is none of \(words.joined(separator: ", "))", hint: didYouMean(text, among: words))
  }

  public func integer() throws(YAMLError) -> Int {
    guard case .scalar(let text) = value, let number = Int(text) else { throw expected("a whole number") }
    return number
  }

  /// `true` or `false`; YAML 1.1's other words for them are not accepted, because they surprise (`no` is also Norway).
  public func boolean() throws(YAMLError) -> Bool {
    guard case .scalar(let text) = value, let value = Bool(text) else { throw expected("true or false") }
    return value
  }

  public func items() throws(YAMLError) -> [YAMLNode] {
    guard case .sequence(let items) = value else { throw expected("a list") }
    return items
  }

  public func strings() throws(YAMLError) -> [String] {
    var strings: [String] = []
    for item in try items() { strings.append(try item.string()) }
    return strings
  }

  /// The pairs of a mapping in the order of the file.
  public func pairs() throws(YAMLError) -> [(key: String, mark: YAMLMark, value: YAMLNode)] {
    guard case .mapping(let pairs) = value else { throw expected("a mapping (key: value)") }
    return pairs
  }

  /// A mapping from names to texts, in the order of the file.
  public func stringPairs() throws(YAMLError) -> [(key: String, value: String)] {
    var result: [(key: String, value: String)] = []
    for pair in try pairs() { result.append((pair.key, pair.value.isNull ? "" : try pair.value.string())) }
    return result
  }

  /// An error at this value: `what` was expected.
  public func expected(_ what: String) -> YAMLError {
    let found =
      switch value {
      case .scalar(let text): isNull ? "nothing" : "'\(text)'"
      case .sequence: "a list"
      case .mapping: "a mapping"
      }
    return YAMLError(mark: mark, problem: "expected \(what), found \(found)")
  }
}
