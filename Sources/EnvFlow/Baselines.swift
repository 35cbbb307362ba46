/// Where an environment's baselines lie: one file, or a folder with one a kind of hardware.
import EnvCatalog
import EnvCore
import EnvDrift
import EnvStore
import Hashing
import SafeFS
import SystemPackage

/// The place a catalog entry names for its expected results.
struct BaselineShelf {
  /// A file, or a folder of files.
  let path: FilePath

  /// The files there are, sorted by name; none if nothing has been recorded yet.
  func files() throws -> [FilePath] {
    guard let status = try FileSystem.status(path, followingLink: true) else { return [] }
    guard status.kind == .directory else { return [path] }
    return try FileSystem.list(path).filter { $0.hasSuffix(".json") }.sorted().map { path.appending($0) }
  }

  /// The digest of what is expected: of the one file, or of a list of all files with their digests; nil where there is none.
  func digest() throws -> Digest? {
    let files = try files()
    guard let first = files.first else { return nil }
    if first == path { return try Digest.sha256(ofFile: path, followingLink: true) }
    let lines = try files.map { "\(try Digest.sha256(ofFile: $0, followingLink: true).hex)  \($0.lastComponent?.string ?? "")\n" }
    return Digest.sha256(of: Array(lines.joined().utf8))
  }

  /// The file for what is measured on this hardware: the one file, or in a folder one named after the processor.
  func file(for baseline: Baseline) throws -> FilePath {
    guard let status = try FileSystem.status(path, followingLink: true), status.kind == .directory else { return path }
    let words = baseline.environment.kind.lowercased().split { !$0.isASCII || !($0.isLetter || $0.isNumber) }
    return path.appending(words.joined(separator: "-") + ".json")
  }
}

extension ReadyEnvironment {
  /// Where a baseline measured here belongs.
  ///
  /// - Throws: `noBaseline` if the catalog names no place.
  public func baselineFile(for measured: Baseline) throws -> FilePath {
    guard let baseline else { throw FlowError.noBaseline(environment: name) }
    return try BaselineShelf(path: baseline).file(for: measured)
  }
}

extension Workbench {
  /// The expected results of the environment, one a kind of hardware.
  ///
  /// - Throws: `noBaseline` if there is none; what `Baseline` throws if one cannot be read.
  func baselines(of environment: ReadyEnvironment) throws -> [Baseline] {
    let files = try environment.baseline.map { try BaselineShelf(path: $0).files() } ?? []
    guard !files.isEmpty else { throw FlowError.noBaseline(environment: environment.name) }
    return try files.map { try Baseline(decoding: try FileSystem.readFile($0), object: "baseline '\($0)'") }
  }
}
