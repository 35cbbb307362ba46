/// Nodes from events: what a document may hold, and how large it may become.
import EnvCore

/// Makes documents of a stream's events.
struct YAMLComposer: ~Copyable {
  /// Who wrote the file.
  enum Dialect {
    /// People, for envctl: one document, in which everything stands where it belongs.
    case own
    /// Anybody, for other programs: several documents, aliases and merge keys (yaml.org/type/merge.html).
    case foreign

    /// How deep sequences and mappings may be nested.
    var depth: Int { self == .own ? 64 : 128 }
  }

  /// A node that aliases may ask for.
  private struct Anchored {
    let node: YAMLNode
    /// Nodes in it, itself included.
    let size: Int
    /// How many levels there are below it.
    let height: Int
  }

  /// A pair before merge keys are told from others.
  private typealias Pair = (key: String, mark: YAMLMark, value: YAMLNode)

  /// Of a stream, whatever its length: a node takes some hundred bytes of memory, and no file that people read has so many.
  private static let mostNodes = 1_000_000
  /// Each takes time, however little is in it.
  private static let mostDocuments = 50_000

  private let file: String
  private let dialect: Dialect
  private var events: YAMLEventReader
  private var anchors: [String: Anchored] = [:]
  /// How many nodes there may be yet.
  private var budget: Int
  private let limit: Int
  private var documents = 0
  /// How deep the node being read has reached.
  private var deepest = 0

  /// - Throws: `YAMLError` where the bytes are not UTF-8.
  init(_ bytes: [UInt8], file: String, dialect: Dialect) throws(YAMLError) {
    self.file = file
    self.dialect = dialect
    events = try YAMLEventReader(bytes, file: file)
    limit = min(Self.mostNodes, 1000 + 2 * bytes.count)
    budget = limit
  }

  /// The next document; nil at the end of the stream.
  ///
  /// - Throws: `YAMLError` for what is no YAML, is nested too deeply, grows too large, or is not in the dialect.
  mutating func document() throws(YAMLError) -> YAMLNode? {
    var event = try events.next()
    if case .streamStart = event.kind { event = try events.next() }
    guard case .documentStart = event.kind else { return nil }
    anchors = [:]
    documents += 1
    guard documents <= Self.mostDocuments else {
      throw YAMLError(mark: event.mark, problem: "there are more than \(Self.mostDocuments) documents in it")
    }
    let root = try node(try events.next(), depth: 0)
    _ = try events.next()  // The document's end, which is where nothing else can be.
    return root
  }

  private mutating func node(_ event: YAMLEvent, depth: Int) throws(YAMLError) -> YAMLNode {
    if case .alias(let name) = event.kind { return try copy(name, event.mark, depth: depth) }
    try spend(1, reaching: depth, at: event.mark)
    guard let anchor = event.anchor else { return try content(event, depth: depth) }
    guard dialect == .foreign else { throw Self.refusedAlias(event.mark) }
    let before = (budget: budget, deepest: deepest)
    deepest = depth
    let node = try content(event, depth: depth)
    anchors[anchor] = Anchored(node: node, size: before.budget - budget + 1, height: deepest - depth)
    deepest = max(deepest, before.deepest)
    return node
  }

  private mutating func content(_ event: YAMLEvent, depth: Int) throws(YAMLError) -> YAMLNode {
    switch event.kind {
    case .scalar(let text, let isPlain):
      let isNull = isPlain && ["", "~", "null", "Null", "NULL"].contains(text)
      return YAMLNode(value: .scalar(text), mark: event.mark, isNull: isNull)
    case .sequenceStart:
      var items: [YAMLNode] = []
      while true {
        let next = try events.next()
        if case .sequenceEnd = next.kind { return YAMLNode(value: .sequence(items), mark: event.mark, isNull: false) }
        items.append(try node(next, depth: depth + 1))
      }
    case .mappingStart: return YAMLNode(value: .mapping(try pairs(depth: depth)), mark: event.mark, isNull: false)
    case .streamStart, .streamEnd, .documentStart, .documentEnd, .sequenceEnd, .mappingEnd, .alias:
      // libyaml's grammar has a node here.
      throw YAMLError(mark: event.mark, problem: "not valid YAML: a value is missing")
    }
  }

  private mutating func pairs(depth: Int) throws(YAMLError) -> [(key: String, mark: YAMLMark, value: YAMLNode)] {
    var pairs: [Pair] = []
    var seen: Set<String> = []
    var merged: [YAMLNode] = []
    while true {
      let event = try events.next()
      if case .mappingEnd = event.kind { return Self.merging(merged, into: pairs, &seen) }
      let key = try node(event, depth: depth + 1)
      let value = try node(try events.next(), depth: depth + 1)
      guard case .scalar(let text) = key.value else {
        // Such a key is nothing that any of the formats read here knows.
        guard dialect == .own else { continue }
        throw YAMLError(mark: event.mark, problem: "a key must be plain text")
      }
      if dialect == .foreign, case .scalar("<<", isPlain: true) = event.kind {
        if case .sequence(let several) = value.value { merged += several } else { merged.append(value) }
        continue
      }
      guard seen.insert(text).inserted else { throw YAMLError(mark: event.mark, problem: "the key '\(text)' stands here twice") }
      pairs.append((text, event.mark, value))
    }
  }

  /// What stands in the mapping itself wins, then what was merged first.
  private static func merging(_ merged: [YAMLNode], into pairs: [Pair], _ seen: inout Set<String>) -> [Pair] {
    var pairs = pairs
    for node in merged {
      guard case .mapping(let more) = node.value else { continue }
      for pair in more where seen.insert(pair.key).inserted { pairs.append(pair) }
    }
    return pairs
  }

  /// A copy keeps the place of the original.
  private mutating func copy(_ name: String, _ mark: YAMLMark, depth: Int) throws(YAMLError) -> YAMLNode {
    guard dialect == .foreign else { throw Self.refusedAlias(mark) }
    guard let anchored = anchors[name] else { throw YAMLError(mark: mark, problem: "not valid YAML: the alias '*\(name)' names nothing") }
    try spend(anchored.size, reaching: depth + anchored.height, at: mark)
    return anchored.node
  }

  private mutating func spend(_ nodes: Int, reaching depth: Int, at mark: YAMLMark) throws(YAMLError) {
    deepest = max(deepest, depth)
    guard depth < dialect.depth else { throw YAMLError(mark: mark, problem: "the document is nested too deeply") }
    budget -= nodes
    guard budget < 0 else { return }
    // Copies of copies would fill any memory.
    let isLarge = limit == Self.mostNodes
    throw YAMLError(
      mark: mark, problem: isLarge ? "there are more than \(limit) values in it" : "aliases make the document far larger than the file")
  }

  private static func refusedAlias(_ mark: YAMLMark) -> YAMLError {
    YAMLError(mark: mark, problem: "anchors and aliases are not supported", hint: "write the value out")
  }
}
