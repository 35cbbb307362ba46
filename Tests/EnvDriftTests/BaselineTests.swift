/// The baseline's file form, what is refused as one, and the bands.
import EnvCore
import EnvDrift
import Testing

@Suite struct BaselineTests {
  @Test func fileKeepsEveryBit() throws {
    var baseline = try baseline()
    baseline.trajectories[.float32]?.loss[0] = Double(Float(0.1))
    baseline.trajectories[.float64]?.loss[0] = 0.1 + 0.2
    let bytes = try baseline.encoded()
    let read = try Baseline(decoding: bytes, object: "test.json")
    #expect(read == baseline)
    #expect(try read.encoded() == bytes, "one form only")
    #expect(String(decoding: bytes, as: UTF8.self).contains(#""float64":{"loss":1e-12,"score":1e-12}"#))
  }

  @Test func contributionsAreLeftOut() throws {
    #expect(try baseline().trajectories.values.flatMap(\.evaluations).allSatisfy { $0.contributions == nil })
  }

  @Test func anotherSchema() throws {
    #expect {
      try Baseline(decoding: Array(#"{"schema":7,"other":true}"#.utf8), object: "test.json")
    } throws: {
      if case DriftError.foreignBaselineSchema("test.json", found: 7) = $0 { true } else { false }
    }
  }

  @Test(arguments: ["", "{", "[]", #"{"schema":1}"#, #"{"schema":"1"}"#]) func unreadable(text: String) {
    #expect {
      try Baseline(decoding: Array(text.utf8), object: "test.json")
    } throws: {
      guard case DriftError.unreadableBaseline = $0 else { return false }
      return "\($0)".contains("test.json") && DiagnosticChain($0).exitCode == .verification
    }
  }

  @Test func contradictionsAreRefused() throws {
    let changes: [(inout Baseline) -> Void] = [
      { $0.trajectories[.float32] = nil },
      { $0.bands[.float64] = nil },
      { $0.bands[.float32] = Band(loss: 0, score: 1) },
      { $0.bands[.float32] = Band(loss: 1, score: -1) },
      { $0.trajectories[.float64]?.ctc.removeLast() },
      { $0.trajectories[.float64]?.evaluations.reverse() },
      { $0.trajectories[.float64]?.evaluations = [] },
      { $0.trajectories[.float64]?.evaluations[1].step = 7 },
    ]
    for change in changes {
      var changed = try baseline()
      change(&changed)
      let bytes = try changed.encoded()
      #expect {
        try Baseline(decoding: bytes, object: "test.json")
      } throws: {
        if case DriftError.inconsistentBaseline("test", _) = $0 { true } else { false }
      }
    }
  }

  @Test func onlyACompleteRunCanBeRecorded() throws {
    let failure = #"{"record":"error","precision":"float32","step":1,"operator":null,"message":"signal 9"}"#
    let (single, double) = (FakeTraining(precision: .float32), FakeTraining())
    for run in [[], double.lines, single.lines, [single.header, failure] + double.lines, lines().dropLast()] {
      #expect {
        try Baseline(name: "test", image: try digest("9"), observation: observe(run), bands: [.float32: .rounding, .float64: .rounding])
      } throws: {
        if case DriftError.cannotRecord = $0 { true } else { false }
      }
    }
  }

  @Test func bandsCoverWhatWasMeasured() throws {
    let comparison = Comparison(with: try baseline())
    var measured = comparison.measure(
      variation: "two threads", observe(lines(float32: { ($0.lossOffset, $0.scoreOffset) = ([1: 0.25], [6: 0.125]) })))
    measured += comparison.measure(variation: "other kernels", observe(lines(float32: { $0.scoreOffset = [3: 0.0625] })))
    #expect(measured.count == 4)
    #expect(measured[0].cpu == "A CPU" && measured[0].steps == 6)
    #expect(Band.covering(measured, of: .float32, margin: 4) == Band(loss: 0.8, score: 0.5))
    #expect(Band.covering(measured, of: .float64, margin: 4) == nil, "no deviation gives no band")
  }
}
