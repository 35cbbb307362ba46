/// The page of metrics of a run under way, and the story in the Elastic Common Schema.
import EnvCore
import EnvDrift
import SafeFS
import SystemPackage
import TestSupport
import Testing

@testable import EnvReport

@Suite struct MetricsTests {
  private func run() throws -> LiveRun {
    var run = LiveRun(
      id: "ab", environment: "a \"b\"\\\n", started: Timestamp(secondsSinceEpoch: 1_700_000_000), command: ["train"], against: nil)
    run.take(.announcement(steps: 10))
    run.take(.step(4, values: ["loss": 0.125, "seconds": 0.5]))
    run.take(.metric("auc", 0.75, step: nil))
    run.memory = 1 << 20
    return run
  }

  @Test func text() throws {
    var run = try run()
    let text = MetricsText(run, now: Timestamp(secondsSinceEpoch: 1_700_000_009)).text
    #expect(text.contains(#"envctl_check_info{run="ab",environment="a \"b\"\\\n",workload="train"} 1"# + "\n"))
    for line in [
      #"envctl_check_step{training="program"} 4"#, #"envctl_check_progress_ratio{training="program"} 0.4"#,
      #"envctl_check_loss{training="program"} 0.125"#, #"envctl_check_step_duration_seconds{training="program"} 0.5"#,
      #"envctl_check_metric{training="program",metric="auc"} 0.75"#, "envctl_check_memory_bytes 1048576",
      #"envctl_check_verdict{verdict="running"} 1"#, "envctl_check_start_time_seconds 1700000000",
    ] {
      #expect(text.contains("\n" + line + "\n"), "\(line) is not in\n\(text)")
    }
    #expect(!text.contains("envctl_check_exit_status"))
    run.outcome = "drift"
    run.exitCode = .drift
    let end = MetricsText(run, now: .now).text
    #expect(end.contains(#"envctl_check_verdict{verdict="drift"} 1"#) && end.contains(#"envctl_check_verdict{verdict="running"} 0"#))
    #expect(end.contains("\nenvctl_check_exit_status 3\n"))
  }

  @Test("every sample follows the help and type of its metric") func form() throws {
    var current = ""
    for line in MetricsText(try run(), now: .now).text.split(separator: "\n") {
      let words = line.split(separator: " ", maxSplits: 3)
      if line.hasPrefix("# HELP ") {
        current = String(words[2])
        #expect(words.count == 4)
      } else if line.hasPrefix("# TYPE ") {
        #expect(words[2] == current && words[3] == "gauge")
      } else {
        #expect(line.prefix { $0 != " " && $0 != "{" } == current)
      }
    }
  }

  @Test func deviation() throws {
    let lines = [#"{"step":1,"loss":1.0}"#, #"{"step":2,"loss":0.5}"#].map { $0 + "\n" }.joined()
    let image = try Digest(hex: String(repeating: "a", count: 64))
    let baseline = try ProgramBaseline(command: ["x"], image: image, host: [:], reader: .replay(Array(lines.utf8)))
    var run = LiveRun(
      id: "ab", environment: "e", started: .now, command: ["x"], against: ProgramComparison(with: baseline, bands: ["loss": 0.01]))
    run.take(.step(1, values: ["loss": 1.0]))
    #expect(run.tracks["program"]?.deviation == 0)
    run.take(.step(2, values: ["loss": 0.4]))
    run.take(.step(3, values: ["loss": 9]))
    #expect(run.tracks["program"]?.deviation.map { ($0 * 1000).rounded() } == 200)
    #expect(run.tracks["program"]?.steps == 2 && run.tracks["program"]?.band == 0.01)
  }

  @Test func elasticCommonSchema() throws {
    struct Line: Decodable {
      var level: String
      var message: String
      var trace: String
      var timestamp: String
      var version: String
      var action: String?
      var duration: Int64?
      var code: String?
      enum CodingKeys: String, CodingKey {
        case level = "log.level"
        case message
        case trace = "trace.id"
        case timestamp = "@timestamp"
        case version = "ecs.version"
        case action = "event.action"
        case duration = "event.duration"
        case code = "error.code"
      }
    }
    struct Failure: Diagnostic {
      var summary: String { "a \"file\"\nis missing" }
      var hint: String? { "look" }
    }
    try withTemporaryFolder { folder in
      let path = folder.appending("log")
      let file = try FileDescriptor.open(path, .writeOnly, options: [.create], permissions: .ownerReadWrite)
      let reporter = ECSReporter(program: "envctl", version: "0.1.0", traceID: "0af7", descriptor: file.rawValue)
      reporter.stage("pin") { _ in ((), "pinned") }
      reporter.warned("careful")
      reporter.failed(ErrorText(Failure()))
      try file.close()
      let lines = String(decoding: try FileSystem.readFile(path), as: UTF8.self).split(separator: "\n")
      let entries = try lines.map { try CanonicalJSON.decode(Line.self, from: Array($0.utf8), object: "a line") }
      #expect(entries.map(\.level) == ["debug", "info", "warn", "error"])
      #expect(
        entries.allSatisfy { $0.trace == "0af7" && $0.version.hasPrefix("8.") && $0.timestamp.count == 24 && $0.timestamp.hasSuffix("Z") })
      #expect(entries[1].action == "pin" && entries[1].message == "pinned" && (entries[1].duration ?? -1) > 0)
      #expect(entries[3].message == "a \"file\"\nis missing; hint: look" && entries[3].code == "1")
    }
  }
}
