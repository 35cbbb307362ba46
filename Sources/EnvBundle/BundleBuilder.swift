/// From an image's defaults and a request to the runtime configuration: the one place where envctl's default isolation is decided.
import EnvCore
import OCI
import SafeFS

/// Makes a `RuntimeSpec`. It reads no file: what it needs to know of the root filesystem and the host is handed to it.
public struct BundleBuilder: Sendable {
  /// Absolute path of the mounted root filesystem.
  public var rootPath: String
  /// What the image says about the processes in it (image-spec config.md, property `config`).
  public var image: ImageConfig.Execution
  public var users: UserDatabase
  /// Mounts that envctl itself needs, such as the host's resolver configuration; a mount of the request at the same place replaces one.
  public var hostMounts: [BindMount]
  /// Which ids the runtime can give to files and processes.
  public var owners = OwnerIDs.all

  public init(rootPath: String, image: ImageConfig.Execution, users: UserDatabase, hostMounts: [BindMount] = []) {
    self.rootPath = rootPath
    self.image = image
    self.users = users
    self.hostMounts = hostMounts
  }

  /// The configuration for one container.
  public func spec(for request: LaunchRequest) throws(BundleError) -> RuntimeSpec {
    guard Self.isHostname(request.hostname) else { throw .badHostname(request.hostname) }
    var spec = RuntimeSpec(
      process: try process(for: request), root: RuntimeSpec.Root(path: rootPath, readonly: false), hostname: request.hostname,
      mounts: try mounts(for: request),
      linux: RuntimeSpec.Linux(
        namespaces: [.pid, .ipc, .uts, .mount, .cgroup].map { RuntimeSpec.Namespace(type: $0) }, cgroupsPath: request.cgroupsPath,
        resources: RuntimeSpec.Resources(devices: [RuntimeSpec.DeviceRule(allow: false, access: "rwm")]), seccomp: .standard,
        maskedPaths: Self.maskedPaths, readonlyPaths: Self.readonlyPaths))
    if let devices = request.devices { try spec.inject(devices) }
    if let resources = request.resources { spec.apply(resources) }
    return spec
  }

  /// The process of `request`; also what `exec` runs in a container that is there already.
  public func process(for request: LaunchRequest) throws(BundleError) -> RuntimeSpec.Process {
    let command =
      (request.entrypoint ?? image.entrypoint ?? []) + (request.command ?? (request.entrypoint == nil ? image.command ?? [] : []))
    guard let program = command.first, !program.isEmpty else { throw .noCommand }
    let user = try users.resolve(request.user ?? image.user ?? "")
    let folder = [request.workingDirectory, image.workingDirectory].compactMap { $0 }.first { !$0.isEmpty } ?? "/"
    return RuntimeSpec.Process(
      terminal: request.terminal, user: user.user, args: command, env: try environment(for: request, home: user.home),
      cwd: try Self.normalised(folder, role: "working directory"), capabilities: .standard(uid: user.user.uid),
      rlimits: request.resourceLimits.isEmpty ? nil : request.resourceLimits, noNewPrivileges: true)
  }

  /// The image's variables, overridden by the request's; HOME, PATH and TERM get a default where neither sets them.
  private func environment(for request: LaunchRequest, home: String) throws(BundleError) -> [String] {
    var variables = [
      "HOME": home, "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ]
    if request.terminal { variables["TERM"] = "xterm" }
    for entry in image.environment ?? [] {
      let pair = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if pair.count == 2 { variables[String(pair[0])] = String(pair[1]) }
    }
    return try Self.entries(variables.merging(request.environment) { $1 })
  }

  /// `NAME=value` in the order of the names, so that the same variables always give the same bytes.
  static func entries(_ variables: [String: String]) throws(BundleError) -> [String] {
    for (name, value) in variables where name.isEmpty || name.contains("=") || name.utf8.contains(0) || value.utf8.contains(0) {
      throw .badVariable(name: name)
    }
    return variables.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
  }

  private static func isHostname(_ name: String) -> Bool {
    (1...64).contains(name.utf8.count) && name.utf8.allSatisfy { ($0 | 32 >= 97 && $0 | 32 <= 122) || ($0 >= 45 && $0 <= 57 && $0 != 47) }
  }

  /// The path without empty and `.` components; one that is relative, or climbs with `..`, is refused.
  static func normalised(_ path: String, role: String) throws(BundleError) -> String {
    let parts = path.split(separator: "/").filter { $0 != "." }
    guard path.hasPrefix("/"), !parts.contains(".."), !path.utf8.contains(0) else { throw .badPath(role: role, path: path) }
    return "/" + parts.joined(separator: "/")
  }
}
