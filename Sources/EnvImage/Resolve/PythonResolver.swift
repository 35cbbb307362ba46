/// Python requirements of a recipe → pins, resolved by pip for the image's platform as of a date. Nothing is installed.
import ChildProcess
import EnvCore
import HTTP
import OCI
import SafeFS
import SystemPackage

/// Runs pip until everything it chooses was published before the cut-off date.
///
/// pip knows no date, so what is too new is excluded by constraints, project by project, and pip is asked again. The upload times come from the
/// index (PEP 700). Markers such as `python_version` are judged by the Python that runs pip, which should be of the image's version.
struct PythonResolver {
  /// A folder for the files pip reads and writes, which the caller removes.
  let folder: FilePath
  let index: IndexClient
  /// A wheel that the index tells no size of.
  let sizeOfFile: (IndexFile, Digest) throws -> Int64

  /// Each round excludes at least one version, and a project seldom drags in another one that needs it too.
  private static let rounds = 30

  /// - Parameter glibcMinor: The minor version of the image's glibc 2, which decides which wheels run there (PEP 600).
  func resolve(_ python: Recipe.Python, platform: Platform, glibcMinor: Int) throws -> [RecipeLock.WheelPin] {
    var excluded: [String: Set<String>] = [:]
    var pages: [String: [IndexFile]] = [:]
    for _ in 0..<Self.rounds {
      let chosen = try ask(python, platform, glibcMinor, excluded)
      var isSettled = true
      var pins: [RecipeLock.WheelPin] = []
      for choice in chosen {
        let files = try pages[choice.project] ?? index.files(of: choice.project)
        pages[choice.project] = files
        let file = try listed(choice, in: files)
        guard let published = file.published else { throw ImageError.nothingOldEnough(project: choice.project, before: python.before) }
        if published >= python.before {
          isSettled = false
          excluded[choice.project, default: []].formUnion(Self.versions(in: files, notBefore: python.before))
          // A wheel added late to an old version is too new, although the version is not.
          excluded[choice.project, default: []].insert(choice.version)
        } else if isSettled {
          pins.append(try pin(choice, file))
        }
      }
      if isSettled { return pins.sorted { $0.project < $1.project } }
    }
    throw ImageError.resolverAnswer(tool: "pip", reason: "it found nothing older than \(python.before) in \(Self.rounds) rounds")
  }

  private struct Choice {
    var project: String
    var version: String
    var filename: String
    var sha256: Digest
  }

  private func listed(_ choice: Choice, in files: [IndexFile]) throws -> IndexFile {
    let named = files.filter { $0.filename == choice.filename }
    guard let file = named.first(where: { $0.sha256 == nil || $0.sha256 == choice.sha256 }) else {
      if let other = named.lazy.compactMap(\.sha256).first {
        throw ImageError.digestDiffersOnIndex(filename: choice.filename, expected: choice.sha256, actual: other)
      }
      throw ImageError.notOnIndex(filename: choice.filename, project: choice.project, indexes: index.indexes.map { redacted(url: $0) })
    }
    return file
  }

  private func pin(_ choice: Choice, _ file: IndexFile) throws -> RecipeLock.WheelPin {
    RecipeLock.WheelPin(
      project: choice.project, version: choice.version, filename: choice.filename,
      size: try file.size ?? sizeOfFile(file, choice.sha256), sha256: choice.sha256)
  }

  /// Versions of which every wheel was published at or after `limit`.
  private static func versions(in files: [IndexFile], notBefore limit: Timestamp) -> Set<String> {
    var new: Set<String> = []
    var old: Set<String> = []
    for file in files {
      guard let version = WheelName(file.filename)?.version else { continue }
      if let published = file.published, published < limit { old.insert(version) } else { new.insert(version) }
    }
    return new.subtracting(old)
  }

  private func ask(
    _ python: Recipe.Python, _ platform: Platform, _ glibcMinor: Int, _ excluded: [String: Set<String>]
  ) throws -> [Choice] {
    let constraints = excluded.sorted { $0.key < $1.key }.map { project, versions in
      project + versions.sorted().map { "!=" + $0 }.joined(separator: ",") + "\n"
    }
    let constraintsPath = folder.appending("constraints.txt")
    try FileSystem.writeAtomically(Array(constraints.joined().utf8), to: constraintsPath)
    let report = folder.appending("report.json")
    let arguments =
      [
        "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--dry-run", "--ignore-installed", "--report",
        report.string, "--target", folder.appending("target").string, "--constraint", constraintsPath.string, "--only-binary=:all:",
        "--implementation", "cp", "--python-version", python.version,
      ]
      + Self.platformTags(platform, glibcMinor: glibcMinor).flatMap { ["--platform", $0] } + ["--"] + python.requirements
    var environment = ProcessEnvironment.inherited
    environment["LC_ALL"] = "C.UTF-8"
    // Not an argument, because everybody on the machine can read those and the URL may hold a password.
    environment["PIP_INDEX_URL"] = index.indexes.first
    _ = try Command(try Executable.find("python3"), arguments, environment: environment).runSuccessfully()
    return try Self.choices(FileSystem.readFile(report))
  }

  /// The tags of wheels that run on glibc 2.17 to that of the image, newest first, under their present and their older name.
  static func platformTags(_ platform: Platform, glibcMinor: Int) -> [String] {
    let machine = ["amd64": "x86_64", "arm64": "aarch64"][platform.architecture] ?? platform.architecture
    return stride(from: glibcMinor, through: 17, by: -1).map { "manylinux_2_\($0)_\(machine)" } + ["manylinux2014_\(machine)"]
  }

  /// pip's installation report, version 1.
  private struct Report: Decodable {
    struct Item: Decodable {
      struct Download: Decodable {
        struct Archive: Decodable {
          /// `sha256=<hex>`.
          var hash: String?
        }
        var url: String
        var archive: Archive

        enum CodingKeys: String, CodingKey {
          case url
          case archive = "archive_info"
        }
      }
      struct Metadata: Decodable {
        var name: String
        var version: String
      }
      var download: Download
      var metadata: Metadata

      enum CodingKeys: String, CodingKey {
        case metadata
        case download = "download_info"
      }
    }
    var install: [Item]
  }

  private static func choices(_ report: [UInt8]) throws -> [Choice] {
    try CanonicalJSON.decode(Report.self, from: report, object: "pip's report").install.map { item in
      let filename = percentDecoded(split(split(item.download.url, at: "#").0, at: "?").0.split(separator: "/").last.map(String.init) ?? "")
      let (algorithm, hex) = split(item.download.archive.hash ?? "", at: "=")
      guard let name = WheelName(filename), algorithm == "sha256", let digest = try? Digest(hex: hex) else {
        throw ImageError.resolverAnswer(tool: "pip", reason: "no wheel with a SHA-256 for \(item.metadata.name)")
      }
      return Choice(project: name.project, version: item.metadata.version, filename: filename, sha256: digest)
    }
  }
}
