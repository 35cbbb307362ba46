/// What bisections have measured on this host, so that one that was interrupted goes on where it stopped.
import EnvCore
import EnvStore
import Hashing
import SafeFS
import SystemPackage

/// One kept run: of an image, with variables, of a profile of the workload.
struct BisectMemory {
  /// What a run left.
  struct Run: Codable {
    static let currentSchema = 1

    var schema = Self.currentSchema
    /// What was not well about its end; nil for nothing.
    var failure: String?
    var seconds: Double
    /// The workload's lines.
    var records: String
  }

  private static let keptRuns = 100
  private let folder: FilePath
  private let name: String

  /// - Parameter repetition: Counted from 1; several runs of one thing are kept apart.
  init(_ store: Store, image: Digest, settings: [String: String], workload: String, repetition: Int) throws {
    let variables = settings.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    let parts = [image.hex, workload, String(repetition), try VerdictMemory.host()] + variables
    folder = store.home.appending("bisect")
    name = Digest.sha256(of: Array(parts.joined(separator: "\0").utf8)).hex + ".json"
  }

  /// A run that cannot be read is made again.
  func recall() -> Run? {
    guard let bytes = try? FileSystem.readFile(folder.appending(name)),
      let run = try? CanonicalJSON.decode(Run.self, from: bytes, object: "kept run"), run.schema == Run.currentSchema
    else { return nil }
    return run
  }

  /// Keeps a run, and drops the oldest when there are many.
  func remember(_ run: Run) throws {
    try FileSystem.createDirectories(folder)
    try FileSystem.writeAtomically(try CanonicalJSON.encode(run), to: folder.appending(name))
    let kept = try FileSystem.list(folder)
    guard kept.count > Self.keptRuns else { return }
    let byAge = try kept.map { (name: $0, time: try FileSystem.status(folder.appending($0))?.modified ?? 0) }.sorted { $0.time < $1.time }
    for old in byAge.prefix(kept.count - Self.keptRuns) { try FileSystem.removeFile(folder.appending(old.name)) }
  }
}
