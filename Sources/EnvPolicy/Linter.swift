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
  /// What could not be looked at, folder by folder, then in the order of files and places.
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

  /// Lints everything below the roots. Symbolic links on the way are not followed; one that makes a file out of sight pass for one to be
  /// judged is a finding, as is whatever else could not be read.
  ///
  /// - Throws: `PolicyError.unreadableRoot` for a root that is not there, `oddRoot` for one that is neither file nor folder.
  public static func lint(_ request: LintRequest) throws -> LintReport {
    var report = LintReport()
    var files: [Candidate] = []
    var seen: Set<String> = []
    for root in request.roots {
      for file in try candidates(root, rules: request.rules, &report) where seen.insert(file.shown).inserted { files.append(file) }
    }
    let results = try concurrentMap(files, width: request.width) { lint($0, rules: request.rules) }
    for result in results { report.add(result) }
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

  private static func candidates(_ root: FilePath, rules: Set<Rule>, _ report: inout LintReport) throws -> [Candidate] {
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
    guard status.kind == .directory else { throw PolicyError.oddRoot(path: root.string) }
    let walk: FileListing
    do { walk = try FileSystem.files(below: root, entering: { !skippedFolders.contains($0) }) } catch {
      throw PolicyError.unreadableRoot(path: root.string, underlying: error)
    }
    report.filesSeen += walk.files.count
    for (path, error) in walk.unreadable {
      report.add(FileLint(unread: shown(prefix, path), reason: "\(error.errno)", rules: rules))
    }
    for (link, reason) in unfollowed(walk, root) {
      report.add(FileLint(unread: shown(prefix, link), reason: reason, rules: rules))
    }
    let locks = Set(walk.files.lazy.map(\.path).filter { $0 == "image.lock" || $0.hasSuffix("/image.lock") })
    return walk.files.compactMap { file in
      guard FileKind.guess(file.path) != nil else { return nil }
      let lock = (file.path.lastIndex(of: "/").map { file.path[...$0] } ?? "") + "image.lock"
      return Candidate(
        path: root.appending(file.path), shown: shown(prefix, file.path), size: file.size, hasRecipeLock: locks.contains(String(lock)))
    }
  }

  /// The links that stand where a file to be judged would, and lead to none that the walk has met as a file of the same kind.
  private static func unfollowed(_ walk: FileListing, _ root: FilePath) -> [(link: String, reason: String)] {
    let links = walk.links.compactMap { link in
      if case .known(let kind) = FileKind.guess(link), kind.isExpected { (path: link, kind: kind) } else { nil }
    }
    guard !links.isEmpty, let base = try? FileSystem.canonicalPath(root) else { return [] }
    let walked = Set(walk.files.lazy.map(\.path))
    return links.compactMap { link in
      guard var target = try? FileSystem.canonicalPath(root.appending(link.path)) else { return (link.path, "a link that leads nowhere") }
      // A folder is no file that anything reads, whatever it is called.
      if (try? FileSystem.status(target))?.kind == .directory { return nil }
      let name = target
      guard target.removePrefix(base) else { return (link.path, "a link out of the tree, to '\(name)'") }
      guard walked.contains(target.string), FileKind.guess(target.string) == .known(link.kind) else {
        return (link.path, "a link to '\(target)', which is not judged as such a file")
      }
      return nil
    }
  }

  private static func shown(_ prefix: String, _ path: String) -> String {
    prefix == "." || prefix.isEmpty ? path : prefix.hasSuffix("/") ? prefix + path : prefix + "/" + path
  }

  private static func lint(_ file: Candidate, rules: Set<Rule>) -> FileLint {
    // A file without a telling name is a script or nothing; scripts are small.
    if FileKind.guess(file.shown) == .unknown, file.size > 1 << 20 { return FileLint([], path: "") }
    // Nor does anybody write data by hand.
    if FileKind.guess(file.shown) == .known(.json), file.size > sizeLimit { return FileLint([], path: "") }
    guard file.size <= sizeLimit else { return skip(file, "it is larger than 16 MiB", rules) }
    do {
      let bytes = try FileSystem.readFile(file.path, limit: sizeLimit)
      return FileLint(bytes, path: file.shown, rules: rules, hasRecipeLock: file.hasRecipeLock)
    } catch {
      return skip(file, "\(error.errno)", rules)
    }
  }

  private static func skip(_ file: Candidate, _ reason: String, _ rules: Set<Rule>) -> FileLint {
    if case .known(let kind) = FileKind.guess(file.shown), kind.isExpected {
      return FileLint(unread: file.shown, reason: reason, rules: rules)
    }
    // Without a telling name it may be anything.
    var result = FileLint([], path: "")
    result.skipped = SkippedFile(file: file.shown, reason: reason)
    return result
  }
}

extension LintReport {
  fileprivate mutating func add(_ file: FileLint) {
    findings += file.findings
    suppressed += file.suppressed
    if let skipped = file.skipped { self.skipped.append(skipped) }
    if file.wasRead { filesRead += 1 }
  }
}
