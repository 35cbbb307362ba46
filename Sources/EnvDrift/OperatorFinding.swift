/// Judges the single operators against the baseline's. The profiles themselves are measured by the workload.
import EnvCore

/// How one operator compares with the baseline's.
public struct OperatorFinding: Codable, Hashable, Sendable, CustomStringConvertible {
  /// What the comparison came to.
  public enum Agreement: String, Codable, Sendable {
    case equalBits = "equal bits"
    /// Other bits, no less accurate: another kernel.
    case otherBits = "other bits"
    /// Other bits, no less accurate, and nothing that differs would choose another kernel: the function itself was replaced.
    case unexplainedBits = "unexplained bits"
    /// Less accurate than noise explains.
    case lessAccurate = "less accurate"
    /// Further off than rounding can be: it computes something else.
    case otherFunction = "other function"
    /// The run did not measure it.
    case missing
  }

  /// The floating-point type it computed in.
  public var precision: Precision
  /// Which operator.
  public var `operator`: String
  /// What the comparison came to.
  public var agreement: Agreement
  /// Mean error with its sign in ULP, the baseline's and the run's: it moves first when all results are shifted one way.
  public var expectedBias: Double
  public var bias: Double
  /// Mean error in ULP: the baseline's, the run's, and what it may be.
  public var expectedMean: Double
  public var mean: Double
  public var meanLimit: Double
  /// Largest error in ULP: the baseline's, the run's, and what it may be.
  public var expectedMax: Double
  public var max: Double
  public var maxLimit: Double

  /// Whether it is more than another kernel.
  public var isBeyondBand: Bool {
    switch agreement {
    case .lessAccurate, .otherFunction, .unexplainedBits: true
    case .equalBits, .otherBits, .missing: false
    }
  }

  public var description: String {
    switch agreement {
    case .equalBits: "\(precision) \(`operator`): the same bits"
    case .missing: "\(precision) \(`operator`): not measured"
    case .otherBits: "\(precision) \(`operator`): other bits, mean error \(short(mean)) ULP, was \(short(expectedMean))"
    case .unexplainedBits:
      "\(precision) \(`operator`): other bits, though nothing differs that chooses among kernels; mean error \(short(mean)) ULP, was "
        + "\(short(expectedMean)), with its sign \(short(bias)), was \(short(expectedBias))"
    case .lessAccurate, .otherFunction:
      "\(precision) \(`operator`): mean error \(short(mean)) ULP, was \(short(expectedMean)), limit \(short(meanLimit)); "
        + "largest \(short(max)), was \(short(expectedMax)), limit \(short(maxLimit))"
    }
  }

  private func short(_ value: Double) -> String {
    guard value < 1000 else { return scientific(value) }
    return "\((value * 100).rounded() / 100)"
  }
}

extension OperatorFinding {
  /// How much worse than the worst measured an operator may be. A mean over thousands of results hardly varies from kernel to
  /// kernel (up to a fifth over MKL's code paths); the largest error does, up to a half.
  private static let margins = (mean: 1.5, max: 2.0)
  /// The same where no variation has been measured.
  private static let wideMargins = (mean: 2.0, max: 4.0)
  /// ULP of float64 that make 1e-12: what separates rounding from another computation.
  private static let otherComputation = 4504.0

  /// Compares every operator the baseline knows, in its order.
  ///
  /// - Parameter choice: What differs that makes libraries take other kernels of the same function.
  static func all(_ training: Observation.Training, against baseline: Baseline, choice: KernelChoice) -> [OperatorFinding] {
    let precision = training.header.precision
    // A workload that measures no operators at all has no such tier.
    guard !training.operators.isEmpty else { return [] }
    let actual = Dictionary(training.operators.map { ($0.operator, $0) }) { first, _ in first }
    let noise = baseline.calibration?.envelopes[precision]?.operators
    return (baseline.trajectories[precision]?.operators ?? []).map { expected in
      var finding = OperatorFinding(expected: expected, actual: actual[expected.operator], noise: noise?[expected.operator])
      if finding.agreement == .otherBits, !choice.explains(noise?[expected.operator]) { finding.agreement = .unexplainedBits }
      return finding
    }
  }

  private init(expected: OperatorProfile, actual: OperatorProfile?, noise: Calibration.OperatorNoise?) {
    let margins = noise == nil ? Self.wideMargins : Self.margins
    // Over few results both figures vary from kernel to kernel by chance: three standard errors of a mean of magnitudes.
    let chance = 1 + 3 / Double(Swift.max(1, expected.elements)).squareRoot()
    let worst = noise ?? Calibration.OperatorNoise(max: expected.max, mean: expected.mean)
    self.init(
      precision: expected.precision, operator: expected.operator, agreement: .missing, expectedBias: expected.bias,
      bias: actual?.bias ?? 0, expectedMean: expected.mean,
      mean: actual?.mean ?? 0, meanLimit: worst.mean * margins.mean * chance, expectedMax: expected.max, max: actual?.max ?? 0,
      maxLimit: worst.max * margins.max * chance)
    if let actual { agreement = agreement(of: actual, expected) }
  }

  private func agreement(of actual: OperatorProfile, _ expected: OperatorProfile) -> Agreement {
    if actual.digest == expected.digest { return .equalBits }
    if actual.notFinite > expected.notFinite || actual.elements != expected.elements { return .otherFunction }
    let isBeyond = mean > meanLimit || max > maxLimit
    guard isBeyond else { return .otherBits }
    return precision == .float64 && max > Self.otherComputation ? .otherFunction : .lessAccurate
  }
}
