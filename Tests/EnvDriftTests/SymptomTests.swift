/// What counts as the same symptom, and runs of operators alone.
import EnvCore
import EnvDrift
import Testing

@Suite struct SymptomTests {
  private func withoutTraining(_ change: @escaping (inout FakeTraining) -> Void = { _ in }) -> Observation {
    let shortened = { (training: inout FakeTraining) in
      (training.steps, training.evaluations) = (0, [])
      training.operators = ["exp": 0.5, "softmax": 0.75]
      change(&training)
    }
    return observe(lines(float32: shortened, float64: shortened))
  }

  private func operatorsBaseline() throws -> Baseline {
    let bands = [Precision.float32: Band(loss: 1e-6, score: 1e-5), .float64: .rounding]
    return try Baseline(name: "good", image: try digest("9"), observation: withoutTraining(), bands: bands)
  }

  private func verdict(_ change: @escaping (inout FakeTraining) -> Void = { _ in }) throws -> Verdict {
    var comparison = Comparison(with: try operatorsBaseline())
    comparison.expectsSteps = false
    return try comparison.judge(withoutTraining(change))
  }

  @Test func operatorsAloneAreComparable() throws {
    let verdict = try verdict()
    #expect(verdict.outcome == .identical)
    #expect(verdict.reading == "every operator gives the same bits")
    #expect(verdict.tiers?.map(\.tier) == [.integrity, .operators])
    #expect(Symptom(verdict, countsBits: true) == nil)
  }

  @Test func whereStepsWereAskedForARunWithoutIsCutShort() throws {
    #expect(try Comparison(with: operatorsBaseline()).judge(withoutTraining()).outcome == .broken)
  }

  @Test func aRunWithStepsIsNotHeldAgainstOperatorsAlone() throws {
    #expect(throws: DriftError.self) { try Comparison(with: operatorsBaseline()).judge(observe(lines())) }
  }

  @Test func nothingMeasuredIsNoBaseline() throws {
    #expect(throws: DriftError.self) {
      let empty = { (training: inout FakeTraining) in (training.steps, training.evaluations) = (0, []) }
      _ = try Baseline(
        name: "good", image: try digest("9"), observation: observe(lines(float32: empty, float64: empty)),
        bands: [.float32: .rounding, .float64: .rounding])
    }
  }

  @Test func aLessAccurateOperatorIsADrift() throws {
    let bad = try verdict { $0.operators["exp"] = 5 }
    let symptom = try #require(Symptom(bad, countsBits: false))
    #expect(symptom.kind == .drift)
    #expect(symptom.tier == .operators)
    #expect(symptom.firstOperator?.hasSuffix("exp") == true)
    #expect(symptom.outcome(of: bad) == .bad)
    #expect(symptom.outcome(of: try verdict()) == .good)
  }

  @Test func otherInputsAreADriftOfIntegrity() throws {
    let bad = try verdict { $0.data = "7" }
    #expect(Symptom(bad, countsBits: false)?.tier == .integrity)
  }

  @Test func otherBitsCountOnlyWhenAskedFor() throws {
    // Another version of a package may choose another kernel.
    let moved = try verdict { training in
      training.operators["exp"] = 0.51
      training.packages["numpy"] = "2.0.0"
    }
    #expect(moved.outcome == .equivalent)
    #expect(Symptom(moved, countsBits: false) == nil)
    let symptom = try #require(Symptom(moved, countsBits: true))
    #expect(symptom.kind == .bits)
    #expect(symptom.tier == .operators)
    #expect(symptom.outcome(of: moved) == .bad)
    #expect(symptom.outcome(of: try verdict()) == .good)
  }

  @Test func anotherFailureIsNotTheSame() throws {
    func failed(_ message: String) throws -> Verdict {
      let line = #"{"record":"error","precision":"float64","step":null,"operator":null,"message":"\#(message)"}"#
      return try Comparison(with: operatorsBaseline()).judge(observe([line]))
    }
    let bad = try failed("ImportError: no module named setuptools")
    let symptom = try #require(Symptom(bad, countsBits: false))
    #expect(symptom.kind == .broken)
    #expect(symptom.outcome(of: bad) == .bad)
    #expect(symptom.outcome(of: try failed("ImportError: no module named numpy")) == .unresolved)
    #expect(symptom.outcome(of: try verdict { $0.operators["exp"] = 5 }) == .good)
    let drift = try #require(Symptom(try verdict { $0.operators["exp"] = 5 }, countsBits: false))
    #expect(drift.outcome(of: bad) == .unresolved)
  }
}
