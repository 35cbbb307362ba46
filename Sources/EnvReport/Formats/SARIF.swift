/// SARIF 2.1.0 (OASIS, "Static Analysis Results Interchange Format"): the part that envctl writes. What a result means is the caller's.
import EnvCore

/// A SARIF log with one run.
public struct SARIFLog: Encodable, Sendable {
  /// §3.5: how a result is rated.
  public enum Level: String, Encodable, Sendable { case none, note, warning, error }

  /// §3.11, §3.12: a text for people.
  public struct Message: Encodable, Sendable {
    public var text: String
    public init(_ text: String) { self.text = text }
  }

  /// §3.49: what a rule is.
  public struct Rule: Encodable, Sendable {
    public struct Configuration: Encodable, Sendable { public var level: Level }
    public var id: String
    public var name: String
    public var shortDescription: Message
    public var fullDescription: Message
    public var help: Message
    public var defaultConfiguration: Configuration

    public init(id: String, name: String, summary: String, help: String, level: Level) {
      self.id = id
      self.name = name
      shortDescription = Message(summary)
      fullDescription = Message(summary)
      self.help = Message(help)
      defaultConfiguration = Configuration(level: level)
    }
  }

  /// §3.30: lines and columns count from 1; the end column is the one after the last.
  public struct Region: Encodable, Sendable {
    public var startLine: Int
    public var startColumn: Int
    public var endLine: Int
    public var endColumn: Int
    public var snippet: Message?

    public init(startLine: Int, startColumn: Int, endLine: Int, endColumn: Int, snippet: String? = nil) {
      self.startLine = startLine
      self.startColumn = startColumn
      self.endLine = endLine
      self.endColumn = endColumn
      self.snippet = snippet.map { Message($0) }
    }
  }

  /// §3.28: a stretch of a file, or a file as a whole.
  public struct Location: Encodable, Sendable {
    public struct Physical: Encodable, Sendable {
      public struct Artifact: Encodable, Sendable {
        public var uri: String
        public var uriBaseId: String?
      }
      public var artifactLocation: Artifact
      public var region: Region?
    }
    public var physicalLocation: Physical

    public init(file: String, region: Region?) {
      // §3.4.4: a relative reference is resolved against the root of the sources.
      let artifact = Physical.Artifact(uri: SARIFLog.uri(file), uriBaseId: file.hasPrefix("/") ? nil : "%SRCROOT%")
      physicalLocation = Physical(artifactLocation: artifact, region: region)
    }
  }

  /// §3.35: why a result does not count.
  public struct Suppression: Encodable, Sendable {
    public enum Kind: String, Encodable, Sendable { case inSource, external }
    public var kind: Kind
    public var justification: String?

    public init(kind: Kind, justification: String?) {
      self.kind = kind
      self.justification = justification
    }
  }

  /// §3.27: one result.
  public struct Result: Encodable, Sendable {
    public var ruleId: String
    public var ruleIndex: Int?
    public var level: Level
    public var message: Message
    public var locations: [Location]
    public var partialFingerprints: [String: String]?
    public var suppressions: [Suppression]?
    /// §3.27.24: `new`, `unchanged` and their like, for a run that was compared with a baseline.
    public var baselineState: String?

    public init(ruleId: String, ruleIndex: Int?, level: Level, message: String, locations: [Location]) {
      self.ruleId = ruleId
      self.ruleIndex = ruleIndex
      self.level = level
      self.message = Message(message)
      self.locations = locations
    }
  }

  /// §3.58: something the tool has to say about its own run, such as a file it could not read.
  public struct Notification: Encodable, Sendable {
    public var level: Level
    public var message: Message
    public var locations: [Location]

    public init(level: Level, message: String, locations: [Location]) {
      self.level = level
      self.message = Message(message)
      self.locations = locations
    }
  }

  private struct Run: Encodable {
    struct Tool: Encodable { var driver: Driver }
    struct Driver: Encodable {
      var name: String
      var version: String
      var semanticVersion: String
      var rules: [Rule]
    }
    struct Invocation: Encodable {
      var executionSuccessful: Bool
      var toolExecutionNotifications: [Notification]
    }
    var tool: Tool
    var invocations: [Invocation]
    /// §3.14.17: what columns count.
    var columnKind = "unicodeCodePoints"
    var results: [Result]
  }

  private enum CodingKeys: String, CodingKey {
    case schema = "$schema"
    case version, runs
  }

  private var schema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
  private var version = "2.1.0"
  private var runs: [Run]

  /// - Parameter version: The program's version, such as `0.1.0`.
  public init(version: String, rules: [Rule], results: [Result], notifications: [Notification] = []) {
    runs = [
      Run(
        tool: .init(driver: .init(name: "envctl", version: version, semanticVersion: version, rules: rules)),
        invocations: [.init(executionSuccessful: true, toolExecutionNotifications: notifications)], results: results)
    ]
  }

  /// A path as a URI reference (RFC 3986): everything but unreserved characters and slashes is percent-encoded.
  static func uri(_ path: String) -> String {
    var result = path.hasPrefix("/") ? "file://" : ""
    for byte in path.utf8 {
      let isUnreserved = (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || "-._~/".utf8.contains(byte)
      if isUnreserved {
        result.unicodeScalars.append(Unicode.Scalar(byte))
      } else {
        let digits = String(byte, radix: 16, uppercase: true)
        result += "%" + (digits.utf8.count < 2 ? "0" : "") + digits
      }
    }
    return result
  }
}
