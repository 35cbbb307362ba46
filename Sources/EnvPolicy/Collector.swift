/// Gathers what the rules find in one file. Readers and rules write to it; the linter makes findings of it.
import EnvCore
import OCI

/// What the rules found in one file so far.
struct Collector {
  /// A finding before its place is worked out.
  struct Raw {
    let rule: Rule
    let range: Range<Int>
    /// Where the statement begins that the finding is part of: a comment above it silences the finding as well.
    let statement: Int
    let message: String
    let suggestion: String
    let pin: Pin?
    let object: String
  }

  let source: SourceText
  private(set) var findings: [Raw] = []
  /// Whether findings were left out because there were too many for any reader.
  private(set) var isFull = false

  /// Nobody reads more of one file, and a hostile one could have a million.
  static let limit = 10_000

  init(_ source: SourceText) { self.source = source }

  /// Notes a finding. Of its texts only what people read is kept: a file can have one of megabytes in each of its findings.
  ///
  /// - Parameter object: What recognises the finding when its line has moved; the source text of the place unless something else is said.
  mutating func report(
    _ rule: Rule, at range: Range<Int>, statement: Int, _ message: String, suggestion: String? = nil, pin: Pin? = nil, object: String? = nil
  ) {
    guard findings.count < Self.limit else {
      isFull = true
      return
    }
    let end = min(range.upperBound, range.lowerBound + 300)
    findings.append(
      Raw(
        rule: rule, range: range, statement: statement, message: message.shortened, suggestion: (suggestion ?? rule.fix).shortened,
        pin: pin, object: object?.shortened ?? source.text(range.lowerBound..<max(range.lowerBound, end))))
  }
}

extension String {
  /// The text as a report holds it: nobody reads more of one, and names that a file gives can be as long as the file.
  ///
  /// Baselines recognise findings by texts cut so; another length would make known findings new.
  var shortened: String { utf8.count <= 500 ? self : String(unicodeScalars.prefix(400)) + "…" }
}
