/// Which variables reach the computation of the reference workload, and which of them it reports. `environment.py` of the workload decides; a
/// test holds this to it.

/// What the workload does with the variables it is started with.
public enum WorkloadVariables {
  /// Keeps the variables that would be cleared.
  public static let keeping = "--keep-environment"

  /// What chooses kernels or a number of threads: a measurement starts without.
  static let clearedPrefixes = ["MKL_", "DNNL_", "ONEDNN_", "FLAGS_", "OMP_", "KMP_", "GOMP_", "OPENBLAS_"]
  /// What else is reported, because it may choose libraries or devices.
  static let otherPrefixes = ["LD_", "CUDA_", "CUBLAS_", "CUDNN_", "NCCL_", "NVIDIA_", "GLIBC_TUNABLES", "PYTHONHASHSEED"]

  /// Whether the workload clears it unless it is told to keep what it is given.
  public static func clears(_ name: String) -> Bool { clearedPrefixes.contains { name.hasPrefix($0) } }

  /// What the workload would report of these variables: without what it clears, with the number of threads it sets.
  public static func reported(of variables: [String: String], areKept: Bool) -> [String: String] {
    let reported = variables.filter { name, _ in
      clears(name) ? areKept : otherPrefixes.contains { name.hasPrefix($0) }
    }
    let threads = reported["OMP_NUM_THREADS"] ?? "1"
    return ["OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads].merging(reported) { $1 }
  }
}
