/// The pinning rules of `envctl lint`, applied to what a command is about to use.
import EnvCatalog
import EnvCore
import EnvPolicy
import OCI
import SafeFS
import SystemPackage

extension Workbench {
  /// Holds what a project asks for to the rules.
  ///
  /// A comment in the file silences `lint`; here only the user who runs the command can waive a rule, and the lock says so.
  /// - Parameter waived: Rules that the project's lock records as waived: whoever wrote it was told, and what it locks is pinned by it.
  /// - Returns: The ids of the rules that had to be waived, sorted.
  /// - Throws: `PolicyError.unpinned` (status 4).
  func requirePinned(_ project: ProjectFile, waived: [String] = []) throws -> [String] {
    let file = project.folder.appending(ProjectFile.name)
    let findings: [Finding]
    if FileSystem.exists(file) {
      findings = FileLint(try FileSystem.readFile(file, limit: 1 << 20), path: file.string).all
    } else if case .source(.image(let reference)) = project.environment {
      findings = Pinning.findings(reference: "\(reference)", place: Place(file: "the command line"))
    } else {
      findings = []
    }
    return try pass(findings, waived: waived)
  }

  /// Holds a recipe to the rules.
  func requirePinned(recipe folder: FilePath) throws {
    let file = folder.appending("image.yaml")
    guard FileSystem.exists(file) else { return }
    let hasLock = FileSystem.exists(folder.appending("image.lock"))
    let lint = FileLint(try FileSystem.readFile(file, limit: 1 << 20), path: file.string, hasRecipeLock: hasLock)
    _ = try pass(lint.all, waived: [])
  }

  private func pass(_ findings: [Finding], waived: [String]) throws -> [String] {
    let refused = findings.filter { $0.severity == .error }
    let ids = Set(refused.map(\.rule.id)).sorted()
    let isKnown = ids.allSatisfy(waived.contains)
    guard isKnown || allowsUnpinned else { throw PolicyError.unpinned(refused) }
    if !isKnown {
      for finding in refused { reporter.warned("\(finding.place.file): \(finding.message) [\(finding.rule.id)], allowed all the same") }
    }
    return ids
  }
}

extension FileLint {
  /// Findings and those a comment silences.
  fileprivate var all: [Finding] { findings + suppressed.map(\.finding) }
}
