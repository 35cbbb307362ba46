/// What is in a container's root filesystem, seen as the container sees it: its users, its commands, its init.
import EnvBundle
import EnvCore
import SafeFS
import SystemPackage

/// A mounted root filesystem, read without ever following a link out of it.
struct ContainerRoot: ~Copyable {
  private let root: RootDirectory

  init(_ path: FilePath) throws {
    root = try RootDirectory(path)
  }

  func users() throws -> UserDatabase {
    UserDatabase(
      passwd: try root.readFile(RelativePath("etc/passwd")) ?? [], group: try root.readFile(RelativePath("etc/group")) ?? [])
  }

  /// Whether an executable file is at `path`; nil when nothing is there.
  func isExecutable(_ path: String) throws -> Bool? {
    guard let status = try root.statusFollowing(RelativePath(path)) else { return nil }
    return status.kind == .file && status.permissions & 0o111 != 0
  }

  /// The shell to give a person: `preferred`, bash or sh, whichever is there first. One that turns everybody away is no shell.
  func shell(named preferred: String?) throws -> String {
    let refusing = ["nologin", "false", "sync", "true"]
    let account = preferred.flatMap { path in refusing.contains { path.hasSuffix("/" + $0) } ? nil : path }
    let candidates = [account, "/bin/bash", "/usr/bin/bash", "/bin/sh"].compactMap { $0 }
    guard let shell = try candidates.first(where: { try isExecutable($0) == true }) else {
      throw LaunchError.commandNotFound(command: "sh", searched: candidates.joined(separator: ", "))
    }
    return shell
  }

  /// Makes sure that process 1 can be executed, so that a mistyped command is told as such and not in the runtime's words.
  ///
  /// - Parameter mounts: places whose content is not in this root; a command there is left to the runtime.
  func requireCommand(of process: RuntimeSpec.Process, mounts: [RuntimeSpec.Mount] = []) throws {
    guard let command = process.args.first else { return }
    let isMounted = { (path: String) in mounts.contains { path == $0.destination || path.hasPrefix($0.destination + "/") } }
    var candidates: [String]
    if command.contains("/") {
      candidates = [command.hasPrefix("/") ? command : process.cwd + "/" + command]
    } else {
      let search = process.env.first { $0.hasPrefix("PATH=") }?.dropFirst(5) ?? ""
      candidates = search.split(separator: ":").filter { $0.hasPrefix("/") }.map { "\($0)/\(command)" }
    }
    // A path with `..` is for the kernel to resolve, not for us.
    if candidates.contains(where: { isMounted($0) || $0.split(separator: "/").contains("..") }) { return }
    let found = try candidates.map { try isExecutable($0) }
    if found.contains(true) { return }
    if found.contains(false) { throw LaunchError.commandNotExecutable(command: command) }
    let searched = candidates.map { String($0.dropLast(command.contains("/") ? 0 : command.utf8.count + 1)) }
    throw LaunchError.commandNotFound(command: command, searched: searched.joined(separator: ", "))
  }
}

/// Process 1 of a container: an init that reaps orphans and passes signals on.
struct InitProgram: Sendable {
  private static let places = ["/usr/bin/catatonit", "/usr/libexec/podman/catatonit", "/usr/libexec/catatonit/catatonit"]
  private static let mountedPlace = "/run/envctl-init"
  /// Waits for ever, reaps what is orphaned, ends at SIGTERM. Its timer child is short-lived enough to end soon after it.
  private static let shellPause = ["/bin/sh", "-c", "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait $!; done"]

  /// catatonit's path in the container.
  private let catatonit: String?
  private let hasShell: Bool
  /// The host's catatonit made visible in the container, when the image has none.
  let mounts: [BindMount]

  /// catatonit of the image, else the host's; it is one static file and so runs in any image.
  init(in root: borrowing ContainerRoot) throws {
    hasShell = try root.isExecutable("/bin/sh") == true
    for place in Self.places where try root.isExecutable(place) == true {
      catatonit = place
      mounts = []
      return
    }
    let host = Self.places.first { FileSystem.exists(FilePath($0)) }
    catatonit = host.map { _ in Self.mountedPlace }
    mounts = host.map { [BindMount(source: $0, destination: Self.mountedPlace, isReadOnly: true)] } ?? []
  }

  /// Goes before a command; empty when there is no init, and the command is process 1 itself.
  var prefix: [String] { catatonit.map { [$0, "--"] } ?? [] }

  /// A process that does nothing, for a workspace that people enter with `exec`: catatonit's pause mode, else a shell that waits.
  func pause() throws(LaunchError) -> [String] {
    if let catatonit { return [catatonit, "-P"] }
    guard hasShell else { throw .noPauseProgram }
    return Self.shellPause
  }
}
