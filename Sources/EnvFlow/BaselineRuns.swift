/// The runs a baseline is made of: each complete, and where they are kept, none made twice. What follows from them is `RecordBaseline`'s work.
import EnvCatalog
import EnvCore
import EnvDrift
import SafeFS
import SystemPackage

/// A change of the environment that may change last bits and nothing else.
struct Variation {
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

/// Runs of the reference workload in one environment.
struct BaselineRuns {
  var workbench: Workbench
  var environment: ReadyEnvironment
  var project: ProjectFile
  /// Where their records are kept and found again; nowhere if nil.
  var folder: FilePath?
  /// Makes the recorder of each run, counted from 1.
  var recorder: (Int) throws -> WorkloadRecorder = { _ in WorkloadRecorder() }

  /// The full profile under a variation.
  func observation(of variation: Variation) throws -> Observation {
    var request = CheckRequest(.reference(.full))
    request.settings.variables = variation.variables
    if !variation.variables.isEmpty { request.arguments.append("--keep-environment") }
    if variation.seed != 0 { request.arguments += ["--seed", String(variation.seed)] }
    return try run(variation.name, .full, request).observation
  }

  /// The float32 results of the seeds 1 to `seeds`, in the quick profile, and the run of the first.
  func population(
    seeds: Int, _ request: CheckRequest = CheckRequest(.reference(.quick))
  ) throws -> (population: Population, sample: WorkloadRecorder) {
    var population = Population(members: [])
    var sample: WorkloadRecorder?
    for seed in 1...max(1, seeds) {
      var request = request.numbered(seed)
      request.arguments += ["--precision", "float32", "--seed", String(seed)]
      let recorder = try run("population seed \(seed)", .quick, request, number: seed)
      population.members.append(try Population.Member(seed: seed, recorder.observation))
      sample = sample ?? recorder
    }
    return (population, sample ?? WorkloadRecorder())
  }

  /// A run that ended well, from the folder if it is there; anything else is no material for a baseline.
  private func run(
    _ name: String, _ profile: CheckRequest.Profile, _ request: CheckRequest, number: Int = 1
  ) throws -> WorkloadRecorder {
    var request = request
    if let file = try file(of: name) {
      if let kept = try kept(in: file) { return kept }
      request.records = file
    }
    let recorder = try recorder(number)
    let ending = try workbench.observe(environment, project, profile, request, recorder)
    guard let failure = ending.failure else { return recorder }
    let observation = recorder.observation
    // What the workload says of its failure is told with the seed or the variation it failed under.
    let reason = observation.earlyFailures.first?.message ?? observation.trainings.values.compactMap { $0.failure?.message }.first
    throw FlowError.workloadFailed(ending: "\(failure) (\(name)\(reason.map { ": " + $0 } ?? ""))")
  }

  /// The records' place: the image they were made in is part of it, as those of another image are no material.
  private func file(of name: String) throws -> FilePath? {
    guard let folder else { return nil }
    let place = folder.appending(String(environment.image.manifestDigest.hex.prefix(12)))
    try FileSystem.createDirectories(place)
    let words = name.lowercased().split { !$0.isASCII || !($0.isLetter || $0.isNumber) }
    return place.appending(words.joined(separator: "-") + ".jsonl")
  }

  /// What a file holds, if that is a complete run; an interrupted one is made again.
  private func kept(in file: FilePath) throws -> WorkloadRecorder? {
    guard FileSystem.exists(file) else { return nil }
    let recorder = WorkloadRecorder()
    recorder.replay(try FileSystem.readFile(file))
    let observation = recorder.observation
    guard observation.faults.isEmpty, observation.earlyFailures.isEmpty, observation.trainings.values.allSatisfy({ $0.end != nil }) else {
      return nil
    }
    return workbench.reporter.stage("observe") { _ in (recorder, "found in \(file)") }
  }
}
