/// Whether other bits of an operator have a harmless reason: libraries that take another kernel of the same function.
import EnvCore

/// What differs from the baseline that makes libraries choose among kernels.
///
/// One processor with one build of everything and the same variables gives the same bits, run after run; where it does not, a function was
/// replaced. A preloaded or altered library is no reason, whatever else differs beside it.
enum KernelChoice {
  /// Nothing.
  case none
  /// Threads, or variables that name a code path: what the calibration has varied.
  case calibrated
  /// The processor, the device, or another version of a library that is computed with.
  case any

  init(_ differences: [EnvironmentDifference], _ packages: PackageFolders) {
    let choices = differences.map { Self.choice($0, among: differences, packages) }
    self = choices.contains(.any) ? .any : choices.contains(.calibrated) ? .calibrated : .none
  }

  private static func choice(
    _ difference: EnvironmentDifference, among all: [EnvironmentDifference], _ packages: PackageFolders
  ) -> KernelChoice {
    switch difference.kind {
    case .cpu, .gpu, .interpreter, .libc, .flag: .any
    // One without a shared object in the process, before or now, computes nothing.
    case .package:
      packages.isEmpty || all.contains { $0.kind == .library && packages.owner(of: $0.path) == difference.name } ? .any : .none
    case .threads: .calibrated
    case .variable: difference.choosesKernels ? .calibrated : difference.name == "GLIBC_TUNABLES" ? .any : .none
    case .hyperparameter, .preload, .files, .library, .kernel, .clocks: .none
    }
  }

  /// Whether other bits of an operator whose noise this is may come from it.
  func explains(_ noise: Calibration.OperatorNoise?) -> Bool {
    switch self {
    case .none: false
    // Where nothing was measured, or a baseline does not say, it may.
    case .calibrated: noise?.moved ?? true
    case .any: true
    }
  }
}
