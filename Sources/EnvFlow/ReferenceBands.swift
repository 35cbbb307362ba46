/// The noise bands a first baseline starts from.
import EnvDrift

extension Workbench {
  /// Rounding noise of the reference workload, from measurements with other MKL code paths, thread counts, seeds and a framework's major
  /// version (float32: loss up to 1.3e-6 relative, scores up to 3.7e-6 absolute), with a margin of 4. float64 stays below 1e-14 in all of them.
  static let referenceBands: [Precision: Band] = [.float32: Band(loss: 5e-6, score: 1.5e-5), .float64: .rounding]
}
