/// `envctl lock`: pins what envctl.yaml asks for, checks that it is still what was pinned, or moves the pin and says what changes.
import ArgumentParser
import EnvCatalog
import EnvCore
import EnvFlow
import EnvImage
import EnvStore

struct LockCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "lock", abstract: "Write envctl.lock: exact digests for what envctl.yaml asks for.",
    discussion: """
      Nothing is launched. Of an image in a registry only its documents are fetched; one that is made by a recipe is built. What is locked stays locked; \
      --upgrade asks again. A lock that does not fit, and a tag that has moved, end with status 4; a lock that was altered, with status 5.
      """)

  @OptionGroup var common: CommonOptions
  @OptionGroup var options: ProjectOptions

  @Flag(help: "Write nothing; fail when the lock does not fit envctl.yaml or the image in the store. Uses no network.")
  var check = false

  @Flag(help: "With --check: also ask the registry and the catalog whether they still name the locked image.")
  var remote = false

  @Flag(help: "Lock what the tag or the catalog names today, and explain what changes.")
  var upgrade = false

  func validate() throws {
    if check, upgrade { throw ValidationError("--check writes nothing, --upgrade writes a new lock: name one of them") }
    if check, options.allowUnpinned { throw ValidationError("--allow-unpinned is for writing a lock, not for --check") }
    if remote, !check { throw ValidationError("--remote belongs to --check") }
  }

  func run() throws {
    let workbench = try options.workbench(common)
    let project = try options.project(workbench.catalog)
    if check { return try runCheck(workbench, project) }
    if upgrade { return try runUpgrade(workbench, project) }
    let outcome = try workbench.lock(project)
    switch common.format {
    case .json: try Console.printJSON(LockDocument(outcome))
    case .text: try Console.printResult(Self.lines(outcome))
    }
  }

  private func runCheck(_ workbench: Workbench, _ project: ProjectFile) throws {
    var (lock, check) = try workbench.checkLock(project)
    if remote { check.remote = try workbench.checkRemote(project, lock) }
    switch common.format {
    case .json: try Console.printJSON(check)
    case .text:
      var lines = ["\(EnvironmentLock.name) fits \(ProjectFile.name)"]
      lines += check.compared.map { "\($0): the documents in the store are the locked ones" }
      lines += check.notInStore.map { "\($0): its documents are not in the store, not compared" }
      if let remote = check.remote { lines.append("\(remote): unchanged") }
      try Console.printResult(lines)
    }
  }

  private func runUpgrade(_ workbench: Workbench, _ project: ProjectFile) throws {
    let (outcome, changes) = try workbench.upgradeLock(project)
    switch common.format {
    case .json: try Console.printJSON(LockDocument(outcome, changes))
    case .text:
      for change in changes { try Console.printResult(change.lines) }
      try Console.printResult(Self.lines(outcome))
    }
  }

  private static func lines(_ outcome: LockOutcome) -> [String] {
    [outcome.isNew ? "wrote \(EnvironmentLock.name): \(outcome.lock.resolved)" : "\(EnvironmentLock.name) is up to date"]
      + outcome.lock.images.sorted { $0.key < $1.key }.map { name, image in
        let size = image.layers.reduce(0) { $0 + $1.size }
        return "\(name) \(image.manifest.digest) (\(image.layers.count) layers, \(ByteCount(size))); facts: \(image.facts.summary)"
      }
  }
}

/// What `lock --format json` prints.
private struct LockDocument: Encodable {
  var written: Bool
  var lock: EnvironmentLock
  var changes: [ImageChange]?

  init(_ outcome: LockOutcome, _ changes: [ImageChange]? = nil) {
    written = outcome.isNew
    lock = outcome.lock
    self.changes = changes
  }
}

extension ImageChange {
  /// What changes, one thing a line.
  fileprivate var lines: [String] {
    var lines = ["\(platform): \(before) → \(after)"]
    lines += [("shared", sharedLayers), ("new", newLayers), ("gone", goneLayers)].map { name, layers in
      "  layers \(name): \(layers.count), \(ByteCount(layers.reduce(0) { $0 + $1.size }))"
    }
    lines += newLayers.map { "    + \($0.digest) \(ByteCount($0.size))" } + goneLayers.map { "    - \($0.digest) \(ByteCount($0.size))" }
    lines += facts.map(Self.line)
    if let variables { lines += variables.map { "  env" + Self.line($0).dropFirst() } }
    if let labels { lines += labels.map { "  label" + Self.line($0).dropFirst() } }
    if variables == nil { lines.append("  env and labels not compared: the config that was locked is not in the store") }
    if let packages {
      lines.append("  packages that differ: \(packages.count)")
      lines += packages.map { "    \($0.manager) \($0.name): \(Self.versions($0.before)) → \(Self.versions($0.after))" }
    }
    if let packagesNote { lines.append("  packages: " + packagesNote) }
    return lines
  }

  private static func line(_ value: Value) -> String { "  \(value.name): \(value.before ?? "none") → \(value.after ?? "none")" }

  private static func versions(_ versions: [String]) -> String { versions.isEmpty ? "none" : versions.joined(separator: ", ") }
}
