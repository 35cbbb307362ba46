/// Student's t distribution against printed tables, and the equivalence tests on samples whose answer is known.
import EnvCore
import Testing

@testable import EnvDrift

@Suite struct StatisticsTests {
  /// Two-sided 95 % and 99 % points as in the tables of Fisher and Yates, to their three decimals.
  @Test(arguments: [
    (1, 12.706, 63.657), (2, 4.303, 9.925), (3, 3.182, 5.841), (4, 2.776, 4.604), (5, 2.571, 4.032), (7, 2.365, 3.499), (10, 2.228, 3.169),
    (15, 2.131, 2.947), (30, 2.042, 2.750), (60, 2.000, 2.660), (120, 1.980, 2.617),
  ])
  func quantilesOfTheTables(freedom: Int, at95: Double, at99: Double) {
    let student = StudentT(degreesOfFreedom: freedom)
    #expect(abs(student.quantile(0.975) - at95) < 6e-4)
    #expect(abs(student.quantile(0.995) - at99) < 6e-4)
    #expect(abs(student.quantile(0.025) + student.quantile(0.975)) < 1e-12, "the distribution is symmetric")
  }

  /// With one degree of freedom it is Cauchy's, with two an algebraic function, with very many the normal distribution.
  @Test func closedForms() {
    for t in [-3.0, -0.5, 0, 0.1, 2, 40] {
      let algebraic = 0.5 + t / (2 * (2 + t * t).squareRoot())
      #expect(abs(StudentT(degreesOfFreedom: 2).probability(upTo: t) - algebraic) < 1e-15)
    }
    #expect(abs(StudentT(degreesOfFreedom: 1).probability(upTo: 1) - 0.75) < 1e-15)
    #expect(abs(StudentT(degreesOfFreedom: 100_000).quantile(0.95) - 1.64487) < 1e-4)
  }

  @Test func quantileAndProbabilityAreInverse() {
    for freedom in [1, 2, 3, 8, 31] {
      let student = StudentT(degreesOfFreedom: freedom)
      for probability in [0.001, 0.2, 0.5, 0.9, 0.9999] {
        #expect(abs(student.probability(upTo: student.quantile(probability)) - probability) < 1e-13)
      }
    }
  }

  private let base = [0.70, 0.72, 0.74, 0.71, 0.73, 0.69, 0.75, 0.72]

  private func test(_ shift: (Int) -> Double, margin: Double) -> Equivalence {
    Equivalence("AUC", pairs: base.enumerated().map { ($1, $1 + shift($0)) }, margin: margin)
  }

  @Test func smallNoiseIsEquivalent() {
    let found = test({ $0.isMultiple(of: 2) ? 1e-4 : -1e-4 }, margin: 0.01)
    #expect(found.conclusion == .equivalent && found.risk < 1e-9 && found.power > 0.999)
  }

  @Test func aShiftBeyondTheMarginIsDifferentWhicheverWay() {
    for sign in [1.0, -1.0] {
      let found = test({ sign * (0.02 + Double($0) * 1e-4) }, margin: 0.01)
      #expect(found.conclusion == .different && found.risk > 0.99 && found.differenceRisk < 1e-6)
    }
  }

  @Test func aRealShiftWithinTheMarginIsEquivalent() {
    let found = test({ 0.001 + Double($0) * 1e-5 }, margin: 0.01)
    #expect(found.conclusion == .equivalent && found.differenceRisk < 0.01, "real, and too small to matter")
  }

  @Test func muchNoiseIsUndecided() {
    let found = test({ $0.isMultiple(of: 2) ? 0.05 : -0.05 }, margin: 0.01)
    #expect(found.conclusion == .undecided && found.power < 0.1)
  }

  /// Differences 1, 2, 3 against a margin of 4: mean 2, error 1/√3, so both one-sided values follow by hand.
  @Test func risksByHand() {
    let found = Equivalence("x", pairs: [(0, 1), (0, 2), (0, 3)], margin: 4)
    let upper = 1 - StudentT(degreesOfFreedom: 2).probability(upTo: 2 * 3.0.squareRoot())
    #expect(abs(found.risk - upper) < 1e-15 && abs(found.risk - 0.0371) < 1e-4)
    #expect(abs(found.differenceRisk - 2 * upper) < 1e-15)
  }

  @Test func withoutNoiseThereIsNoDoubt() {
    #expect(test({ _ in 0 }, margin: 0.01).conclusion == .equivalent)
    #expect(Equivalence("x", pairs: [(1, 1.5), (2, 2.5)], margin: 0.25).conclusion == .different)
    #expect(Equivalence("x", pairs: [(1, 1.5), (2, 2.5)], margin: 1).conclusion == .equivalent)
  }
}

@Suite struct PopulationTests {
  private func member(_ seed: Int, weights: Character = "a", loss: Double = 0) throws -> Population.Member {
    var training = FakeTraining(precision: .float32)
    training.weights = weights
    training.lossOffset = Dictionary(uniqueKeysWithValues: (1...6).map { ($0, loss + Double(seed) / 10) })
    return try Population.Member(seed: seed, observe(training.lines))
  }

  @Test func sameSeedsArePaired() throws {
    let population = Population(members: try (1...5).map { try member($0) })
    let same = try population.compare(population.members, baseline: "test")
    #expect(same.map(\.metric) == ["AUC", "KS", "final loss"])
    #expect(same.last?.conclusion == .equivalent && same.last?.meanDifference == 0)
    let shifted = try population.compare(try (1...5).map { try member($0, loss: 1) }, baseline: "test")
    #expect(shifted.last?.conclusion == .different)
    let verdict = Verdict(statistics: shifted, baseline: try baseline())
    #expect(verdict.outcome == .driftSemantics && verdict.exitCode == .drift && verdict.reading.contains("final loss"))
    // The loss of every seed is a tenth above the last one's; half of their standard deviation is the margin.
    #expect(abs((shifted.last?.margin ?? 0) - 0.1 * 2.5.squareRoot() / 2) < 1e-12)
  }

  @Test func anUnknownSeedAndOtherInputsAreRefused() throws {
    let population = Population(members: [try member(1), try member(2)])
    #expect {
      try population.compare([try member(1), try member(3)], baseline: "test")
    } throws: {
      if case DriftError.noPopulation("test", seeds: 2) = $0 { DiagnosticChain($0).exitCode == .usage } else { false }
    }
    #expect {
      try population.compare([try member(1), try member(2, weights: "5")], baseline: "test")
    } throws: {
      if case DriftError.foreignPopulation("test", seed: 2) = $0 { DiagnosticChain($0).exitCode == .drift } else { false }
    }
  }

  @Test func anotherWorkloadIsRefusedAndDifferencesAreTold() throws {
    var baseline = try baseline()
    baseline.population = Population(members: try (1...5).map { try member($0) })
    let seen = Population(members: try (1...5).map { try member($0) })
    func sample(_ change: (inout FakeTraining) -> Void) -> Observation {
      var training = FakeTraining(precision: .float32)
      training.seed = 6
      change(&training)
      return observe(training.lines)
    }
    let verdict = try Comparison(with: baseline).judge(seen, sample: sample { $0.preloaded = ["/tmp/libslow.so"] })
    #expect(verdict.profile == "statistical")
    #expect(verdict.differences.map(\.description) == ["preload /tmp/libslow.so is loaded, was absent"], "a seed is another one on purpose")
    #expect {
      try Comparison(with: baseline).judge(seen, sample: sample { $0.version = "2.0.0" })
    } throws: {
      if case DriftError.foreignWorkload = $0 { DiagnosticChain($0).exitCode == .usage } else { false }
    }
  }

  @Test("an operator beyond its limit is a drift, whatever the seeds show; other bits are none") func operatorsAreJudged() throws {
    var baseline = try baseline { $0.operators = ["gelu": 0.5, "exp": 0.25] }
    for (seeds, count) in [("the same", 5), ("undecided", 2)] {
      baseline.population = Population(members: try (1...count).map { try member($0) })
      let seen = Population(members: try (1...count).map { try member($0, loss: seeds == "the same" ? 0 : Double($0) / 3) })
      for (mean, outcome) in [(0.51, nil), (400, Verdict.Outcome.driftPrecision)] {
        var training = FakeTraining(precision: .float32)
        training.operators = ["gelu": mean, "exp": 0.25]
        let verdict = try Comparison(with: baseline).judge(seen, sample: observe(training.lines))
        #expect(verdict.operators?.map(\.operator) == ["gelu"])
        guard let outcome else { continue }
        #expect(verdict.outcome == outcome && verdict.exitCode == .drift && verdict.reading.contains("float32 gelu"), "\(seeds)")
      }
    }
  }

  @Test func anIncompleteSeedIsNoMember() {
    #expect {
      try Population.Member(seed: 4, observe(FakeTraining(precision: .float32).lines.dropLast()))
    } throws: {
      "\(($0 as? DriftError)?.summary ?? "")".contains("seed 4")
    }
  }
}
