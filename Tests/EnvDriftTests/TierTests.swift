/// Operators, inference, calibrated bands, repetitions, and the choice among baselines.
import EnvCore
import EnvDrift
import Testing

@Suite struct TierTests {
  private let known = ["exp": 0.25, "matmul": 1.5, "embedding": 0]

  private func judge(
    _ single: [String: Double], _ double: [String: Double]? = nil, _ change: (inout FakeTraining) -> Void = { _ in }
  ) throws -> Verdict {
    let run = lines(
      float32: {
        $0.operators = single
        change(&$0)
      },
      float64: {
        $0.operators = double ?? known
        change(&$0)
      })
    return try Comparison(with: try baseline { $0.operators = known }).judge(observe(run))
  }

  @Test func theSameOperatorsAreIdentical() throws {
    let verdict = try judge(known)
    #expect(verdict.outcome == .identical)
    #expect(verdict.operators?.isEmpty == true, "only what moved is listed")
    #expect(verdict.tiers?.map(\.tier) == [.integrity, .operators, .short])
    #expect(verdict.tiers?.allSatisfy { $0.state == .identical } == true)
  }

  @Test func otherBitsAreNoDriftAndNotIdentical() throws {
    let verdict = try judge(known.merging(["matmul": 1.8]) { $1 }) { $0.cpu = "Another CPU" }
    #expect(verdict.outcome == .equivalent)
    #expect(verdict.operators?.map(\.agreement) == [.otherBits])
    #expect(verdict.cause?.firstOperator == "float32 matmul")
  }

  @Test func otherBitsWithoutAReasonAreAReplacedFunction() throws {
    let moved = known.merging(["matmul": 1.8]) { $1 }
    for harmless: (inout FakeTraining) -> Void in [{ $0.threads = "2" }, { $0.variables = ["MKL_CBWR": "AVX"] }] {
      #expect(try judge(moved, nil, harmless).outcome == .equivalent)
    }
    let verdict = try judge(moved) { $0.preloaded = ["/tmp/libperturb.so"] }
    #expect(verdict.outcome == .driftPrecision)
    #expect(verdict.operators?.map(\.agreement) == [.unexplainedBits])
    #expect(verdict.reading.contains("float32 matmul") && verdict.reading.contains("preload /tmp/libperturb.so is loaded"))
  }

  @Test("what computes nothing excuses no other bits; a package whose library is in the process does") func packagesThatExcuse() throws {
    let library = "/usr/lib/python3/dist-packages/paddle/libs/math.so"
    let reference: (inout FakeTraining) -> Void = {
      ($0.operators, $0.contents, $0.libraries[library]) = (["exp": 0.25], ["paddlepaddle": "1"], "1")
    }
    func outcome(_ change: (inout FakeTraining) -> Void) throws -> Verdict.Outcome {
      let run = lines(
        float32: {
          reference(&$0)
          $0.operators = ["exp": 0.26]
          change(&$0)
        },
        float64: {
          reference(&$0)
          change(&$0)
        })
      return try Comparison(with: try baseline(reference)).judge(observe(run)).outcome
    }
    #expect(try outcome { $0.packages["harmless"] = "1.0" } == .driftPrecision)
    #expect(try outcome { ($0.packages["harmless"], $0.preloaded) = ("1.0", ["/drift.so"]) } == .driftPrecision)
    #expect(try outcome { ($0.packages["paddlepaddle"], $0.libraries[library]) = ("3.0.0", "2") } == .equivalent)
  }

  @Test("threads excuse what moved when they were varied") func threadsThatExcuse() throws {
    let varied = observe(lines(float32: { $0.operators = ["exp": 0.25, "matmul": 1.6] }, float64: { $0.operators = known }))
    var reference = try baseline { $0.operators = ["exp": 0.25, "matmul": 1.5] }
    var calibration = Calibration(margin: 4)
    let unvaried = observe(lines(float32: { $0.operators = known }, float64: { $0.operators = known }))
    try calibration.add("2 threads", of: varied, against: unvaried)
    reference.calibration = calibration
    for (name, outcome) in [("matmul", Verdict.Outcome.equivalent), ("exp", .driftPrecision)] {
      let run = lines(
        float32: { ($0.operators, $0.threads) = (["exp": 0.25, "matmul": 1.5].merging([name: name == "exp" ? 0.26 : 1.55]) { $1 }, "2") },
        float64: { ($0.operators, $0.threads) = (["exp": 0.25, "matmul": 1.5], "2") })
      #expect(try Comparison(with: reference).judge(observe(run)).outcome == outcome, "\(name)")
    }
  }

  @Test func oneULPMoreIsDriftThoughTheTrainingHidesIt() throws {
    let verdict = try judge(known.merging(["exp": 1.2]) { $1 })
    #expect(verdict.outcome == .driftPrecision && verdict.exitCode == .drift)
    #expect(verdict.cause?.firstOperator == "float32 exp")
    #expect(verdict.cause?.tier == "T1 operators")
    #expect(verdict.reading.contains("float32 exp: mean error 1.2 ULP, was 0.25, limit 0.65"))
  }

  @Test func chanceIsAllowedForWhereResultsAreFew() throws {
    // A hundred results without a calibration: twice the baseline's mean, and three standard errors.
    for (mean, outcome) in [(0.64, Verdict.Outcome.equivalent), (0.66, .driftPrecision)] {
      #expect(try judge(known.merging(["exp": mean]) { $1 }, nil) { $0.cpu = "Another CPU" }.outcome == outcome)
    }
  }

  @Test func whatWasExactMustStayExact() throws {
    #expect(try judge(known.merging(["embedding": 0.01]) { $1 }).outcome == .driftPrecision)
  }

  @Test func anotherFunctionInFloat64IsSemantics() throws {
    for (mean, outcome) in [(2000.0, Verdict.Outcome.driftPrecision), (2500, .driftSemantics)] {
      #expect(try judge(known, known.merging(["exp": mean]) { $1 }).outcome == outcome, "4504 ULP are 1e-12")
    }
  }

  @Test func aMissingOperatorIsBrokenAndNoneAtAllIsAnOlderWorkload() throws {
    let missing = try judge(known.filter { $0.key != "exp" })
    #expect(missing.outcome == .broken && missing.tiers?.contains { $0.tier == .short && $0.state == .broken } == false)
    let verdict = try judge([:], [:])
    #expect(verdict.outcome == .identical && verdict.tiers?.contains { $0.tier == .operators } == false)
  }

  @Test func anOperatorTwiceIsAFault() {
    var training = FakeTraining()
    training.operators = known
    var text = training.lines
    text.insert(text[1], at: 2)
    #expect(observe(text).faults.count == 1)
  }

  @Test func inferenceIsHeldAgainstTheDynamicGraph() throws {
    let served = ["dynamic": 0.0, "fusion": 1e-7, "fusion+onednn": 2e-7]
    let comparison = Comparison(with: try baseline { $0.inferences = $0.precision == .float32 ? served : [:] })
    func verdict(_ changes: [String: Double]) throws -> Verdict {
      try comparison.judge(observe(lines(float32: { $0.inferences = served.merging(changes) { $1 } })))
    }
    #expect(try verdict([:]).outcome == .identical)
    #expect(try verdict(["fusion": 3e-7]).outcome == .equivalent)
    let drifted = try verdict(["fusion": 1e-3])
    #expect(drifted.outcome == .driftPrecision && drifted.tiers?.last?.state == .drift)
    let refused = try verdict(["fusion+onednn": -1])
    #expect(refused.outcome == .broken && refused.reading.contains("refused"))
    #expect(refused.tiers?.filter { $0.state == .broken }.map(\.tier) == [.inference], "the training came to its end")
    #expect(try comparison.judge(observe(lines())).outcome == .identical, "a short run has no inference")
  }
}

@Suite struct CalibrationTests {
  private func calibrated(_ noise: [Int: Double], scores: [Int: Double] = [:]) throws -> Baseline {
    let reference = observe(lines())
    let varied = observe(lines(float32: { ($0.lossOffset, $0.scoreOffset) = (noise, scores) }))
    var calibration = Calibration(margin: 4)
    try calibration.add("other kernels", of: varied, against: reference)
    var baseline = try baseline()
    try baseline.adopt(calibration, [])
    return baseline
  }

  @Test func bandsFollowTheNoiseStepByStep() throws {
    let baseline = try calibrated([2: 0.5e-4, 5: 0.2e-3])
    let bands = baseline.lossBands(of: .float32)
    // Losses are 1/step, so the relative noise is 1e-4 at step 2 and 1e-3 at step 5.
    #expect(bands[0] == 0x1p-20, "never below the floor")
    for (step, band) in [(2, 4e-4), (3, 4e-4), (5, 4e-3), (6, 4e-3)] { #expect(abs(bands[step - 1] / band - 1) < 1e-2) }
    #expect(baseline.lossBands(of: .float64).allSatisfy { $0 == 1e-12 })
    let file = try baseline.encoded()
    #expect(try Baseline(decoding: file, object: "test") == baseline)
  }

  @Test func anEarlyDeviationIsHeldAgainstItsOwnStep() throws {
    let comparison = Comparison(with: try calibrated([5: 0.2e-3], scores: [6: 1e-4]))
    func outcome(_ change: (inout FakeTraining) -> Void) throws -> Verdict.Outcome {
      try comparison.judge(observe(lines(float32: change))).outcome
    }
    #expect(try outcome { $0.lossOffset = [6: 1e-4] } == .equivalent)
    #expect(try outcome { $0.lossOffset = [1: 1e-4] } == .driftPrecision)
    #expect(try outcome { $0.scoreOffset = [6: 3e-4] } == .equivalent)
    #expect(try outcome { $0.scoreOffset = [3: 3e-4] } == .driftPrecision)
  }

  @Test func anotherTrainingIsNoVariation() throws {
    var calibration = Calibration(margin: 4)
    for change: (inout FakeTraining) -> Void in [{ $0.weights = "5" }, { ($0.steps, $0.evaluations) = (3, [3]) }] {
      #expect {
        try calibration.add("seed", of: observe(lines(float32: change)), against: observe(lines()))
      } throws: {
        if case DriftError.cannotRecord = $0 { true } else { false }
      }
    }
  }

  @Test func aCalibrationOfAnotherLengthIsRefused() throws {
    var baseline = try calibrated([:])
    for precision in Precision.allCases { baseline.trajectories[precision]?.evaluations.removeLast() }
    for precision in Precision.allCases {
      baseline.trajectories[precision]?.loss.removeLast()
      baseline.trajectories[precision]?.bce.removeLast()
      baseline.trajectories[precision]?.ctc.removeLast()
      baseline.trajectories[precision]?.gradientNorm.removeLast()
    }
    let bytes = try baseline.encoded()
    #expect {
      try Baseline(decoding: bytes, object: "test")
    } throws: {
      if case DriftError.inconsistentBaseline("test", let reason) = $0 { reason.contains("calibration") } else { false }
    }
  }
}

@Suite struct RepeatabilityTests {
  private func verdict(_ runs: [Observation]) throws -> Verdict {
    try Comparison(with: try baseline()).judge(runs[0]).repeated(Repeatability(runs))
  }

  @Test func theSameAgain() throws {
    let verdict = try verdict([observe(lines()), observe(lines()), observe(lines())])
    #expect(verdict.outcome == .identical && verdict.repeatability?.description == "3 runs, every one the same to the bit")
  }

  @Test func theSmallestDifferenceIsAFindingOfItsOwn() throws {
    let changes: [(String, (inout FakeTraining) -> Void)] = [
      ("float32 step 4", { $0.lossOffset = [4: 1e-15] }), ("float32 the evaluation after step 3", { $0.scoreOffset = [3: 1e-15] }),
      ("float32 initial weights", { $0.weights = "5" }),
    ]
    for (place, change) in changes {
      let verdict = try verdict([observe(lines()), observe(lines()), observe(lines(float32: change))])
      #expect(verdict.outcome == .driftNondeterminism && verdict.exitCode == .drift)
      #expect(verdict.repeatability?.differing.map(\.repetition) == [3])
      #expect(verdict.repeatability?.differing.first?.place == place)
    }
  }
}

@Suite struct NearestBaselineTests {
  private func baseline(_ cpu: String, _ flags: [String]) throws -> Baseline {
    try EnvDriftTests.baseline { ($0.cpu, $0.flags) = (cpu, flags) }
  }

  @Test func theMostSimilarProcessorIsChosenAndNamed() throws {
    let shelf = [
      try baseline("Arm", ["asimd"]), try baseline("Old", ["avx"]), try baseline("Epyc", ["avx", "avx2"]),
      try baseline("Xeon", ["avx", "avx2", "avx512f"]),
    ]
    func nearest(_ cpu: String, _ flags: [String]) -> String? {
      let change: (inout FakeTraining) -> Void = { ($0.cpu, $0.flags) = (cpu, flags) }
      return Baseline.nearest(to: observe(lines(float32: change, float64: change)), among: shelf)?.environment.kind
    }
    #expect(nearest("Epyc", ["avx", "avx2"]) == "Epyc (avx2)")
    #expect(nearest("Ryzen", ["avx", "avx2"]) == "Epyc (avx2)")
    #expect(nearest("Newer Xeon", ["avx", "avx2", "avx512f", "amx_tile"]) == "Xeon (avx512f)")
    #expect(nearest("Older still", []) == "Old (avx)" || nearest("Older still", []) == "Arm (asimd)")
    #expect(Baseline.nearest(to: observe([String]()), among: []) == nil)
  }
}
