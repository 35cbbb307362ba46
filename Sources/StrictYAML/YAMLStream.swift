/// YAML written for other programs: several documents, anchors, merge keys. What envctl's own files may hold is `YAMLNode.parse`'s to say.
import EnvCore
import Yams

extension YAMLNode {
  /// Parses every document of a stream; an alias stands for a copy of what it names, a merge key (`<<`) for the pairs it brings.
  ///
  /// A copy keeps the place of the original. Copies of copies may not make the document larger than twice the file's bytes.
  ///
  /// - Throws: `YAMLError` for what is no YAML, is nested deeper than 128, or grows too large.
  public static func parseStream(_ bytes: [UInt8], file: String) throws(YAMLError) -> [YAMLNode] {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw YAMLError(mark: YAMLMark(file: file, line: 1, column: 1), problem: "the file is not UTF-8")
    }
    try refuseCostlyKeys(bytes, file: file)
    do {
      // No resolver, because resolving a scalar's type costs more than all the rest, and here every scalar is text.
      let parser = try Yams.Parser(yaml: text, resolver: .basic, encoding: .utf8)
      defer { withExtendedLifetime(parser) {} }
      var copier = StreamCopier(file: file, budget: 1000 + 2 * bytes.count)
      var documents: [YAMLNode] = []
      while let node = try parser.nextRoot() { documents.append(try copier.copy(node, depth: 0)) }
      return documents
    } catch let error as YAMLError {
      throw error
    } catch let error as YamlError {
      throw YAMLError(error, file: file)
    } catch {
      throw YAMLError(mark: YAMLMark(file: file, line: 1, column: 1), problem: String(describing: error))
    }
  }

  /// Yams hashes every key of a mapping, and a key that is an alias of aliases would keep it busy for years before anybody could
  /// refuse it. Below sixteen aliases the growth is harmless; above, keys other than plain text are not worth the risk.
  private static func refuseCostlyKeys(_ bytes: [UInt8], file: String) throws(YAMLError) {
    var aliases = 0
    var line = 1
    var hasComplexKey = false
    for index in bytes.indices {
      switch bytes[index] {
      case UInt8(ascii: "\n"): line += 1
      case UInt8(ascii: "*"): aliases += 1
      case UInt8(ascii: "?"): hasComplexKey = hasComplexKey || isFollowedByBlank(bytes, index)
      case UInt8(ascii: ":"):
        guard isFollowedByBlank(bytes, index) else { continue }
        hasComplexKey = hasComplexKey || endsComplexKey(bytes, before: index)
      default: continue
      }
      if hasComplexKey, aliases >= 16 {
        throw YAMLError(
          mark: YAMLMark(file: file, line: line, column: 1), problem: "aliases and keys that are not plain text stand together")
      }
    }
  }

  private static func isFollowedByBlank(_ bytes: [UInt8], _ index: Int) -> Bool {
    index + 1 >= bytes.count || [9, 10, 13, 32].contains(bytes[index + 1])
  }

  /// Whether a closing bracket or an alias ends right before the colon at `index`.
  private static func endsComplexKey(_ bytes: [UInt8], before index: Int) -> Bool {
    var last = index - 1
    while last >= 0, bytes[last] == 32 || bytes[last] == 9 { last -= 1 }
    guard last >= 0 else { return false }
    if bytes[last] == UInt8(ascii: "]") || bytes[last] == UInt8(ascii: "}") { return true }
    while last >= 0, bytes[last] > 32 {
      if bytes[last] == UInt8(ascii: "*") { return true }
      last -= 1
    }
    return false
  }
}

/// Turns Yams' nodes into this module's, counting them.
private struct StreamCopier {
  let file: String
  var budget: Int

  mutating func copy(_ node: Node, depth: Int) throws(YAMLError) -> YAMLNode {
    let mark = mark(node)
    budget -= 1
    guard budget > 0 else { throw YAMLError(mark: mark, problem: "aliases make the document far larger than the file") }
    guard depth < 128 else { throw YAMLError(mark: mark, problem: "the document is nested too deeply") }
    switch node {
    case .scalar(let scalar):
      let isNull = scalar.style == .plain && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
      return YAMLNode(value: .scalar(scalar.string), mark: mark, isNull: isNull)
    case .sequence(let sequence):
      var items: [YAMLNode] = []
      for item in sequence { items.append(try copy(item, depth: depth + 1)) }
      return YAMLNode(value: .sequence(items), mark: mark, isNull: false)
    case .mapping(let mapping):
      return YAMLNode(value: .mapping(try pairs(mapping, depth: depth)), mark: mark, isNull: false)
    case .alias:
      throw YAMLError(mark: mark, problem: "an alias names nothing")
    }
  }

  private mutating func pairs(
    _ mapping: Node.Mapping, depth: Int
  ) throws(YAMLError) -> [(key: String, mark: YAMLMark, value: YAMLNode)] {
    var pairs: [(key: String, mark: YAMLMark, value: YAMLNode)] = []
    var merged: [YAMLNode] = []
    for (key, item) in mapping {
      let value = try copy(item, depth: depth + 1)
      // A key that is no text is nothing any of the formats read here knows.
      guard case .scalar(let scalar) = key else { continue }
      if scalar.string == "<<", scalar.style == .plain {
        if case .sequence(let several) = value.value { merged += several } else { merged.append(value) }
      } else {
        pairs.append((scalar.string, mark(key), value))
      }
    }
    guard !merged.isEmpty else { return pairs }
    var known = Set(pairs.map(\.key))
    for node in merged {
      guard case .mapping(let more) = node.value else { continue }
      pairs += more.filter { known.insert($0.key).inserted }
    }
    return pairs
  }

  private func mark(_ node: Node) -> YAMLMark { YAMLMark(file: file, line: node.mark?.line ?? 1, column: node.mark?.column ?? 1) }
}
