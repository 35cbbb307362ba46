/// What the user asks of one more process in a container that runs.

/// A command for a running container. Nil means: as the container's first process has it.
public struct ExecRequest: Sendable {
  public var command: [String]
  /// Variables that override the container's.
  public var environment: [String: String] = [:]
  /// Absolute path in the container.
  public var workingDirectory: String?
  /// `user`, `uid`, `user:group` or any mixture.
  public var user: String?
  /// A pseudo-terminal on the standard streams.
  public var terminal = false

  public init(_ command: [String]) {
    self.command = command
  }
}

extension RuntimeSpec.Process {
  /// The process `request` asks for, in the surroundings of this one. `users` is needed when the request names a user.
  public func entering(_ request: ExecRequest, users: UserDatabase?) throws(BundleError) -> RuntimeSpec.Process {
    guard let program = request.command.first, !program.isEmpty else { throw .noCommand }
    var process = self
    process.args = request.command
    process.terminal = request.terminal
    if let folder = request.workingDirectory { process.cwd = try BundleBuilder.normalised(folder, role: "working directory") }
    var variables: [String: String] = request.terminal ? ["TERM": "xterm"] : [:]
    for entry in env {
      let pair = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      variables[String(pair[0])] = pair.count == 2 ? String(pair[1]) : ""
    }
    if let user = request.user, let users {
      let resolved = try users.resolve(user)
      process.user = resolved.user
      process.capabilities = .standard(uid: resolved.user.uid)
      variables["HOME"] = resolved.home
    }
    process.env = try BundleBuilder.entries(variables.merging(request.environment) { $1 })
    return process
  }
}
