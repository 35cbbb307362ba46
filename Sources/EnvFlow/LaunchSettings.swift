/// What a command line says about a container over what the project's file says.
import EnvBundle
import EnvCatalog
import EnvCore
import SafeFS
import SystemPackage

/// Settings of one `up` or `run`. What is not set is as the project and the image have it.
public struct LaunchSettings: Sendable {
  /// Over the project's variables; of two with one name the later counts.
  public var variables: [(name: String, value: String)] = []
  /// Beside the project's folder; one at its place takes it.
  public var mounts: [BindMount] = []
  /// Absolute path in the container.
  public var workingDirectory: String?
  /// `user`, `uid`, `user:group` or any mixture.
  public var user: String?
  /// What the container may use at most, in place of what the project says of the same.
  public var limits = ResourceRequest()

  public init() {}
}

extension ReadyEnvironment {
  /// The project's folder at `/workspace`, its models and variables, and over them the settings.
  func launchRequest(_ project: ProjectFile, _ settings: LaunchSettings, models: [BindMount]) throws -> LaunchRequest {
    var request = LaunchRequest(hostname: hostname)
    // Whoever owns the folder shall own what is made in it, also where sudo was needed to start the container.
    let owner = try FileSystem.status(project.mount, followingLink: true).map { FileOwner(uid: $0.uid, gid: $0.gid) }
    let taken = Set(settings.mounts.map(\.destination))
    request.mounts =
      [BindMount(source: project.mount.string, destination: "/workspace", owner: owner)].filter { !taken.contains($0.destination) }
      + models + settings.mounts
    request.workingDirectory = settings.workingDirectory ?? "/workspace"
    request.user = settings.user
    for (name, value) in project.variables + settings.variables { request.environment[name] = value }
    return request
  }
}
