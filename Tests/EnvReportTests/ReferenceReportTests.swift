/// The report of the reference workload: its rows, curves and scores, for a run that ended and one that broke.
import EnvCore
import EnvDrift
import Testing

@testable import EnvReport

@Suite struct ReferenceReportTests {
  /// Two steps and an evaluation at each precision.
  private static func stream(loss: Double = 0.5, score: Double = 0.25, isWhole: Bool = true) -> [UInt8] {
    let hex = String(repeating: "a", count: 64)
    let digests = #"{"digest":"sha256:\#(hex)"}"#
    let lines = ["float32", "float64"].flatMap { precision -> [String] in
      let head = #"{"precision":"\#(precision)","record":"#
      let whole = [
        head + #""step","step":2,"loss":\#(loss),"bce":0.5,"ctc":0.25,"gradient_norm":0.5,"seconds":0.25}"#,
        head
          + #""evaluation","step":2,"auc":0.75,"ks":0.5,"amounts_exact":0,"scores":[0.125,\#(score)],"weights":\#(digests),"masks":\#(digests),"order":\#(digests)}"#,
        head + #""end","seconds":1.5,"peak_memory_bytes":1000000}"#,
      ]
      return [
        head + #""run","schema":1,"workload":"riskmodel","version":"1","profile":"quick","steps":2,"parameters":10,"data":\#(digests),"#
          + #""weights":\#(digests),"hyperparameters":{},"environment":{"python":"3.11.2","packages":{"numpy":"1.26.4"},"libraries":{},"#
          + #""platform":{"machine":"x86_64","kernel":"6.1","libc":"glibc 2.36"},"cpu":{"model":"A CPU","flags":[],"flags_digest":"sha256:\#(hex)"},"#
          + #""threads":{},"variables":{},"cleared":{}}}"#,
        head + #""step","step":1,"loss":1.0,"bce":0.5,"ctc":0.25,"gradient_norm":0.5,"seconds":0.25}"#,
      ] + (isWhole ? whole : [head + #""error","step":2,"operator":"lstm","message":"nan"}"#])
    }
    return Array(lines.map { $0 + "\n" }.joined().utf8)
  }

  private static func observe(_ bytes: [UInt8]) -> Observation {
    var reader = ObservationReader()
    _ = try? reader.read(bytes)
    try? reader.finish()
    return reader.observation
  }

  private func report(_ bytes: [UInt8]) throws -> CheckReport {
    let baseline = try Baseline(
      name: "x", image: try Digest(hex: String(repeating: "9", count: 64)), observation: Self.observe(Self.stream()),
      bands: [.float32: Band(loss: 1e-6, score: 1e-5), .float64: .rounding])
    let observation = Self.observe(bytes)
    let run = RunFacts(
      id: "ab", started: Timestamp(secondsSinceEpoch: 0), seconds: 2, environment: "x", image: baseline.image, command: ["python3"],
      ending: "exit status 0")
    return CheckReport(try Comparison(with: baseline).judge(observation), observation, against: baseline, run: run)
  }

  @Test func drift() throws {
    let report = try report(Self.stream(loss: 0.50001, score: 0.5))
    #expect(report.standing == .drift && report.exitCode == .drift)
    #expect(report.rows.map(\.name) == ["float64 loss", "float64 scores", "float32 loss", "float32 scores"])
    #expect(report.rows.allSatisfy { $0.agreement == .beyondBand && $0.step == 2 })
    #expect(report.curves.map(\.name) == ["float64 loss", "float32 loss"] && report.curves.allSatisfy { $0.firstBeyond == 2 })
    #expect(report.curves[0].deviations[0].y == 0 && abs(report.curves[0].deviations[1].y - 2e-5) < 1e-8)
    #expect(report.scatters[0].pairs == [Plot.Point(0.125, 0.125), Plot.Point(0.25, 0.5)])
    #expect(
      report.scatters[0].summary == "The largest difference of a score is 2.5e-1; 1 of 2 scores beyond the band of 1.0e-12.")
    #expect(report.facts.contains { $0.name == "Steps, float64" && $0.value == "2 of 2, 250 ms each (median), 1.0 MB at most" })
  }

  @Test func identical() throws {
    let report = try report(Self.stream())
    #expect(report.standing == .identical)
    #expect(report.curves[0].summary == "All 2 steps have the same bits as the baseline.")
    #expect(report.text[2] == "  float64 loss  █▁  1.0000 → 0.5000")
    #expect(CheckPage(report, generator: "").html.contains("Nothing that is recorded differs"))
  }

  @Test("what a broken run did not come to is not said to agree") func broken() throws {
    let report = try report(Self.stream(isWhole: false))
    #expect(report.standing == .broken && report.exitCode == .failed)
    #expect(report.rows.map(\.name) == ["float64 loss", "float32 loss"] && report.scatters.isEmpty)
    #expect(report.breakages == ["float32, step 2, lstm: nan", "float64, step 2, lstm: nan"])
    #expect(CheckPage(report, generator: "").html.contains(">ends here</text>"))
    #expect(JUnitReport(report).text.contains("tests=\"7\" failures=\"4\""))
  }
}
