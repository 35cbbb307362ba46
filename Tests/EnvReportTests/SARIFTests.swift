/// SARIF 2.1.0 logs held against what the standard requires of each object.
import EnvCore
import EnvPolicy
import Testing

@testable import EnvReport

@Suite struct SARIFTests {
  /// The parts of a log that are looked at; decoding fails where a required property is missing.
  struct Log: Decodable {
    struct Text: Decodable { var text: String }
    struct Rule: Decodable {
      struct Configuration: Decodable { var level: String }
      var id: String
      var name: String
      var shortDescription: Text
      var fullDescription: Text
      var help: Text
      var defaultConfiguration: Configuration
    }
    struct Driver: Decodable {
      var name: String
      var version: String
      var semanticVersion: String
      var rules: [Rule]
    }
    struct Tool: Decodable { var driver: Driver }
    struct Region: Decodable {
      var startLine: Int
      var startColumn: Int
      var endLine: Int
      var endColumn: Int
      var snippet: Text
    }
    struct Artifact: Decodable {
      var uri: String
      var uriBaseId: String?
    }
    struct Physical: Decodable {
      var artifactLocation: Artifact
      var region: Region?
    }
    struct Location: Decodable { var physicalLocation: Physical }
    struct Suppression: Decodable {
      var kind: String
      var justification: String?
    }
    struct Result: Decodable {
      var ruleId: String
      var ruleIndex: Int
      var level: String
      var message: Text
      var locations: [Location]
      var partialFingerprints: [String: String]
      var suppressions: [Suppression]?
      var baselineState: String?
    }
    struct Notification: Decodable {
      var level: String
      var message: Text
      var locations: [Location]
    }
    struct Invocation: Decodable {
      var executionSuccessful: Bool
      var toolExecutionNotifications: [Notification]
    }
    struct Run: Decodable {
      var tool: Tool
      var columnKind: String
      var results: [Result]
      var invocations: [Invocation]
    }
    enum CodingKeys: String, CodingKey {
      case schema = "$schema"
      case version, runs
    }
    var schema: String
    var version: String
    var runs: [Run]
  }

  private func log(_ text: String, _ path: String, baseline: Bool = false, skipped: [SkippedFile] = []) throws -> Log {
    let lint = FileLint(Array(text.utf8), path: path)
    var report = LintReport()
    report.findings = lint.findings
    report.suppressed = lint.suppressed
    report.skipped = skipped
    if baseline { LintBaseline(lint.findings).apply(to: &report) }
    return try CanonicalJSON.decode(Log.self, from: CanonicalJSON.encode(SARIFLog(report, version: "0.1.0")), object: "the log")
  }

  @Test("required and closed values (§3.13, §3.14, §3.19, §3.27, §3.30, §3.49)") func required() throws {
    let text = "FROM a:1\nFROM $X\nRUN pip install b==1\n# envctl:ignore EC102 -- why\nFROM c\n"
    let log = try log(text, "注 x/Dockerfile", skipped: [SkippedFile(file: "t.yaml", reason: "a template")])
    #expect(log.version == "2.1.0")
    #expect(log.schema.hasSuffix("sarif-schema-2.1.0.json"))
    let run = try #require(log.runs.first)
    #expect(log.runs.count == 1)
    #expect(run.columnKind == "unicodeCodePoints")
    #expect(run.tool.driver.name == "envctl")
    #expect(run.tool.driver.semanticVersion == "0.1.0")
    #expect(run.tool.driver.rules.map(\.id) == Rule.all.map(\.id))
    let levels: Set<String> = ["none", "note", "warning", "error"]
    for rule in run.tool.driver.rules {
      #expect(levels.contains(rule.defaultConfiguration.level))
      // §3.12.4: a plain text message ends like a sentence.
      #expect(rule.shortDescription.text.hasSuffix("."))
      #expect(!rule.help.text.isEmpty && !rule.name.contains(" "))
    }
    #expect(run.results.map(\.ruleId) == ["EC103", "EC106", "EC203", "EC102"])
    for result in run.results {
      #expect(run.tool.driver.rules[result.ruleIndex].id == result.ruleId)
      #expect(levels.contains(result.level))
      #expect(!result.message.text.isEmpty)
      #expect(result.partialFingerprints["envctl/v1"]?.count == 32)
      let place = try #require(result.locations.first).physicalLocation
      #expect(place.artifactLocation.uri == "%E6%B3%A8%20x/Dockerfile")
      #expect(place.artifactLocation.uriBaseId == "%SRCROOT%")
      let region = try #require(place.region)
      #expect(region.startLine >= 1 && region.startColumn >= 1 && region.endLine >= region.startLine)
      #expect(region.endColumn >= region.startColumn)
      #expect(!region.snippet.text.isEmpty)
    }
    #expect(run.results.map { $0.suppressions?.first?.kind } == [nil, nil, nil, "inSource"])
    #expect(run.results.last?.suppressions?.first?.justification == "why")
    #expect(run.invocations.first?.executionSuccessful == true)
    #expect(run.invocations.first?.toolExecutionNotifications.map(\.message.text) == ["skipped: a template"])
  }

  @Test func known() throws {
    let results = try #require(try log("FROM a:1\n", "/abs/Dockerfile", baseline: true).runs.first).results
    #expect(results.map(\.baselineState) == ["unchanged"])
    #expect(results.first?.suppressions?.first?.kind == "external")
    #expect(results.first?.locations.first?.physicalLocation.artifactLocation.uri == "file:///abs/Dockerfile")
    #expect(results.first?.locations.first?.physicalLocation.artifactLocation.uriBaseId == nil)
  }
}
