/// Comments that silence findings: `envctl:ignore EC101 -- reason` for a line, `envctl:ignore-file EC101 -- reason` for a file.
import EnvCore

/// The suppressions of one file.
struct Suppressions {
  static let marker = "envctl:ignore"
  /// More names than there are rules; what follows them silences nothing.
  private static let wordLimit = 64

  /// One comment.
  struct Comment {
    var range: Range<Int>
    /// Counted from 0.
    var line: Int
    /// Whether nothing but the comment stands on its line, so that it speaks for what follows.
    var isAlone: Bool
    var coversFile: Bool
    var rules: [Rule]
    var unknown: [String]
    var reason: String
    var isUsed = false
  }

  private(set) var comments: [Comment] = []
  private var byLine: [Int: [Int]] = [:]
  private var forFile: [Rule: [Int]] = [:]

  init(_ source: SourceText) {
    var start = 0
    while let offset = firstOffset(of: Self.marker, in: source.bytes, from: start) {
      start = offset + Self.marker.utf8.count
      guard let comment = Self.comment(source, offset) else { continue }
      // A comment is all of its line, or a line of many would be read again for each of them.
      start = comment.range.upperBound
      byLine[comment.line, default: []].append(comments.count)
      // One is enough, and the first with a reason is the one that works.
      if comment.coversFile, !comment.reason.isEmpty {
        for rule in comment.rules where forFile[rule] == nil { forFile[rule] = [comments.count] }
      }
      comments.append(comment)
    }
  }

  private static func comment(_ source: SourceText, _ offset: Int) -> Comment? {
    let line = source.lineIndex(of: offset)
    let range = source.lineRange(line)
    guard offset < range.upperBound, let sign = commentSign(source, range.lowerBound, offset) else { return nil }
    var start = offset + marker.utf8.count
    let coversFile = source.bytes[start..<range.upperBound].starts(with: "-file".utf8)
    if coversFile { start += "-file".utf8.count }
    guard start == range.upperBound || source.bytes[start] == 32 || source.bytes[start] == 9 else { return nil }
    let rest = source.text(start..<range.upperBound)
    let parts = rest.range(ofASCII: "--").map { (rest[..<$0], rest[$0...].dropFirst(2)) } ?? (rest[...], "")
    var rules: [Rule] = []
    var unknown: [String] = []
    for word in parts.0.split(maxSplits: wordLimit, whereSeparator: { $0 == " " || $0 == "," || $0 == "\t" }).prefix(wordLimit) {
      let name = String(word).shortened
      if let rule = try? Rule.named(name) { rules.append(rule) } else { unknown.append(name) }
    }
    let isAlone = source.bytes[range.lowerBound..<sign].allSatisfy { $0 == 32 || $0 == 9 || $0 == 0xEF || $0 == 0xBB || $0 == 0xBF }
    let reason = parts.1.split { $0 == " " || $0 == "\t" }.joined(separator: " ").shortened
    return Comment(
      range: offset..<range.upperBound, line: line, isAlone: isAlone, coversFile: coversFile, rules: rules, unknown: unknown, reason: reason
    )
  }

  /// Where the comment begins that the marker stands in: `#` or `//` with only blanks up to the marker.
  private static func commentSign(_ source: SourceText, _ lineStart: Int, _ offset: Int) -> Int? {
    var index = offset - 1
    while index >= lineStart, source.bytes[index] == 32 || source.bytes[index] == 9 { index -= 1 }
    guard index >= lineStart else { return nil }
    if source.bytes[index] == UInt8(ascii: "#") { return index }
    guard index > lineStart, source.bytes[index] == UInt8(ascii: "/"), source.bytes[index - 1] == UInt8(ascii: "/") else { return nil }
    return index - 1
  }

  /// The reason for which a finding is silenced. A comment without a reason silences nothing.
  ///
  /// - Parameters:
  ///   - line: Where the finding stands, counted from 0.
  ///   - statement: Where its statement begins: a comment above a long command speaks for all of it.
  mutating func reason(for rule: Rule, line: Int, statement: Int) -> String? {
    let near = [line, line - 1, statement, statement - 1].flatMap { byLine[$0] ?? [] }.filter { index in
      let comment = comments[index]
      let reach = comment.isAlone ? comment.line + 1 : comment.line
      return !comment.coversFile && (reach == line || reach == statement)
    }
    for index in near + (forFile[rule] ?? []) where comments[index].rules.contains(rule) && !comments[index].reason.isEmpty {
      comments[index].isUsed = true
      return comments[index].reason
    }
    return nil
  }

  private static func nearestRule(_ name: String) -> String? { didYouMean(name, among: Rule.all.flatMap { [$0.id, $0.name] }) }

  /// What is wrong with the comments themselves.
  func report(into collector: inout Collector) {
    for comment in comments where !collector.isFull {
      // To look for what was meant in thousands of mistakes would take minutes.
      let isHelpful = collector.findings.count < 100
      let names = (comment.rules.map(\.id) + comment.unknown).joined(separator: ", ")
      if comment.reason.isEmpty {
        collector.report(
          .suppressionWithoutReason, at: comment.range, statement: comment.range.lowerBound,
          "the suppression of \(names.isEmpty ? "no rule" : names) gives no reason")
      } else if let name = comment.unknown.first {
        collector.report(
          .suppressionWithoutUse, at: comment.range, statement: comment.range.lowerBound, "there is no rule '\(name)' to suppress",
          suggestion: (isHelpful ? Self.nearestRule(name) : nil) ?? "`envctl lint --rules` lists all rules")
      } else if !comment.isUsed {
        collector.report(
          .suppressionWithoutUse, at: comment.range, statement: comment.range.lowerBound,
          comment.rules.isEmpty ? "the suppression names no rule" : "the suppression of \(names) silences nothing")
      }
    }
  }
}
