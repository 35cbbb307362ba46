/// Where a drift arises, as far as tiers and operators tell, and what that makes of the sentence.
import EnvCore
import EnvDrift
import Testing

@Suite struct LocusTests {
  private let known = ["exp": 0.25, "matmul": 1.5]

  private func verdict(
    _ float32: @escaping (inout FakeTraining) -> Void = { _ in }, _ float64: @escaping (inout FakeTraining) -> Void = { _ in }
  ) throws -> Verdict {
    let served = ["dynamic": 0.0, "fusion": 1e-7]
    func usual(_ training: inout FakeTraining) {
      training.operators = known
      training.inferences = training.precision == .float32 ? served : [:]
    }
    let run = lines(
      float32: {
        usual(&$0)
        float32(&$0)
      },
      float64: {
        usual(&$0)
        float64(&$0)
      })
    return try Comparison(with: try baseline(usual)).judge(observe(run))
  }

  @Test func betweenTheOperatorsWhereEachAloneIsTheSame() throws {
    let found = try verdict { _ in
    } _: {
      $0.lossOffset = [1: 1e-6]
    }
    #expect(found.outcome == .driftSemantics && found.cause?.locus == .between)
    #expect(found.reading.contains("every operator alone gives the same bits"))
  }

  @Test func anOperatorThatMoved() throws {
    let found = try verdict {
      $0.operators["exp"] = 1.2
    } _: {
      $0.lossOffset = [1: 1e-6]
    }
    #expect(found.cause?.locus == .operators)
  }

  @Test func otherInputs() throws {
    let found = try verdict {
      $0.weights = "5"
    } _: {
      $0.weights = "5"
    }
    #expect(found.cause?.locus == .inputs && found.reading.contains("the data, the weights, the masks or their order are others"))
  }

  @Test func theEngineAloneIsNoDriftOfTheTraining() throws {
    let found = try verdict { $0.inferences["fusion"] = 1e-3 }
    #expect(found.outcome == .driftPrecision && found.cause?.locus == .inference && found.cause?.tier == "T4 inference")
    #expect(found.reading.contains("the training is the same, the engine that serves the saved model is not"))
    #expect(!found.reading.contains("reduced precision") && !found.reading.contains("function was replaced"))
  }

  @Test func roundingArisesNowhere() throws {
    let found = try verdict { ($0.lossOffset, $0.threads) = ([2: 1e-8], "2") }
    #expect(found.outcome == .equivalent && found.cause?.locus == nil)
  }

  @Test func anotherSeedIsNamedFirst() throws {
    let found = try verdict {
      ($0.weights, $0.seed) = ("5", 6)
    } _: {
      ($0.weights, $0.seed) = ("5", 6)
    }
    #expect(found.cause?.suspects.first?.description == "hyperparameter seed of data is 6, was 5")
  }
}
