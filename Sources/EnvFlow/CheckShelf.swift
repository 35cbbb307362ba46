/// What checks recorded, kept in the store by project: `checks/<project>/`. Every line is written as it comes, so that a killed run leaves what it
/// had; `last.json` names the last check that came to a verdict.
import EnvCore
import EnvDrift
import EnvLaunch
import EnvStore
import SafeFS
import SystemPackage

/// A check that came to a verdict, with all that `report` shows, as a file.
struct KeptCheck: Codable {
  static let currentSchema = 1

  /// The verdict, and what it was reached against; the baseline's own file may have changed since.
  enum Judged: Codable {
    case reference(Verdict, Baseline)
    case program(ProgramVerdict, ProgramBaseline, bands: [String: Double])
  }

  var schema: Int
  var run: RunFacts
  /// The file beside this one that holds what the workload wrote.
  var records: String
  var judged: Judged
}

/// The folder of one project's checks.
struct CheckShelf {
  private static let keptRuns = 5
  private let folder: FilePath
  private var last: FilePath { folder.appending("last.json") }

  init(_ store: Store, project: FilePath) {
    folder = store.home.appending("checks").appending(Workspace.id(forFolder: project))
  }

  /// A new file for what a run writes, or one of several runs of a check, counted from 1.
  func open(_ run: RunStart, repetition: Int = 1) throws -> RecordFile {
    try FileSystem.createDirectories(folder)
    // In the order of time by their names.
    let stamp = String(run.started.description.filter { $0.isNumber || $0 == "T" || $0 == "Z" })
    let name = "\(stamp)-\(run.id.prefix(8))\(repetition > 1 ? ".\(repetition)" : "").jsonl"
    return RecordFile(name: name, file: try OwnedDescriptor.create(folder.appending(name)))
  }

  /// Makes this the last check, and drops the records of all but the newest runs. One whose records could not be written is not kept.
  func keep(_ judged: KeptCheck.Judged, _ run: RunFacts, _ records: RecordFile?, _ reporter: any StageReporter) throws {
    if let failure = records?.failure { reporter.warned("the records are not kept: \(failure)") }
    guard let name = records?.name else { return }
    let check = KeptCheck(schema: KeptCheck.currentSchema, run: run, records: name, judged: judged)
    try FileSystem.writeAtomically(try CanonicalJSON.encode(check), to: last)
    let runs = try FileSystem.list(folder).filter { $0.hasSuffix(".jsonl") && $0 != check.records }.sorted()
    for name in runs.dropLast(Self.keptRuns - 1) { try FileSystem.removeFile(folder.appending(name)) }
  }

  /// The last check and what it recorded; nil where there was none.
  func recall() throws -> (check: KeptCheck, records: [UInt8])? {
    guard FileSystem.exists(last) else { return nil }
    let bytes = try FileSystem.readFile(last, limit: 256 << 20)
    let check = try CanonicalJSON.decode(KeptCheck.self, from: bytes, object: "'\(last)'")
    guard check.schema == KeptCheck.currentSchema else {
      throw FlowError.foreignCheck(file: last, schema: check.schema, known: KeptCheck.currentSchema)
    }
    guard let name = FilePath.Component(check.records) else {
      throw FlowError.foreignCheck(file: last, schema: check.schema, known: check.schema)
    }
    return (check, try FileSystem.readFile(folder.appending(name), limit: 1 << 30))
  }
}

/// Where a run's lines go as they come. One owner, one thread.
final class RecordFile {
  let name: String
  private let file: OwnedDescriptor
  /// The first failure to write; the run goes on without, and its user is told.
  private(set) var failure: FileSystemError?

  init(name: String, file: consuming OwnedDescriptor) {
    self.name = name
    self.file = file
  }

  func append(_ text: [UInt8]) {
    guard failure == nil else { return }
    do throws(FileSystemError) { try file.write(text.span.bytes) } catch { failure = error }
  }
}

/// The beginning of a run: what all its traces are joined by.
struct RunStart {
  let id: String
  let started: Timestamp
  private let clock = ContinuousClock.now

  init(_ workbench: Workbench) {
    id = workbench.traceID
    started = .now
  }

  /// The facts of the run, which has just ended.
  func facts(of environment: ReadyEnvironment, command: [String], ending: String) -> RunFacts {
    RunFacts(
      id: id, started: started, seconds: (ContinuousClock.now - clock).seconds, environment: environment.name,
      image: environment.image.manifestDigest, command: command, ending: ending)
  }
}
