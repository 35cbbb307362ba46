/// What an image asks of a host's GPUs, from its variables and what the lock recorded of it.
import EnvCatalog
import EnvCore

/// The image's side of the preflight.
public struct ImageGPUNeeds: Sendable {
  /// The image's variables, the last of a name counting.
  public let variables: [String: String]
  /// `CUDA_VERSION`, or what the lock says.
  public let cuda: Version?
  /// The minima the lock recorded, else those of the table for `cuda`.
  public let driver: DriverRequirement?
  /// What its binaries are built for; empty where that is not known.
  public let computeCapabilities: [Version]

  /// - Parameters:
  ///   - environment: `NAME=value` entries of the image's configuration.
  ///   - facts: What the lock recorded.
  public init(environment: [String], facts: EnvironmentFacts? = nil, computeCapabilities: [Version] = []) {
    var variables: [String: String] = [:]
    for entry in environment {
      guard let equals = entry.firstIndex(of: "=") else { continue }
      variables[String(entry[..<equals])] = String(entry[entry.index(after: equals)...])
    }
    self.variables = variables
    cuda = facts?.cuda ?? variables["CUDA_VERSION"].flatMap { Version(parsing: $0) }
    driver = facts?.driver ?? cuda.flatMap { DriverRequirement(cuda: $0) }
    self.computeCapabilities = computeCapabilities.sorted()
  }

  /// An image of the old kind: it says its CUDA version and not what it requires, and means to have every GPU.
  public var isLegacy: Bool { variables["CUDA_VERSION"] != nil && variables["NVIDIA_REQUIRE_CUDA"] == nil }
}
