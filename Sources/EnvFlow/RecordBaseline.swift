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
  /// Where the records of every run are kept, and found again: an interrupted calibration goes on where it stopped.
  public var records: FilePath?

  public init(calibrates: Bool = false, seeds: Int = 0, records: FilePath? = nil) {
    self.calibrates = calibrates
    self.seeds = seeds
    self.records = records
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
    // Records that are found again wait for no container.
    if request.records != nil { try environment.layers.wait(telling: reporter) }
    // One that is there and cannot be read stops us before the training: its measured bands would be lost.
    let previous = environment.hasBaseline ? try baselines(of: environment) : []
    let runs = BaselineRuns(workbench: self, environment: environment, project: project, folder: request.records)
    let observation = try runs.observation(of: Variation(name: "reference"))
    let kept = Baseline.nearest(to: observation, among: previous)
    var baseline = try Baseline(
      name: environment.name, image: environment.image.manifestDigest, observation: observation,
      bands: kept?.bands ?? Self.referenceBands, measurements: kept?.measurements ?? [])
    if request.calibrates { try calibrate(&baseline, observation, runs) }
    if request.seeds > 0 { baseline.population = try runs.population(seeds: request.seeds).population }
    return baseline
  }

  private func calibrate(_ baseline: inout Baseline, _ reference: Observation, _ runs: BaselineRuns) throws {
    var calibration = Calibration(margin: Self.margin)
    var measurements: [BandMeasurement] = []
    func add(_ variation: Variation, against reference: Observation, _ comparison: Comparison) throws {
      let varied = try runs.observation(of: variation)
      try calibration.add(variation.name, of: varied, against: reference)
      measurements += comparison.measure(variation: variation.name, varied)
    }
    for variation in Variation.harmless { try add(variation, against: reference, Comparison(with: baseline)) }
    for variation in Variation.ofSeeds {
      let other = try runs.observation(of: Variation(name: "seed \(variation.seed)", seed: variation.seed))
      let bands = baseline.bands
      let ofSeed = try Baseline(name: baseline.name, image: baseline.image, observation: other, bands: bands)
      try add(variation, against: other, Comparison(with: ofSeed))
    }
    try baseline.adopt(calibration, measurements)
  }
}
