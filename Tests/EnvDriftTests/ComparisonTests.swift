/// Every row of the verdict table, its borders, and the evidence.
import EnvCore
import EnvDrift
import Testing

@Suite struct ComparisonTests {
  func verdict(
    float32: (inout FakeTraining) -> Void = { _ in }, float64: (inout FakeTraining) -> Void = { _ in }
  ) throws -> Verdict {
    try Comparison(with: baseline()).judge(observe(lines(float32: float32, float64: float64)))
  }

  @Test func equalBitsAreIdentical() throws {
    let verdict = try verdict()
    #expect(verdict.outcome == .identical)
    #expect(verdict.exitCode == .asExpected)
    #expect(verdict.measurements.map(\.agreement) == [.equalBits, .equalBits])
    #expect(verdict.differences.isEmpty)
    #expect(verdict.reading.contains("through step 6"))
  }

  @Test func aShortRunIsComparedWithThePrefix() throws {
    let short: (inout FakeTraining) -> Void = { ($0.steps, $0.evaluations) = (3, [3]) }
    let verdict = try verdict(float32: short, float64: short)
    #expect(verdict.outcome == .identical)
    #expect(verdict.measurements.map(\.steps) == [3, 3])
    #expect(verdict.profile == "quick")
  }

  @Test func noiseInFloat32IsEquivalent() throws {
    let verdict = try verdict(float32: { $0.lossOffset = [2: 1e-7] })
    #expect(verdict.outcome == .equivalent)
    #expect(verdict.exitCode == .asExpected)
    let measurement = verdict.measurements[0]
    #expect(measurement.agreement == .withinBand)
    #expect(measurement.firstDifference?.step == 2)
    #expect(measurement.firstBeyondBand == nil)
    #expect(abs(measurement.loss.largest - 2e-7) < 1e-9 && measurement.loss.step == 2)
  }

  @Test func noiseInFloat64IsEquivalent() throws {
    #expect(try verdict(float64: { $0.scoreOffset = [3: 1e-15] }).outcome == .equivalent)
  }

  @Test func aDifferenceWithoutABandIsEvidenceOnly() throws {
    let verdict = try verdict(float64: { $0.normOffset = [4: 1e-3] })
    #expect(verdict.outcome == .equivalent)
    #expect(verdict.measurements[1].firstDifference?.place == .gradientNorm)
  }

  @Test func float32AloneOutsideItsBandIsPrecision() throws {
    for change: (inout FakeTraining) -> Void in [{ $0.lossOffset = [4: 1e-3] }, { $0.scoreOffset = [6: 1e-3] }] {
      let verdict = try verdict(float32: change)
      #expect(verdict.outcome == .driftPrecision)
      #expect(verdict.exitCode == .drift)
      #expect(verdict.reading.contains("reduced precision"))
    }
  }

  @Test func float64OutsideIsSemanticsWhateverFloat32Says() throws {
    for single: (inout FakeTraining) -> Void in [{ _ in }, { $0.lossOffset = [1: 1e-7] }, { $0.lossOffset = [1: 0.5] }] {
      let verdict = try verdict(float32: single, float64: { $0.lossOffset = [5: 1e-9] })
      #expect(verdict.outcome == .driftSemantics)
      #expect(verdict.exitCode == .drift)
      let first = try #require(verdict.measurements[1].firstBeyondBand)
      #expect(first.place == .loss && first.step == 5 && first.band == 1e-12)
      #expect(verdict.reading.contains("float64 loss at step 5"))
    }
  }

  @Test func scoresAloneAreEnough() throws {
    let verdict = try verdict(float64: { $0.scoreOffset = [3: 0.0625] })
    #expect(verdict.outcome == .driftSemantics)
    let first = try #require(verdict.measurements[1].firstBeyondBand)
    #expect(first.place == .scores && first.step == 3 && first.magnitude == 0.0625)
    #expect(first.names == ["application 1"])
  }

  @Test func theBandItselfStillPasses() throws {
    var baseline = try baseline()
    let run = observe(lines(float64: { $0.scoreOffset = [3: 0.0625] }))
    for (band, outcome) in [(0.0625, Verdict.Outcome.equivalent), ((0.0625).nextDown, .driftSemantics)] {
      baseline.bands[.float64] = Band(loss: 1e-12, score: band)
      #expect(try Comparison(with: baseline).judge(run).outcome == outcome)
    }
    let loss = observe(lines(float64: { $0.lossOffset = [1: 1] }))
    for (band, outcome) in [(0.5, Verdict.Outcome.equivalent), ((0.5).nextDown, .driftSemantics)] {
      baseline.bands[.float64] = Band(loss: band, score: 1e-12)
      #expect(try Comparison(with: baseline).judge(loss).outcome == outcome)
    }
  }

  @Test func otherInputsAreSemanticsEvenWithEqualResults() throws {
    let changes: [(Deviation.Place, Int, (inout FakeTraining) -> Void)] = [
      (.data, 0, { $0.data = "5" }), (.initialWeights, 0, { $0.weights = "5" }), (.masks, 3, { $0.masks = "5" }),
      (.order, 3, { $0.order = "5" }),
    ]
    for (place, step, change) in changes {
      for verdict in [try verdict(float32: change), try verdict(float64: change)] {
        #expect(verdict.outcome == .driftSemantics)
        let first = try #require(verdict.measurements.compactMap(\.firstBeyondBand).first)
        #expect(first.place == place && first.step == step)
      }
    }
  }

  @Test func theTensorThatDiffersIsNamed() throws {
    let first = try #require(try verdict(float64: { $0.weights = "5" }).measurements[1].firstBeyondBand)
    #expect(first.names == ["fusion.score.weight"])
    #expect(first.description.contains("float64 initial weights (fusion.score.weight) before the first step"))
  }

  @Test func whatMayExplainItIsListedLikeliestFirst() throws {
    let change: (inout FakeTraining) -> Void = {
      $0.learningRate = "0.00300003"
      $0.packages = ["numpy": "1.26.4", "paddlepaddle": "3.0.0", "intruder": "1"]
      $0.threads = "2"
      $0.lossOffset = [1: 0.1]
    }
    let verdict = try verdict(float32: change, float64: change)
    #expect(
      verdict.differences.map(\.description) == [
        "hyperparameter learning_rate is 0.00300003, was 0.003",
        "package intruder is 1, was absent",
        "package paddlepaddle is 3.0.0, was 2.6.2",
        "variable OMP_NUM_THREADS is 2, was 1",
        "threads openmp is 2, was 1",
      ])
    #expect(verdict.reading.contains("learning_rate is 0.00300003, was 0.003, and 2 more differences that could explain it"))
  }

  @Test func aVerdictSurvivesJSON() throws {
    let verdict = try verdict(float32: { $0.lossOffset = [1: 0.5] }, float64: { $0.data = "5" })
    let bytes = try CanonicalJSON.encode(verdict)
    #expect(try CanonicalJSON.decode(Verdict.self, from: bytes, object: "verdict") == verdict)
    #expect(String(decoding: bytes, as: UTF8.self).contains(#""outcome":"drift: semantics""#))
  }
}
