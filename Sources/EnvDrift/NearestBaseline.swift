/// Several baselines of one environment stand side by side, each measured on other hardware; the one measured on the most similar is compared with.
import EnvCore

extension Baseline {
  /// The baseline measured on what is most like what was observed; of equals the first by the name of the processor.
  ///
  /// - Parameter baselines: At least one.
  public static func nearest(to observation: Observation, among baselines: [Baseline]) -> Baseline? {
    guard let observed = (observation.trainings[.float64] ?? observation.trainings.values.first)?.header.environment else {
      return baselines.first
    }
    return nearest(to: observed, among: baselines)
  }

  /// The baseline measured on what is most like `observed`; of equals the first by the name of the processor.
  public static func nearest(to observed: Environment, among baselines: [Baseline]) -> Baseline? {
    baselines.min {
      ($0.environment.distance(to: observed), $0.environment.cpu.model) < ($1.environment.distance(to: observed), $1.environment.cpu.model)
    }
  }
}

extension Environment {
  /// The hardware in a few words, such as `AMD EPYC (avx2)`.
  public var kind: String {
    let devices = gpu?.devices.compactMap { $0["name"] } ?? []
    let widest = ["sve2", "sve", "amx_tile", "avx512f", "avx2", "avx", "sse4_2", "asimd"].first { cpu.flags.contains($0) }
    return ([cpu.model + (widest.map { " (\($0))" } ?? "")] + devices).joined(separator: ", ")
  }

  /// How unlike two environments compute; only the order of distances matters.
  func distance(to other: Environment) -> Int {
    // Other hardware chooses other kernels: the accelerator most, then the architecture, then the instruction sets.
    let names = [self, other].map { Set($0.gpu?.devices.compactMap { $0["name"] } ?? []) }
    var distance = names[0] == names[1] ? 0 : 10_000
    if platform.machine != other.platform.machine { distance += 5_000 }
    if cpu.flags != other.cpu.flags { distance += 100 + 10 * Set(cpu.flags).symmetricDifference(other.cpu.flags).count }
    // MKL asks who made the processor before it asks what it can.
    if cpu.vendor != other.cpu.vendor { distance += 50 }
    if cpu.model != other.cpu.model { distance += 5 }
    if cpu.flagsDigest != other.cpu.flagsDigest { distance += 1 }
    return distance
  }
}
