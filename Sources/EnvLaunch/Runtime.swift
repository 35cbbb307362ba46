/// An OCI runtime as envctl calls it: the command lines, and what it answers. Which runtime is taken is `RuntimeSelector`'s business.
import ChildProcess
import EnvCore
import SafeFS
import SystemPackage

/// A runtime binary that has started a container on this host.
public struct Runtime: Codable, Hashable, Sendable {
  /// The program's name, such as `runc`.
  public let name: String
  public let path: String
  /// What it says of itself, first line.
  public let version: String

  public init(name: String, path: String, version: String) {
    self.name = name
    self.path = path
    self.version = version
  }
}

/// What a runtime says about a container (runtime-spec runtime.md, "State").
struct RuntimeState: Codable, Sendable {
  enum Status: String, Codable, Sendable { case creating, created, running, paused, stopped }
  var id: String
  var status: Status
  /// Process 1, absent when there is none.
  var pid: Int32?
}

/// A runtime together with the folder in which it keeps its own state.
struct RuntimeClient: Sendable {
  let runtime: Runtime
  /// `--root`.
  let stateFolder: FilePath

  /// Calls that only look or clean up never take longer than this.
  private static let patience = Duration.seconds(30)

  init(_ runtime: Runtime, runFolder: FilePath) {
    self.runtime = runtime
    self.stateFolder = runFolder.appending(runtime.name)
  }

  /// The command line `arguments` with the global options. The runtime gets no variable it does not need, above all none of the image's.
  func command(_ arguments: [String], log: FilePath? = nil) -> Command {
    let logging = log.map { ["--log", $0.string, "--log-format", "json"] } ?? []
    return Command(
      FilePath(runtime.path), ["--root", stateFolder.string] + logging + arguments,
      environment: ProcessEnvironment.inherited(only: ["PATH", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "TERM"]))
  }

  /// - Parameter console: The socket to which the terminal is sent; the runtime detaches then as well.
  func runCommand(
    _ container: String, bundle: FilePath, detached: Bool = false, console: String? = nil, pidFile: FilePath? = nil, log: FilePath
  ) -> Command {
    let options = Self.options(detached: detached, console: console, pidFile: pidFile)
    return command(["run", "--bundle", bundle.string] + options + [container], log: log)
  }

  /// - Parameter console: As for `runCommand`.
  func execCommand(_ container: String, process: FilePath, console: String? = nil, pidFile: FilePath, log: FilePath) -> Command {
    command(
      ["exec", "--process", process.string] + Self.options(detached: false, console: console, pidFile: pidFile) + [container], log: log)
  }

  private static func options(detached: Bool, console: String?, pidFile: FilePath?) -> [String] {
    (detached || console != nil ? ["--detach"] : []) + (console.map { ["--console-socket", $0] } ?? [])
      + (pidFile.map { ["--pid-file", $0.string] } ?? [])
  }

  /// Whether the runtime keeps anything about the container; costs no call of it.
  func knows(_ container: String) -> Bool { FileSystem.exists(stateFolder.appending(container)) }

  /// The container's state, nil when the runtime has none.
  func state(of container: String) throws(LaunchError) -> RuntimeState? {
    guard knows(container) else { return nil }
    return try launching("asking \(runtime.name) for the state of \(container)") {
      var call = command(["state", container])
      call.processGroup = .own
      let completion = try call.run(deadline: Self.patience)
      // A container that is being removed, or whose state was written half, is no container; `delete` clears it away.
      guard completion.status.isSuccess else { return nil }
      return try CanonicalJSON.decode(RuntimeState.self, from: completion.output, object: "the state \(runtime.name) reports")
    }
  }

  /// Kills what runs and removes state and cgroups. One that is not there is no error.
  func delete(_ container: String) throws(LaunchError) {
    guard knows(container) else { return }
    try launching("removing container \(container)") {
      var call = command(["delete", "--force", container])
      call.processGroup = .own
      let completion = try call.run(deadline: Self.patience)
      if knows(container) {
        // What the runtime does not recognise itself, it left half-written before any process was started.
        let isWhole = try state(of: container) != nil
        guard !isWhole else {
          throw LaunchError.runtime(name: runtime.name, action: "remove", container: container, message: completion.errorText)
        }
        try FileSystem.removeTree(stateFolder.appending(container))
      }
    }
  }
}

extension FileSystem {
  /// What a runtime is told to need less of: a few small files and folders.
  private static let leastRoom = FileSystemSpace(freeBytes: 64 << 10, freeFiles: 16)

  /// Says so when `folder` has no room for a container: runtimes say it in words of their own, or in none.
  static func requireRoom(in folder: FilePath) throws(FileSystemError) {
    let space = try space(at: folder)
    guard space.freeBytes < leastRoom.freeBytes || space.freeFiles ?? .max < leastRoom.freeFiles ?? 0 else { return }
    throw FileSystemError(call: "write", path: folder, errno: .noSpace)
  }
}

/// The log a runtime writes apart from the container's output: the only sure sign that it was the runtime that failed.
enum RuntimeLog {
  private struct Entry: Decodable {
    let level: String?
    let msg: String
  }

  /// The error messages in the log, oldest first.
  static func errors(in log: FilePath) -> [String] {
    guard let bytes = try? FileSystem.readFile(log, limit: 1 << 20) else { return [] }
    return bytes.split(separator: UInt8(ascii: "\n")).compactMap { line in
      guard let entry = try? CanonicalJSON.decode(Entry.self, from: Array(line), object: "a line of the runtime's log") else { return nil }
      return ["error", "fatal"].contains(entry.level ?? "error") ? entry.msg : nil
    }
  }
}
