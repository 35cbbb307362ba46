/// Linting of folders: which files, read by several threads, in the order of their paths.
import EnvCore
import Glibc
import SafeFS
import SystemPackage

/// What to lint.
public struct LintRequest: Sendable {
  /// Files and folders as the user named them.
  public var roots: [FilePath]
  public var rules: Set<Rule>
  /// Threads that read and judge.
  public var width: Int

  public init(roots: [FilePath] = ["."], rules: Set<Rule> = Set(Rule.all), width: Int = Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))) {
    self.roots = roots
    self.rules = rules
    self.width = max(1, width)
  }
}

/// What a lint found.
public struct LintReport: Sendable {
  /// In the order of files and places.
  public var findings: [Finding] = []
  public var suppressed: [SuppressedFinding] = []
  /// Findings the baseline knows.
  public var known: [Finding] = []
  public var skipped: [SkippedFile] = []
  /// Files a rule looked at.
  public var filesRead = 0
  /// Files the walk met.
  public var filesSeen = 0

  public init() {}

  /// `policy` when a finding of weight `error` is left.
  public var exitCode: ExitCode { findings.contains { $0.severity == .error } ? .policy : .asExpected }
}

public enum Linter {
  /// Folders that hold what others wrote or tools made.
  private static let skippedFolders: Set<String> = [
    ".git", ".hg", ".svn", ".jj", "node_modules", ".build", ".venv", "venv", ".tox", ".nox", "__pycache__", ".mypy_cache", ".pytest_cache",
    ".terraform", ".cache", ".direnv", "site-packages", "bower_components",
  ]
  /// Larger files are told and not read: nobody writes them by hand.
  private static let sizeLimit = 16 << 20

  /// Lints everything below the roots. Symbolic links on the way are not followed.
  ///
  /// - Throws: `PolicyError.unreadableRoot` for a root that is not there.
  public static func lint(_ request: LintRequest) throws -> LintReport {
    var report = LintReport()
    var files: [Candidate] = []
    var seen: Set<String> = []
    for root in request.roots {
      for file in try candidates(root, &report) where seen.insert(file.shown).inserted { files.append(file) }
    }
    let results = try concurrentMap(files, width: request.width) { lint($0, rules: request.rules) }
    for result in results {
      report.findings += result.findings
      report.suppressed += result.suppressed
      if let skipped = result.skipped { report.skipped.append(skipped) }
      if result.wasRead { report.filesRead += 1 }
    }
    return report
  }

  /// A file whose name does not rule it out.
  private struct Candidate: Sendable {
    let path: FilePath
    /// As the user sees it: relative where the root was.
    let shown: String
    let size: Int64
    let hasRecipeLock: Bool
  }

  private static func candidates(_ root: FilePath, _ report: inout LintReport) throws -> [Candidate] {
    let status: FileStatus?
    // A root is what the user named, so a link there is meant.
    do { status = try FileSystem.status(root, followingLink: true) } catch {
      throw PolicyError.unreadableRoot(path: root.string, underlying: error)
    }
    guard let status else {
      throw PolicyError.unreadableRoot(
        path: root.string, underlying: FileSystemError(call: "stat", path: root, errno: .noSuchFileOrDirectory))
    }
    let prefix = root.lexicallyNormalized().string
    if status.kind == .file {
      report.filesSeen += 1
      let lock = root.removingLastComponent().appending("image.lock")
      return [Candidate(path: root, shown: prefix, size: status.size, hasRecipeLock: FileSystem.exists(lock))]
    }
    guard status.kind == .directory else {
      throw PolicyError.unreadableRoot(path: root.string, underlying: FileSystemError(call: "open", path: root, errno: .notDirectory))
    }
    let walk: FileListing
    do { walk = try FileSystem.files(below: root, entering: { !skippedFolders.contains($0) }) } catch {
      throw PolicyError.unreadableRoot(path: root.string, underlying: error)
    }
    report.filesSeen += walk.files.count
    report.skipped += walk.unreadable.map { SkippedFile(file: shown(prefix, $0.path), reason: "\($0.error.errno)") }
    let locks = Set(walk.files.lazy.map(\.path).filter { $0 == "image.lock" || $0.hasSuffix("/image.lock") })
    return walk.files.compactMap { file in
      guard FileKind.guess(file.path) != nil else { return nil }
      let lock = (file.path.lastIndex(of: "/").map { file.path[...$0] } ?? "") + "image.lock"
      return Candidate(
        path: root.appending(file.path), shown: shown(prefix, file.path), size: file.size, hasRecipeLock: locks.contains(String(lock)))
    }
  }

  private static func shown(_ prefix: String, _ path: String) -> String {
    prefix == "." || prefix.isEmpty ? path : prefix.hasSuffix("/") ? prefix + path : prefix + "/" + path
  }

  private static func lint(_ file: Candidate, rules: Set<Rule>) -> FileLint {
    // A file without a telling name is a script or nothing; scripts are small.
    if FileKind.guess(file.shown) == .unknown, file.size > 1 << 20 { return FileLint([], path: "") }
    guard file.size <= sizeLimit else { return skip(file, "it is larger than 16 MiB") }
    do {
      let bytes = try FileSystem.readFile(file.path, limit: sizeLimit)
      return FileLint(bytes, path: file.shown, rules: rules, hasRecipeLock: file.hasRecipeLock)
    } catch {
      return skip(file, "\(error.errno)")
    }
  }

  private static func skip(_ file: Candidate, _ reason: String) -> FileLint {
    var result = FileLint([], path: "")
    result.skipped = SkippedFile(file: file.shown, reason: reason)
    return result
  }
}
