/// `envctl baseline record`: the results other hosts will be compared with, and how much noise is normal.
import EnvCatalog
import EnvCore
import EnvDrift
import EnvStore
import SafeFS
import SystemPackage

/// What a baseline is made of.
public struct BaselineRequest: Sendable {
  /// Whether the noise is measured as well, by running harmless variations.
  public var calibrates: Bool
  /// How many further seeds are trained, for comparisons where bits do not repeat; 0 for none.
  public var seeds: Int

  public init(calibrates: Bool = false, seeds: Int = 0) {
    self.calibrates = calibrates
    self.seeds = seeds
  }
}

/// A change of the environment that may change last bits and nothing else.
private struct Variation {
  var name: String
  var variables: [(name: String, value: String)] = []
  var seed = 0

  /// Threads, the code paths of MKL and those of oneDNN; each for the reference seeds.
  static let harmless = [
    Variation(name: "2 threads", variables: [("OMP_NUM_THREADS", "2"), ("MKL_NUM_THREADS", "2")]),
    Variation(name: "MKL_CBWR=COMPATIBLE", variables: [("MKL_CBWR", "COMPATIBLE")]),
    Variation(name: "MKL_DEBUG_CPU_TYPE=5", variables: [("MKL_DEBUG_CPU_TYPE", "5")]),
    Variation(name: "DNNL_MAX_CPU_ISA=SSE41", variables: [("DNNL_MAX_CPU_ISA", "SSE41")]),
  ]

  /// The same for another seed: what is noise for one training may be more for another.
  static let ofSeeds = [1].map {
    Variation(name: "MKL_CBWR=COMPATIBLE, seed \($0)", variables: [("MKL_CBWR", "COMPATIBLE")], seed: $0)
  }
}

extension Workbench {
  /// How many times the largest noise measured still passes. Four leaves room for processors that were not measured: from one
  /// to the next the same variation differed by less than two.
  private static let margin = 4.0

  /// Trains the full workload in the environment and makes a baseline of what it recorded, calibrated if that is asked for.
  ///
  /// Without a calibration the bands are carried over from the baseline that is there, because they are measured over many variations
  /// and not in one run; if there is none, float32 gets the band of the reference measurements. A calibration itself is not carried
  /// over: it belongs to the results it was measured on.
  public func recordBaseline(
    _ environment: ReadyEnvironment, _ project: ProjectFile, _ request: BaselineRequest = BaselineRequest()
  ) throws -> Baseline {
    // One that is there and cannot be read stops us before the training: its measured bands would be lost.
    let previous = environment.hasBaseline ? try baselines(of: environment) : []
    let observation = try complete(environment, project, Variation(name: "reference"))
    let kept = Baseline.nearest(to: observation, among: previous)
    var baseline = try Baseline(
      name: environment.name, image: environment.image.manifestDigest, observation: observation,
      bands: kept?.bands ?? Self.referenceBands, measurements: kept?.measurements ?? [])
    if request.calibrates { try calibrate(&baseline, observation, environment, project) }
    if request.seeds > 0 { baseline.population = try population(environment, project, seeds: request.seeds) }
    return baseline
  }

  private func calibrate(
    _ baseline: inout Baseline, _ reference: Observation, _ environment: ReadyEnvironment, _ project: ProjectFile
  ) throws {
    var calibration = Calibration(margin: Self.margin)
    var measurements: [BandMeasurement] = []
    func add(_ variation: Variation, against reference: Observation, _ comparison: Comparison) throws {
      let varied = try complete(environment, project, variation)
      try calibration.add(variation.name, of: varied, against: reference)
      measurements += comparison.measure(variation: variation.name, varied)
    }
    for variation in Variation.harmless { try add(variation, against: reference, Comparison(with: baseline)) }
    for variation in Variation.ofSeeds {
      let other = try complete(environment, project, Variation(name: "seed \(variation.seed)", seed: variation.seed))
      let bands = baseline.bands
      let ofSeed = try Baseline(name: baseline.name, image: baseline.image, observation: other, bands: bands)
      try add(variation, against: other, Comparison(with: ofSeed))
    }
    try baseline.adopt(calibration, measurements)
  }

  /// A run that ended well; anything else is no material for a baseline.
  private func complete(_ environment: ReadyEnvironment, _ project: ProjectFile, _ variation: Variation) throws -> Observation {
    var request = CheckRequest(profile: .full, variables: variation.variables)
    if !variation.variables.isEmpty { request.arguments.append("--keep-environment") }
    if variation.seed != 0 { request.arguments += ["--seed", String(variation.seed)] }
    let (observation, status) = try observe(environment, project, request)
    guard status.isSuccess else { throw FlowError.workloadFailed(status: "\(status)") }
    return observation
  }

  /// The float32 results of the seeds 1 to `seeds`, in the quick profile.
  func population(
    _ environment: ReadyEnvironment, _ project: ProjectFile, seeds: Int, _ request: CheckRequest = CheckRequest(profile: .quick)
  ) throws -> Population {
    let members = try (1...max(1, seeds)).map { seed in
      var request = request
      request.arguments += ["--precision", "float32", "--seed", String(seed)]
      let (observation, status) = try observe(environment, project, request)
      let member = try Population.Member(seed: seed, observation)
      guard status.isSuccess else { throw FlowError.workloadFailed(status: "\(status)") }
      return member
    }
    return Population(members: members)
  }

  /// Trains several seeds and compares what they come to with the baseline's, by equivalence tests instead of bits.
  public func checkStatistically(
    _ environment: ReadyEnvironment, _ project: ProjectFile, seeds: Int, _ request: CheckRequest
  ) throws -> Verdict {
    // Which baseline is nearest is not known before a run; without seeds in any, none is needed.
    let candidates = try baselines(of: environment).filter { ($0.population?.members.count ?? 0) >= seeds }
    guard !candidates.isEmpty else {
      let largest = try baselines(of: environment).map { $0.population?.members.count ?? 0 }.max() ?? 0
      throw DriftError.noPopulation(baseline: environment.name, seeds: largest)
    }
    var request = request
    request.profile = .quick
    let members = try population(environment, project, seeds: seeds, request).members
    guard let baseline = candidates.first, let population = baseline.population else {
      throw FlowError.noBaseline(environment: environment.name)
    }
    return try reporter.stage("judge") { _ in
      let verdict = Verdict(statistics: try population.compare(members, baseline: baseline.name), baseline: baseline)
      return (verdict, verdict.outcome.rawValue)
    }
  }
}
