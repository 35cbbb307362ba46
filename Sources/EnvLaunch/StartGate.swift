/// The moment between a container's creation and the start of its program: what must be sure by then, and how the runtime is kept waiting.
import CLinux
import ChildProcess
import EnvBundle
import EnvCatalog
import EnvCore
import EnvStore
import Glibc
import SafeFS
import Synchronization
import SystemPackage

/// Holds a container back until its image is proven and its limits are seen to be in force.
///
/// The runtime calls a hook when the container is made, its cgroups and mounts with it, and nothing in it has run yet (runtime-spec
/// runtime.md, "Lifecycle", step 5). The hook says which process it is about, waits for a word of ours, and fails without it; then the
/// runtime takes the container down. So the proof goes on beside the runtime's work, and an envctl that dies starts nothing.
final class StartGate: Sendable {
  private struct State {
    var isOpen = false
    var wasAsked = false
    var refusal: (any Error)?
    var cgroups: ContainerCgroups?
  }

  /// Passes on what the runtime says, ended by a NUL, and takes the word. Both go through descriptors of envctl, found by its process number:
  /// they end with it, and a word that is waited for then never comes. Appended, because by then the number may be another process's and lead to a
  /// file. All of it is built into a shell.
  private static let script = """
    { while IFS= read -r line || [ -n "$line" ]; do printf '%s' "$line"; done; printf '\\0'; } >>"$1" \\
      && read -r word <"$2" && [ "$word" = start ]
    """

  private let proof: LayerProof?
  private let resources: ResourceRequest?
  private let reporter: any StageReporter
  private let state = Mutex(State())
  private let report: Pipe
  private let word: Pipe
  private let thread = Mutex<EnvCore.Thread?>(nil)

  /// - Parameters:
  ///   - proof: Begun already; nil when there is nothing to prove.
  ///   - resources: The container's limits.
  init(proof: LayerProof?, resources: ResourceRequest?, reporter: any StageReporter) throws(LaunchError) {
    self.proof = proof
    self.resources = resources
    self.reporter = reporter
    report = try Pipe()
    word = try Pipe()
    let watch = EnvCore.Thread { [self] in decide() }
    thread.withLock { $0 = watch }
  }

  /// Makes the runtime wait here. The hook comes before all others, because those may work with the image's files.
  ///
  /// - Throws: What the proof throws, when there are hooks of the kind that runtimes call even earlier.
  func holdBack(_ spec: inout RuntimeSpec) throws {
    if spec.hooks?.prestart != nil { try proof?.wait(telling: reporter) }
    spec.insertFirst(
      RuntimeSpec.Hook(
        path: "/bin/sh", args: ["sh", "-c", Self.script, "sh", report.nameOfWriter, word.nameOfReader], env: ["PATH=/usr/bin:/bin"]))
  }

  /// Whether the program may have been started.
  var isOpen: Bool { state.withLock { $0.isOpen } }

  /// Refuses the start, unless it is too late for that.
  func interrupt(_ signal: CInt) {
    if refuse(LaunchError.interrupted(signal: signal)) { proof?.cancel() }
  }

  /// Ends the watch, after the runtime.
  ///
  /// - Throws: Why the start was refused.
  func finish() throws {
    report.closeWriter()
    thread.withLock { thread in
      thread?.join()
      thread = nil
    }
    if let refusal = state.withLock({ $0.refusal }) { throw refusal }
  }

  /// As `finish`, for a runtime that says what it came to. Why it was not let start the program is the better reason for its failure.
  ///
  /// - Throws: `LaunchError.ignoredHook` as well.
  func finish(_ outcome: Result<ExitStatus, any Error>, of runtime: Runtime, log: FilePath) throws {
    try finish()
    guard !wasAsked, case .success(let status) = outcome, case .exited = status else { return }
    // One that failed says so before it comes to the hook.
    guard status.isSuccess || RuntimeLog.errors(in: log).isEmpty else { return }
    throw LaunchError.ignoredHook(runtime: runtime.name, status: status)
  }

  /// Whether the runtime has called the hook.
  var wasAsked: Bool { state.withLock { $0.wasAsked } }

  /// How many processes of the container the kernel has killed for memory, as long as its cgroup is there.
  var memoryKills: Int { state.withLock { $0.cgroups }?.memoryKills ?? 0 }

  private func decide() {
    do {
      try proof?.wait(telling: reporter)
      guard let pid = try askedFor() else { return }
      if let resources {
        let cgroups = try ContainerCgroups(of: pid)
        state.withLock { $0.cgroups = cgroups }
        try cgroups.require(resources)
      }
      try state.withLock { state in
        guard state.refusal == nil else { return }
        try word.write(Array("start\n".utf8))
        state.isOpen = true
      }
    } catch {
      refuse(error)
    }
  }

  /// The container's process, once the runtime has called the hook; nil when it ended before.
  private func askedFor() throws -> Int32? {
    guard let bytes = try report.read(until: 0) else { return nil }
    state.withLock { $0.wasAsked = true }
    return try CanonicalJSON.decode(Asked.self, from: bytes, object: "what the runtime tells its hooks").pid
  }

  /// What a hook reads of the container's state (runtime-spec runtime.md, "State").
  private struct Asked: Decodable {
    let pid: Int32
  }

  /// - Returns: false when it is too late.
  @discardableResult
  private func refuse(_ error: any Error) -> Bool {
    state.withLock { state in
      guard !state.isOpen else { return false }
      if state.refusal == nil { state.refusal = error }
      word.closeWriter()
      return true
    }
  }
}

/// A pipe whose ends no child inherits; others find them as long as this process has them (proc_pid_fd(5)).
private final class Pipe: Sendable {
  private let reader: OwnedDescriptor
  private let writer: Mutex<OwnedDescriptor?>
  let nameOfReader: String
  let nameOfWriter: String

  init() throws(LaunchError) {
    var ends: [CInt] = [-1, -1]
    guard cl_pipe(&ends, 0) == 0 else { throw .systemCall("pipe2", object: "the start of a container", errno: lastErrno()) }
    (nameOfReader, nameOfWriter) = ("/proc/\(getpid())/fd/\(ends[0])", "/proc/\(getpid())/fd/\(ends[1])")
    reader = OwnedDescriptor(owning: ends[0], path: "a pipe")
    writer = Mutex(OwnedDescriptor(owning: ends[1], path: "a pipe"))
  }

  /// Ends the stream for the reader, when nobody else has it open.
  func closeWriter() { writer.withLock { $0 = nil } }

  func write(_ bytes: [UInt8]) throws {
    try writer.withLock { try $0?.write(bytes.span.bytes) }
  }

  /// What comes before `end`; nil when the stream ends without it.
  func read(until end: UInt8) throws -> [UInt8]? {
    var bytes: [UInt8] = []
    while true {
      let piece = try reader.readPiece(atMost: 4096)
      guard !piece.isEmpty else { return nil }
      bytes += piece
      if let index = bytes.firstIndex(of: end) { return Array(bytes[..<index]) }
    }
  }
}
