/// What is known of an environment in which nothing has told what it runs on: it broke too early. Finding it out is EnvFlow's work.
import EnvCore

/// An environment seen from outside.
public struct EnvironmentAtRest: Sendable {
  /// What the baseline ran on, with all that the image, the variables and the host are known to have otherwise.
  public var environment: Environment
  /// What is mounted over the image: by path in the container, where it comes from.
  public var mounts: [String: String]

  public init(_ environment: Environment, mounts: [String: String]) {
    self.environment = environment
    self.mounts = mounts
  }

  /// What differs from a baseline's environment. Of mounts those count that lie in a package; others hide nothing that is computed with, or
  /// a shared object, which is compared itself.
  func differences(from baseline: Environment) -> [EnvironmentDifference] {
    let folders = PackageFolders([baseline, environment])
    let mounted = mounts.sorted { $0.key < $1.key }.compactMap { path, source -> EnvironmentDifference? in
      guard let owner = folders.owner(of: path) else { return nil }
      return EnvironmentDifference(kind: .files, name: owner, expected: "the image's", actual: "\(path) mounted from \(source)")
    }
    return baseline.differences(to: environment) + mounted
  }
}
