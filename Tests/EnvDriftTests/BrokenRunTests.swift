/// Runs that give no comparable result: broken, with the step and the operator; and those no verdict may be given on.
import EnvCore
import EnvDrift
import Testing

@Suite struct BrokenRunTests {
  func judge(_ lines: [String]) throws -> Verdict { try Comparison(with: baseline()).judge(observe(lines)) }

  @Test func nonFiniteValueInTheWorkload() throws {
    let failure =
      #"{"record":"error","precision":"float64","step":2,"operator":"sequence.lstm (LSTM)","message":"gave nan"}"#
    let double = FakeTraining()
    let verdict = try judge(FakeTraining(precision: .float32).lines + [double.header, double.step(1), failure])
    #expect(verdict.outcome == .broken)
    #expect(verdict.exitCode == .failed)
    #expect(verdict.reading == "float64, step 2, sequence.lstm (LSTM): gave nan")
    #expect(verdict.breakages.count == 1)
    #expect(verdict.measurements.map(\.steps) == [6, 1], "what was computed until then is compared all the same")
  }

  @Test func aCrashAfterTheLastStepIsOneOfTheInference() throws {
    let failure = #"{"record":"error","precision":"float32","step":null,"operator":null,"message":"ended by signal 11"}"#
    let verdict = try judge(FakeTraining(precision: .float32).lines.dropLast() + [failure] + FakeTraining().lines)
    #expect(verdict.outcome == .broken)
    #expect(verdict.tiers?.filter { $0.state == .broken }.map(\.tier) == [.inference])
  }

  @Test func crashBeforeTheHeader() throws {
    let failure = #"{"record":"error","precision":"float32","step":null,"operator":null,"message":"ended by signal 11"}"#
    let verdict = try judge([failure] + FakeTraining().lines)
    #expect(verdict.outcome == .broken)
    #expect(verdict.reading == "float32: ended by signal 11")
    #expect(verdict.breakages.count == 1, "the failed precision is not reported as missing too")
  }

  /// What differs is then known from outside alone. Of the host only missing instructions end a program.
  @Test func aRunThatToldNothingIsSuspectedByWhatDiffersAtRest() throws {
    let failure = #"{"record":"error","precision":"float32","step":null,"operator":null,"message":"ended by signal 11"}"#
    let baseline = try baseline { $0.contents = ["paddlepaddle": "1"] }
    func verdict(_ mounts: [String: String] = [:], _ change: (inout Environment) -> Void = { _ in }) throws -> Verdict {
      var environment = baseline.environment
      change(&environment)
      var comparison = Comparison(with: baseline)
      comparison.atRest = EnvironmentAtRest(environment, mounts: mounts)
      return try comparison.judge(observe([failure]))
    }
    let preloaded = try verdict { $0.preloaded = ["/drift/x.so"] }
    #expect(preloaded.outcome == .broken)
    #expect(preloaded.cause?.pattern == .breakage)
    #expect(preloaded.cause?.suspects.first?.difference.kind == .preload)
    #expect(preloaded.reading.contains("/drift/x.so"), "\(preloaded.reading)")
    #expect(try verdict { $0.platform.kernel = "7.0.0" }.cause == nil)
    #expect(try verdict { $0.cpu.flags = ["avx", "avx2", "fma"] }.cause == nil)
    #expect(try verdict { $0.cpu.flags = ["avx"] }.cause?.suspects.first?.difference.kind == .cpu)
    #expect(try verdict(["/etc/hosts": "/tmp/hosts"]).cause == nil)
  }

  @Test func aMissingPrecision() throws {
    let verdict = try judge(FakeTraining().lines)
    #expect(verdict.outcome == .broken)
    #expect(verdict.breakages == [Breakage(precision: .float32, message: "the float32 training is missing")])
  }

  @Test func noStream() throws {
    let verdict = try judge([])
    #expect(verdict.outcome == .broken)
    #expect(verdict.reading == "the workload wrote no record")
  }

  @Test func aStreamCutShort() throws {
    let verdict = try Comparison(with: baseline()).judge(observe(Array(stream(lines()).dropLast(30))))
    #expect(verdict.outcome == .broken)
    #expect(verdict.reading.contains("broke off"))
  }

  @Test func garbageAmongTheRecords() throws {
    let verdict = try judge(lines() + ["Killed"])
    #expect(verdict.outcome == .broken)
    #expect(verdict.reading.contains("line 21"))
  }

  @Test func aMissingEvaluation() throws {
    let verdict = try judge(lines(float64: { $0.evaluations = [6] }))
    #expect(verdict.outcome == .broken)
    #expect(verdict.reading == "float64, step 3: the evaluation is missing")
  }

  @Test func anotherNumberOfScores() throws {
    let verdict = try judge(lines(float32: { $0.scores = [0.1, 0.2] }))
    #expect(verdict.outcome == .broken)
    #expect(verdict.reading == "float32, step 3: 2 scores where the baseline has 4")
  }

  @Test func anotherVersionOfTheWorkloadIsNoVerdict() throws {
    let change: (inout FakeTraining) -> Void = { $0.version = "1.1.0" }
    #expect {
      try judge(lines(float32: change, float64: change))
    } throws: {
      guard case DriftError.foreignWorkload("test", let expected, let actual) = $0 else { return false }
      return expected.version == "1.0.0" && actual.version == "1.1.0" && DiagnosticChain($0).exitCode == .usage
    }
  }

  @Test func anotherSchemaIsNoVerdict() throws {
    #expect {
      try judge(lines(float32: { $0.schema = 2 }))
    } throws: {
      if case DriftError.foreignSchema(line: 1, found: 2) = $0 { true } else { false }
    }
  }

  @Test func aRunBeyondTheBaselineIsNoVerdict() throws {
    for change: (inout FakeTraining) -> Void in [{ $0.steps = 7 }, { $0.evaluations = [2, 3, 6] }] {
      #expect {
        try judge(lines(float64: change))
      } throws: {
        if case DriftError.notCovered("test", .float64, _) = $0 { true } else { false }
      }
    }
  }
}
