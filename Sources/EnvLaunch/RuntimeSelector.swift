/// Which OCI runtime is used: the first that starts a real container on this host. The answer is kept until runtime or host change.
import ChildProcess
import EnvBundle
import EnvCore
import Glibc
import OCI
import SafeFS
import SystemPackage

/// Chooses a runtime by trying it.
public struct RuntimeSelector: Sendable {
  /// In the order of preference: crun starts faster.
  public static let candidates = ["crun", "runc"]

  private let runFolder: FilePath
  private let reporter: any StageReporter

  /// - Parameter home: the folder of the store; answers are kept below its `run`.
  public init(home: FilePath, reporter: any StageReporter = SilentReporter()) {
    self.runFolder = home.appending("run")
    self.reporter = reporter
  }

  /// The runtime to use. `ENVCTL_RUNTIME` (name or path) narrows the choice to one.
  /// - Throws: `LaunchError.noRuntime`, `noWorkingRuntime` with the reason of each.
  public func select() throws(LaunchError) -> Runtime {
    let wanted = ProcessEnvironment.inherited["ENVCTL_RUNTIME"].flatMap { $0.isEmpty ? nil : $0 }
    return try select(from: wanted.map { [$0] } ?? Self.candidates)
  }

  func select(from names: [String]) throws(LaunchError) -> Runtime {
    let found = names.compactMap { try? Executable.find($0) }
    guard !found.isEmpty else { throw .noRuntime(lookedFor: names) }
    return try launching("choosing a runtime") {
      var memory = RuntimeMemory.load(from: memoryFile)
      for path in found { if let runtime = try (memory.verdict(on: path) ?? learn(path, into: &memory)).runtime { return runtime } }
      // What was remembered may have been mended since, and without any runtime a second look costs nobody anything.
      var refusals: [String] = []
      for path in found {
        let verdict = try learn(path, into: &memory)
        if let runtime = verdict.runtime { return runtime }
        refusals.append("\(path.lastComponent?.string ?? path.string) (\(verdict.reason ?? "failed"))")
      }
      throw LaunchError.noWorkingRuntime(refusals)
    }
  }

  private var memoryFile: FilePath { runFolder.appending("runtimes.json") }

  private func learn(_ path: FilePath, into memory: inout RuntimeMemory) throws -> RuntimeMemory.Verdict {
    let verdict = try probe(path)
    // A full disk says nothing about a runtime.
    if verdict.runtime == nil { try FileSystem.requireRoom(in: runFolder) }
    if let reason = verdict.reason { reporter.warned("runtime \(path) is passed over: \(reason)") }
    try memory.record(verdict, on: path)
    try FileSystem.writeAtomically(try CanonicalJSON.encode(memory), to: memoryFile)
    return verdict
  }

  /// Starts the probe program with the same isolation as a real container; then once more behind a gate that stays shut.
  private func probe(_ path: FilePath) throws -> RuntimeMemory.Verdict {
    let version = try? Command(path, ["--version"]).run(deadline: .seconds(10))
    let firstLine = version.map { String(decoding: $0.output.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self) } ?? ""
    let runtime = Runtime(name: path.lastComponent?.string ?? "runtime", path: path.string, version: firstLine)
    let client = RuntimeClient(runtime, runFolder: runFolder)
    let start = try self.start(client, isRefused: false)
    guard start.hasRun else { return RuntimeMemory.Verdict(runtime: nil, reason: start.failure) }
    guard start.gateWasAsked else { return RuntimeMemory.Verdict(runtime: nil, reason: "it calls no createRuntime hooks") }
    guard try !self.start(client, isRefused: true).hasRun else {
      return RuntimeMemory.Verdict(runtime: nil, reason: "it starts the program after a createRuntime hook has failed")
    }
    return RuntimeMemory.Verdict(runtime: runtime, reason: nil)
  }

  /// What came of a start of the probe program.
  private struct ProbeStart {
    let completion: Completion
    /// The last thing the runtime says of itself.
    let error: String?
    let gateWasAsked: Bool

    var hasRun: Bool { completion.status == .exited(ProbeProgram.exitStatus) }
    var failure: String {
      let said = error ?? completion.errorText
      return said.isEmpty ? "ended with \(completion.status)" : said
    }
  }

  private func start(_ client: RuntimeClient, isRefused: Bool) throws -> ProbeStart {
    let container = "probe-" + FileSystem.uniqueSuffix()
    let bundle = runFolder.appending(container)
    defer { try? FileSystem.removeTree(bundle) }
    try FileSystem.createDirectories(bundle.appending("rootfs"))
    try Self.write(ProbeProgram.bytes, to: bundle.appending("rootfs/probe"), mode: 0o755)
    var builder = BundleBuilder(
      rootPath: bundle.appending("rootfs").string, image: ImageConfig.Execution(), users: UserDatabase(passwd: [], group: []))
    builder.owners = OwnerIDs.current
    var spec = try builder.spec(for: LaunchRequest(hostname: "probe", command: ["/probe"]))
    let log = bundle.appending("log")
    let gate = try StartGate(proof: nil, resources: nil, reporter: SilentReporter())
    if isRefused { gate.interrupt(SIGTERM) }
    let outcome = Result {
      try gate.holdBack(&spec)
      try Self.write(try CanonicalJSON.encode(spec), to: bundle.appending("config.json"), mode: 0o600)
      return try client.runCommand(container, bundle: bundle, log: log).run(deadline: .seconds(30))
    }
    try? gate.finish()  // A start that was refused shows in the outcome.
    try client.delete(container)
    return ProbeStart(completion: try outcome.get(), error: RuntimeLog.errors(in: log).first, gateWasAsked: gate.wasAsked)
  }

  /// A file of a bundle. It means nothing after a crash, so it need not be safe on the disk.
  static func write(_ bytes: [UInt8], to path: FilePath, mode: UInt32) throws(FileSystemError) {
    try OwnedDescriptor.create(path, mode: mode).write(bytes.span.bytes)
  }
}
