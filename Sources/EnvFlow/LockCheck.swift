/// `envctl lock --check`: does the lock still fit, first against what is on this machine, then against where the image comes from?
import EnvCatalog
import EnvCore
import EnvRegistry
import EnvStore
import OCI
import SystemPackage

/// What a check found in order. What is not ends in an error.
public struct LockCheck: Sendable, Encodable {
  /// The platforms whose image documents are in the store and agree with the lock.
  public var compared: [String]
  /// The platforms whose image is not in the store, so that nothing was compared.
  public var notInStore: [String]
  /// Where the tag or the catalog's pin was asked for, when it was.
  public var remote: String?
}

extension Workbench {
  /// Compares the lock with `envctl.yaml`, and with the image's documents where the store has them. It uses no network.
  ///
  /// - Throws: `CatalogError.noLock`, `.lockMismatch` (status 4) or `.lockDisagrees` (status 5).
  public func checkLock(_ project: ProjectFile) throws -> (lock: EnvironmentLock, check: LockCheck) {
    let file = project.folder.appending(EnvironmentLock.name)
    guard let lock = try EnvironmentLock.read(in: project.folder) else { throw CatalogError.noLock(file: file) }
    try lock.requireMatch(project)
    try requireOrigin(of: lock, project)
    let baseline = try baseline(of: lock.resolved, images: lock.images.values)?.digest
    guard lock.baseline == baseline else {
      let (locked, found) = (lock.baseline?.description ?? "none", baseline?.description ?? "none")
      throw CatalogError.lockMismatch(file: file, reason: "it locks the baseline \(locked), the catalog has \(found)")
    }
    if let (_, digest) = try programBaseline(of: project), let locked = lock.programBaseline, locked != digest {
      throw FlowError.programBaselineDiffers(file: Self.programBaselineFile(of: project), locked: locked, actual: digest)
    }
    let check = try compare(lock, in: project.folder)
    try requireSigned(lock, project, offline: true)
    return (lock, check)
  }

  /// Refuses a lock that leads elsewhere than `envctl.yaml` does: a lock pins what was asked for, it does not decide what that is.
  ///
  /// A triple may have led elsewhere under an older catalog, and what was locked then stays locked.
  /// - Throws: `CatalogError.lockMismatch`.
  func requireOrigin(of lock: EnvironmentLock, _ project: ProjectFile) throws {
    let isAsked =
      switch project.environment {
      case .source(let source): source == lock.resolved
      case .triple(let triple): try catalog.mayMean(triple, lock.resolved)
      }
    guard isAsked else {
      throw CatalogError.lockMismatch(
        file: project.folder.appending(EnvironmentLock.name), reason: "it leads to '\(lock.resolved)', which envctl.yaml does not name")
    }
    guard case .image(let reference) = lock.resolved, let digest = reference.digest, lock.index != digest else { return }
    for (platform, image) in lock.images where image.manifest.digest != digest {
      throw CatalogError.lockMismatch(
        file: project.folder.appending(EnvironmentLock.name),
        reason: "envctl.yaml asks for \(digest), and it locks \(image.manifest.digest) for \(platform)")
    }
  }

  /// Compares what a lock says with the documents of its images, where the store has them.
  func compare(_ lock: EnvironmentLock, in folder: FilePath) throws -> LockCheck {
    var check = LockCheck(compared: [], notInStore: [], remote: nil)
    for (name, locked) in lock.images.sorted(by: { $0.key < $1.key }) {
      guard let platform = Platform(parsing: name), let image = try store.imageDocuments(locked.manifest.digest) else {
        check.notInStore.append(name)
        continue
      }
      try lock.requireAgreement(with: try EnvironmentLock.Image(image), on: platform, in: folder)
      check.compared.append(name)
    }
    return check
  }

  /// Asks where the image comes from whether the same would be locked today.
  ///
  /// - Throws: `FlowError.pinMoved` (status 4) with the old and the new digest.
  public func checkRemote(_ project: ProjectFile, _ lock: EnvironmentLock) throws -> String {
    try reporter.stage("resolve") { _ in
      try requireSameSource(project, lock)
      switch lock.resolved {
      case .layout(let text): return (text, "\(text) is on this machine: nothing to ask")
      case .catalog(let name):
        let entry = try catalog.entry(name)
        for (platform, image) in lock.images.sorted(by: { $0.key < $1.key }) {
          guard let pinned = Platform(parsing: platform).flatMap({ entry.images[$0] }), pinned != image.manifest.digest else { continue }
          throw FlowError.pinMoved(object: "environment '\(name)' of the catalog", locked: image.manifest.digest, current: pinned)
        }
        return (name, "the catalog pins the same image")
      case .image(let reference):
        // Beside a digest the tag says where the name leads by now; by the digest the registry could but answer with the same.
        var named = reference
        if reference.tag != nil { named.digest = nil }
        let current = try registry.resolve(named).digest
        guard let locked = lock.index ?? lock.images.values.first?.manifest.digest, locked != current else {
          return ("\(reference)", "\(named) is still \(current)")
        }
        let isNamed = project.environment.description == "\(reference)" && reference.digest != nil
        throw FlowError.pinMoved(object: "\(named)", locked: locked, current: current, isNamedInProject: isNamed)
      }
    }
  }

  /// A triple may lead elsewhere since a newer catalog came.
  private func requireSameSource(_ project: ProjectFile, _ lock: EnvironmentLock) throws {
    guard case .triple(let triple) = project.environment else { return }
    let choice = try choose(project.environment)
    let sources = choice.candidates.isEmpty ? [choice.source] : choice.candidates.map { .image($0) }
    guard !sources.contains(lock.resolved) else { return }
    throw FlowError.tripleMoved("\(triple)", locked: "\(lock.resolved)", current: "\(sources[0])")
  }
}
