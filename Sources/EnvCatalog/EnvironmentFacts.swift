/// What an image says of itself: the versions its builders left in its variables and labels.
import EnvCore
import OCI

/// Facts read from an image's configuration. What the image does not tell stays nil; nothing is guessed from a tag.
public struct EnvironmentFacts: Codable, Hashable, Sendable {
  /// `CUDA_VERSION`.
  public var cuda: Version?
  /// `NV_CUDNN_VERSION`, `CUDNN_VERSION` or the label `com.nvidia.cudnn.version`: exact, where a tag says only `cudnn8`.
  public var cudnn: Version?
  /// Both minima of that CUDA version.
  public var driver: DriverRequirement?
  /// `NVIDIA_REQUIRE_CUDA`, which a host has to satisfy as well.
  public var requirement: String?
  /// `PYTHON_VERSION`, which Python's official images set.
  public var python: Version?

  public init() {}

  /// Reads the facts out of a configuration.
  public init(_ config: ImageConfig) {
    var variables: [String: String] = [:]
    for entry in config.config?.environment ?? [] {
      guard let equals = entry.firstIndex(of: "=") else { continue }
      variables[String(entry[..<equals])] = String(entry[entry.index(after: equals)...])
    }
    let labels = config.config?.labels ?? [:]
    cuda = Self.version(variables["CUDA_VERSION"])
    let cudnnTexts = [variables["NV_CUDNN_VERSION"], variables["CUDNN_VERSION"], labels["com.nvidia.cudnn.version"]]
    cudnn = cudnnTexts.lazy.compactMap { Self.version($0) }.first
    driver = cuda.flatMap { DriverRequirement(cuda: $0) }
    requirement = variables["NVIDIA_REQUIRE_CUDA"].flatMap { $0.isEmpty ? nil : $0 }
    python = Self.version(variables["PYTHON_VERSION"])
  }

  /// The number before a Debian revision or build: `8.9.0.131-1+cuda12.1` is 8.9.0.131.
  private static func version(_ text: String?) -> Version? {
    text.flatMap { Version(parsing: $0.prefix { $0 != "-" && $0 != "+" }) }
  }
}
