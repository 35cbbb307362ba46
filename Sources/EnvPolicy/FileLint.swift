/// Linting of one file's bytes, from the rules' raw findings to findings with places.
import EnvCore

/// What came of one file.
public struct FileLint: Sendable {
  /// In the order of their places.
  public internal(set) var findings: [Finding] = []
  public internal(set) var suppressed: [SuppressedFinding] = []
  /// Why the file was not read, when it should have been.
  public internal(set) var skipped: SkippedFile?
  /// Whether a rule looked at the file.
  public internal(set) var wasRead = false

  /// Lints `bytes`; files of no known kind have no findings.
  ///
  /// - Parameters:
  ///   - path: As people see it; its last component helps to tell the kind.
  ///   - hasRecipeLock: Whether `image.lock` lies beside the file.
  public init(_ bytes: [UInt8], path: String, rules: Set<Rule> = Set(Rule.all), hasRecipeLock: Bool = false) {
    guard let guess = FileKind.guess(path) else { return }
    let kind: FileKind
    switch guess {
    case .known(let known): kind = known
    case .unknown:
      guard FileKind.isScript(bytes) else { return }
      kind = .script
    }
    // A NUL in text is a sign of a binary with a misleading name, and libyaml stops at it.
    guard !bytes.contains(0) else {
      tellUnread(path, "it holds NUL bytes, so it is no text", rules: rules)
      return
    }
    let source = SourceText(path: path, bytes: bytes)
    let name = path.split(separator: "/").last.map { $0.lowercased() } ?? ""
    guard FileKind.mayMatter(kind, source, name: name) else { return }
    if let limit = kind.sizeLimit, bytes.count > limit {
      tellUnread(path, "it is larger than \(limit >> 20) MiB", rules: rules)
      return
    }
    var collector = Collector(source)
    do {
      try FileReader.read(kind, &collector, hasRecipeLock: hasRecipeLock)
      wasRead = true
    } catch {
      if error.isExpected {
        skipped = SkippedFile(file: path, reason: error.reason)
      } else {
        tellUnread(path, error.reason, line: error.line, rules: rules)
      }
      return
    }
    finish(&collector, rules: rules)
  }

  /// What came of a file that should have been judged and could not be.
  init(unread path: String, reason: String, rules: Set<Rule>) { tellUnread(path, reason, rules: rules) }

  private mutating func tellUnread(_ path: String, _ reason: String, line: Int = 1, rules: Set<Rule>) {
    // It can quote the file.
    let reason = Self.visible(reason)
    skipped = SkippedFile(file: path, reason: reason)
    guard rules.contains(.unreadable) else { return }
    findings.insert(
      Finding(
        rule: .unreadable, place: Place(file: path, line: line), message: Self.visible("not judged: \(reason)"),
        suggestion: Rule.unreadable.fix, object: "the file"),
      at: 0)
  }

  /// Applies the suppressions and works out the places.
  private mutating func finish(_ collector: inout Collector, rules: Set<Rule>) {
    let source = collector.source
    var suppressions = Suppressions(source)
    var kept: [Collector.Raw] = []
    var silenced: [(raw: Collector.Raw, reason: String)] = []
    for raw in Self.ordered(collector.findings) where rules.contains(raw.rule) {
      let line = source.lineIndex(of: raw.range.lowerBound)
      if let reason = suppressions.reason(for: raw.rule, line: line, statement: source.lineIndex(of: raw.statement)) {
        silenced.append((raw, reason))
      } else {
        kept.append(raw)
      }
    }
    var remarks = Collector(source)
    suppressions.report(into: &remarks)
    // A rule that was not asked for says nothing, so its suppression cannot be called unused.
    let isComplete = rules.count == Rule.all.count
    kept += remarks.findings.filter { rules.contains($0.rule) && ($0.rule != .suppressionWithoutUse || isComplete) }
    var places = PlaceFinder(source)
    findings = Self.ordered(kept).map { Self.finding($0, &places) }
    suppressed = silenced.map { SuppressedFinding(finding: Self.finding($0.raw, &places), reason: $0.reason) }
    if collector.isFull {
      tellUnread(source.path, "it has more than \(Collector.limit) findings; the others are left out", rules: rules)
    }
  }

  /// By place and rule; what two aliases of one anchor report twice is one finding.
  private static func ordered(_ findings: [Collector.Raw]) -> [Collector.Raw] {
    var seen: Set<String> = []
    return findings.sorted { ($0.range.lowerBound, $0.rule.id, $0.message) < ($1.range.lowerBound, $1.rule.id, $1.message) }
      .filter { seen.insert("\($0.range) \($0.rule.id) \($0.message)").inserted }
  }

  private static func finding(_ raw: Collector.Raw, _ places: inout PlaceFinder) -> Finding {
    Finding(
      rule: raw.rule, place: places.place(raw.range), message: visible(raw.message), suggestion: visible(raw.suggestion), pin: raw.pin,
      object: visible(raw.object))
  }

  /// Control characters of a file must not reach a terminal, and a line of megabytes must not fill a report.
  private static func visible(_ text: String) -> String {
    let short = text.shortened
    guard short.unicodeScalars.contains(where: isControl) else { return short }
    var result = String.UnicodeScalarView()
    for scalar in short.unicodeScalars { result.append(isControl(scalar) ? " " : scalar) }
    return String(result)
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar.value < 32 || scalar.value == 127 || (0x80..<0xA0).contains(scalar.value)
  }
}

/// A file that should have been read and could not be.
public struct SkippedFile: Sendable, Hashable {
  public let file: String
  public let reason: String

  public init(file: String, reason: String) {
    self.file = file
    self.reason = reason
  }
}
