/// Everything a run shows, held against the baseline, and the answer it leads to when the run is complete.
import EnvCore

struct Evidence {
  /// By precision, as far as there was something to compare.
  var measurements: [Measurement]
  /// Where the packages lie, as they are now and as they were.
  let packages: PackageFolders
  /// All operators the baseline knows, where the run measured any.
  var operators: [OperatorFinding] = []
  /// All configurations the baseline knows, where the run measured any.
  var inferences: [InferenceFinding] = []

  init(
    _ observation: Observation, against baseline: Baseline, measurements: [Measurement], differences: [EnvironmentDifference]
  ) {
    self.measurements = measurements
    // A driver is seen in every container of a host that has one; only devices are computed on.
    let usesAccelerator = observation.trainings.values.contains { $0.header.environment.gpu?.devices.isEmpty == false }
    packages = PackageFolders([baseline.environment] + observation.trainings.values.map(\.environment))
    let choice = usesAccelerator ? .any : KernelChoice(differences, packages)
    for (_, training) in observation.trainings.sorted(by: { $0.key < $1.key }) {
      operators += OperatorFinding.all(training, against: baseline, choice: choice)
      // A run that ended early has not come to its inference; what is missing there is said once.
      if training.end != nil { inferences += InferenceFinding.all(training, against: baseline) }
    }
  }

  /// What a complete run lacks all the same.
  var breakages: [Breakage] {
    operators.filter { $0.agreement == .missing }.map {
      Breakage(precision: $0.precision, operator: $0.operator, message: "the operator was not measured")
    }
      + inferences.filter { $0.agreement == .failed || $0.agreement == .missing }.map { Breakage(message: $0.description) }
  }

  /// The answer, unless something is missing.
  var outcome: Verdict.Outcome {
    let agreement = Dictionary(measurements.map { ($0.precision, $0.agreement) }) { first, _ in first }
    guard let float64 = agreement[.float64], let float32 = agreement[.float32] else { return .broken }
    let single = operators.map { finding -> Verdict.Outcome in
      switch finding.agreement {
      case .equalBits: .identical
      case .otherBits: .equivalent
      case .lessAccurate, .unexplainedBits: .driftPrecision
      case .otherFunction: .driftSemantics
      case .missing: .broken
      }
    }
    let served = inferences.map { finding -> Verdict.Outcome in
      switch finding.agreement {
      case .equalBits: .identical
      case .withinBand: .equivalent
      case .beyondBand: .driftPrecision
      case .failed, .missing: .broken
      }
    }
    return (single + served).reduce(Verdict.Outcome(float64: float64, float32: float32)) { $0.joined($1) }
  }
}
