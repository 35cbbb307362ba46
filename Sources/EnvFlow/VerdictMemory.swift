/// Verdicts this host has reached, so that the daily `up` need not train a model again.
import EnvCatalog
import EnvCore
import EnvDrift
import EnvStore
import Hashing
import SafeFS
import SystemPackage

/// The remembered verdict for one image, baseline, profile, set of variables and host.
///
/// A new kernel, another processor, a changed baseline or variable makes a new key, and with it a new measurement.
struct VerdictMemory {
  let key: Digest
  private let path: FilePath

  init(store: Store, environment: ReadyEnvironment, project: ProjectFile, profile: CheckRequest.Profile) throws {
    let baseline = try environment.baseline.flatMap { try BaselineShelf(path: $0).digest()?.hex } ?? ""
    let variables = project.variables.map { "\($0.name)=\($0.value)" }
    let parts = [environment.image.manifestDigest.hex, baseline, profile.rawValue, try Self.host()] + variables
    key = Digest.sha256(of: Array(parts.joined(separator: "\0").utf8))
    let folder = store.home.appending("verdicts")
    try FileSystem.createDirectories(folder)
    path = folder.appending(key.hex + ".json")
  }

  /// A record that cannot be read is no record: measuring again costs half a minute and is always right.
  func recall() -> Verdict? {
    guard let bytes = try? FileSystem.readFile(path, limit: 16 << 20) else { return nil }
    return try? CanonicalJSON.decode(Verdict.self, from: bytes, object: "verdict")
  }

  func remember(_ verdict: Verdict) throws {
    try FileSystem.writeAtomically(try CanonicalJSON.encode(verdict), to: path)
  }

  /// What of the host can change arithmetic: the processor, its features as the kernel offers them, and the kernel.
  static func host() throws -> String {
    let release = String(decoding: try FileSystem.readFile("/proc/sys/kernel/osrelease", limit: 1000), as: UTF8.self)
    let processor = String(decoding: try FileSystem.readFile("/proc/cpuinfo", limit: 8 << 20), as: UTF8.self)
    let lines = processor.split(separator: "\n").filter { $0.hasPrefix("model name") || $0.hasPrefix("flags") || $0.hasPrefix("Features") }
    return release + Set(lines).sorted().joined(separator: "\n")
  }
}
