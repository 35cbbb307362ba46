/// `envctl lock`: from what a project asks for to exact digests for every platform, without launching anything.
import EnvCatalog
import EnvCore
import EnvRegistry
import EnvStore
import Hashing
import OCI
import SafeFS
import SystemPackage

/// What `envctl lock` did.
public struct LockOutcome: Sendable {
  public let lock: EnvironmentLock
  /// The lock that was there, when it locked the same request.
  public let previous: EnvironmentLock?
  /// Whether the file was written.
  public var isNew: Bool { lock != previous }
}

extension Workbench {
  /// Writes the lock of a project. What is locked already stays; only platforms that are missing are added, from the same image.
  ///
  /// - Throws: What the source throws; nothing is written then.
  public func lock(_ project: ProjectFile) throws -> LockOutcome {
    let previous = try lockToKeep(project)
    let missing = project.platforms.filter { previous?.images[$0.description] == nil }
    let lock: EnvironmentLock
    if let previous {
      // A lock that was altered is not built upon.
      try requireOrigin(of: previous, project)
      _ = try compare(previous, in: project.folder)
      try requireSigned(previous, project, offline: false)
      lock = missing.isEmpty ? previous : try extended(previous, project, by: missing)
    } else {
      lock = try freshLock(project, platforms: missing)
    }
    return try write(lock, previous, in: project)
  }

  /// A lock of another schema is one to write anew; a damaged one is not, because nobody would learn what it said.
  private func lockToKeep(_ project: ProjectFile) throws -> EnvironmentLock? {
    do {
      let lock = try EnvironmentLock.read(in: project.folder)
      return lock?.environment == project.environment.description ? lock : nil
    } catch CatalogError.otherLockSchema(_, let schema, let known) {
      reporter.warned("the lock of schema \(schema) is replaced by one of schema \(known)")
      return nil
    }
  }

  func write(_ lock: EnvironmentLock, _ previous: EnvironmentLock?, in project: ProjectFile) throws -> LockOutcome {
    var lock = lock
    lock.baseline = try baseline(of: lock.resolved, images: lock.images.values)?.digest
    lock.models = project.lockedModels
    lock.programBaseline = try programBaseline(of: project)?.1
    if lock != previous { try lock.write(in: project.folder) }
    return LockOutcome(lock: lock, previous: previous)
  }

  /// Resolves the request now, whatever a lock says.
  func freshLock(_ project: ProjectFile, platforms: [Platform]) throws -> EnvironmentLock {
    let waived = try requirePinned(project)
    let choice = try choose(project.environment)
    let locked = try lockImages(choice, project, platforms)
    return EnvironmentLock(
      environment: project.environment, resolved: locked.source, index: locked.index, images: locked.images,
      signatures: locked.signatures, allowedUnpinned: waived)
  }

  /// Adds platforms to a lock from the very image it locks.
  private func extended(_ lock: EnvironmentLock, _ project: ProjectFile, by platforms: [Platform]) throws -> EnvironmentLock {
    var choice = SourceChoice(lock.resolved)
    if case .image(var reference) = lock.resolved {
      reference.digest = lock.index ?? lock.images.values.first?.manifest.digest
      choice = SourceChoice(.image(reference))
    }
    let added = try lockImages(choice, project, platforms)
    var lock = lock
    lock.images.merge(added.images) { _, new in new }
    lock.signatures += added.signatures.filter { !lock.signatures.contains($0) }
    return lock
  }

  /// The file of expected results an environment is judged by, and its digest once it is recorded; nil when it has none.
  ///
  /// An image from elsewhere that holds, to the byte, what one the catalog pins holds is expected to compute the same, however its layers are compressed.
  func baseline(of source: EnvironmentSource, images: some Sequence<EnvironmentLock.Image>) throws -> (file: FilePath, digest: Digest?)? {
    var file: FilePath?
    if case .catalog(let name) = source {
      file = try catalog.entry(name).baseline
    } else {
      let entries = try catalog.names().map { try catalog.entry($0) }
      file =
        entries.first { entry in
          images.contains { entry.images[platform] == $0.manifest.digest || entry.configs[platform] == $0.config.digest }
        }?.baseline
    }
    return try file.map { ($0, try BaselineShelf(path: $0).digest()) }
  }
}

/// Where a request leads, before anybody has been asked.
struct SourceChoice {
  let source: EnvironmentSource
  /// The same image in each registry that may carry it, in the order they are asked; empty for other sources.
  let candidates: [ImageReference]
  /// What third parties say the digest is.
  let reportedDigest: Digest?

  init(_ source: EnvironmentSource) {
    self.source = source
    candidates = if case .image(let reference) = source { [reference] } else { [] }
    reportedDigest = nil
  }

  init(_ references: [ImageReference], reportedDigest: Digest?) {
    precondition(!references.isEmpty, "the catalog lists no product without a repository")
    source = .image(references[0])
    candidates = references
    self.reportedDigest = reportedDigest
  }
}

extension Workbench {
  /// All names of an image that a project asks for: those of a triple's lie in several registries.
  func names(of reference: ImageReference, _ project: ProjectFile) throws -> [ImageReference] {
    guard case .triple(let triple) = project.environment, let tag = reference.tag else { return [reference] }
    return try catalog.published(triple.framework.rawValue).references(tag: tag)
  }

  /// Where a request leads: itself, or what the catalog knows for a triple.
  ///
  /// - Throws: `TripleError` when that is nothing, or not one thing.
  func choose(_ request: EnvironmentRequest) throws -> SourceChoice {
    switch request {
    case .source(let source): return SourceChoice(source)
    case .triple(let triple):
      switch try catalog.resolve(triple) {
      case .catalog(let entry, _, _, _): return SourceChoice(.catalog(entry.name))
      case .published(let image, let references): return SourceChoice(references, reportedDigest: image.reportedDigest)
      }
    }
  }
}
