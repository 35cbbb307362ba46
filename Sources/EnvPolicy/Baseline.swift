/// Old findings that are known and do not fail: kept in a file, recognised when lines have moved.
import EnvCore
import Hashing

/// Known findings by their fingerprints.
public struct LintBaseline: Codable, Sendable {
  /// One known finding, or several alike in one file.
  public struct Entry: Codable, Sendable, Equatable {
    public var rule: String
    public var file: String
    public var object: String
    public var fingerprint: String
    /// How many alike there may be.
    public var count: Int
  }

  public static let schema = 1

  public var schema = LintBaseline.schema
  public var findings: [Entry]

  /// A baseline that knows all of `findings`.
  public init(_ findings: [Finding]) {
    var entries: [String: Entry] = [:]
    for finding in findings {
      let fingerprint = finding.fingerprint
      entries[
        fingerprint,
        default: Entry(rule: finding.rule.id, file: finding.place.file, object: finding.object, fingerprint: fingerprint, count: 0)
      ].count += 1
    }
    self.findings = entries.values.sorted { ($0.file, $0.rule, $0.object) < ($1.file, $1.rule, $1.object) }
  }

  /// Parses a baseline file; `file` names it in errors.
  ///
  /// - Throws: `PolicyError.unreadableBaseline`.
  public init(parsing bytes: [UInt8], file: String) throws(PolicyError) {
    do { self = try CanonicalJSON.decode(LintBaseline.self, from: bytes, object: file) } catch {
      throw .unreadableBaseline(file: file, reason: "it is not what --write-baseline writes", underlying: error)
    }
    guard schema == Self.schema else {
      throw .unreadableBaseline(file: file, reason: "it has schema \(schema), and this envctl knows schema \(Self.schema)", underlying: nil)
    }
  }

  /// The bytes for the file.
  public func encoded() throws(JSONError) -> [UInt8] { try CanonicalJSON.encodePretty(self) }

  /// Moves the findings this baseline knows from `findings` to `known`.
  ///
  /// Of several alike, the first ones are taken for the known ones.
  public func apply(to report: inout LintReport) {
    var left = Dictionary(findings.map { ($0.fingerprint, $0.count) }) { $0 + $1 }
    var fresh: [Finding] = []
    for finding in report.findings {
      if let count = left[finding.fingerprint], count > 0 {
        left[finding.fingerprint] = count - 1
        report.known.append(finding)
      } else {
        fresh.append(finding)
      }
    }
    report.findings = fresh
  }
}

extension Finding {
  /// SHA-256 over rule, file and object: neither the line nor the wording is part of it. 32 hexadecimal digits of it.
  public var fingerprint: String {
    let words = object.split { $0 == " " || $0 == "\t" }.joined(separator: " ")
    return String(Digest.sha256(of: Array("\(rule.id)\n\(place.file)\n\(words)".utf8)).hex.prefix(32))
  }
}
