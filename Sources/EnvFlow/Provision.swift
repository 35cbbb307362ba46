/// From what a project names to layers that can be mounted: pin → fetch → build → verify → unpack.
import EnvCatalog
import EnvCore
import EnvImage
import EnvLaunch
import EnvStore
import EnvTrust
import Hashing
import OCI
import SafeFS
import SystemPackage

/// An environment whose blobs are proven and whose layers are unpacked. The proof of the unpacked files goes on beside the launch.
public struct ReadyEnvironment: Sendable {
  /// As the project names it.
  public let name: String
  public let image: StoredImage
  public let layers: LayerProof
  /// Expected training results, when the environment has some: a file, or a folder with one a kind of hardware.
  public let baseline: FilePath?
  /// What a published image's binaries are built for; empty where that is not known.
  public let computeCapabilities: [Version]
  /// Keep the layers in place while they are about to be mounted or are.
  let holds: [LayerHold]

  /// A catalog entry may name a baseline that is still to be recorded.
  var hasBaseline: Bool { baseline.map { (try? BaselineShelf(path: $0).files().isEmpty) == false } ?? false }
}

extension Workbench {
  /// Makes the project's environment ready, doing only what is not done yet; what is, is proven: unpacked files beside the launch.
  ///
  /// - Throws: Verification errors when any byte differs from its pin; nothing of it can be launched then. `PolicyError.unpinned`.
  public func provision(_ project: ProjectFile) throws -> ReadyEnvironment {
    // Said before minutes of fetching, not after.
    try ContainerLauncher(home: store.home).requireRoot()
    let lock = try EnvironmentLock.read(in: project.folder)
    let wanted = project.environment.description
    if let lock, lock.environment != wanted {
      throw CatalogError.lockMismatch(
        file: project.folder.appending(EnvironmentLock.name),
        reason: "it locks '\(lock.environment)', envctl.yaml asks for '\(wanted)'")
    }
    if let lock { try requireOrigin(of: lock, project) }
    try lock?.requireModels(of: project)
    // What a lock waives holds for what it pins, and for nothing that would be resolved now.
    let isLocked = lock?.images[platform.description] != nil
    let waived = try requirePinned(project, waived: isLocked ? lock?.allowedUnpinned ?? [] : [])
    let pin = try pin(project, lock: lock)
    let known = try baseline(of: pin.resolved, images: lock.map { Array($0.images.values) } ?? [])
    if let locked = lock?.baseline, let known, known.digest != locked {
      throw CatalogError.lockMismatch(
        file: project.folder.appending(EnvironmentLock.name),
        reason: "it locks the baseline \(locked), the catalog has \(known.digest?.description ?? "none")")
    }
    let obtained = try obtain(pin, try trustPolicy(of: project))
    let image = obtained.image
    // What the lock says otherwise than the proven image was altered by hand; writing over it would hide that.
    let locked = try EnvironmentLock.Image(image)
    try lock?.requireAgreement(with: locked, on: platform, in: project.folder)
    let baseline = isLocked ? known : try baseline(of: pin.resolved, images: [locked])
    let holds = try store.hold(image)
    let layers = try unpack(image)
    if let reference = obtained.reference, try !store.recordedImages().contains(where: { $0.manifest == image.manifestDigest }) {
      try store.recordImage(image.manifestDigest, origin: ImageOrigin(source: "\(reference)"))
    }
    let fresh = EnvironmentLock(
      environment: project.environment, resolved: pin.resolved, index: obtained.index, images: [:], allowedUnpinned: waived)
    try writeLock(lock ?? fresh, locked, obtained, baseline?.digest, in: project, previous: lock)
    return ReadyEnvironment(
      name: wanted, image: image, layers: layers, baseline: baseline?.file, computeCapabilities: try computeCapabilities(of: pin.resolved),
      holds: holds)
  }

  /// What the catalog knows of the tag the bytes were locked by.
  private func computeCapabilities(of source: EnvironmentSource) throws -> [Version] {
    guard case .image(let reference) = source else { return [] }
    return try catalog.publishedImage(reference)?.computeCapabilities ?? []
  }

  /// Runs `body`, which launches a container of the environment, and tells its failure after that of the proof: a changed file may be why.
  func launching<Value>(_ environment: ReadyEnvironment, _ body: () throws -> Value) throws -> Value {
    let outcome = Result { try body() }
    if case .failure(LaunchError.interrupted) = outcome { return try outcome.get() }
    try environment.layers.wait(telling: reporter)
    return try outcome.get()
  }

  /// What an environment's name stands for.
  struct Pin {
    /// Where the image comes from.
    enum Source {
      case catalog(CatalogEntry)
      case layout(LayoutReference)
      /// The same image in each registry that may carry it.
      case registry([ImageReference])
    }

    var environment: String
    /// What the lock keeps of where the name led.
    let resolved: EnvironmentSource
    let source: Source
    /// The manifest digest that is expected, and who expects it.
    var expected: (digest: Digest, by: String)?

    /// The index that led to it, where a lock says so.
    var index: Digest?
  }

  private func pin(_ project: ProjectFile, lock: EnvironmentLock?) throws -> Pin {
    try reporter.stage("pin") { _ in
      let pin = try resolve(project, lock: lock)
      return (pin, pin.environment + (pin.expected.map { " → \($0.digest) (\($0.by))" } ?? ", not locked yet"))
    }
  }

  /// A lock wins over the catalog: it is what the project's users agreed on.
  private func resolve(_ project: ProjectFile, lock: EnvironmentLock?) throws -> Pin {
    let environment = project.environment.description
    let lockedPin = lock?.images[platform.description].map { (digest: $0.manifest.digest, by: EnvironmentLock.name) }
    let resolved = try lock?.resolved ?? choose(project.environment).source
    switch resolved {
    case .layout(let text):
      guard let layout = LayoutReference(parsing: text) else { throw FlowError.malformedLayout(text) }
      return Pin(
        environment: environment, resolved: resolved, source: .layout(layout.resolved(in: project.folder)), expected: lockedPin)
    case .image(let reference):
      // Any registry that carries the locked bytes will do; the one they were locked from is asked first.
      let others = try names(of: reference, project).filter { $0 != reference }
      let candidates = [reference] + others
      return Pin(
        environment: environment, resolved: resolved, source: .registry(candidates), expected: lockedPin, index: lock?.index)
    case .catalog(let name):
      var pin = try self.pin(try catalog.entry(name), for: platform)
      pin.environment = environment
      pin.expected = lockedPin ?? pin.expected
      return pin
    }
  }

  private func writeLock(
    _ lock: EnvironmentLock, _ image: EnvironmentLock.Image, _ obtained: Obtained, _ baseline: Digest?, in project: ProjectFile,
    previous: EnvironmentLock?
  ) throws {
    guard FileSystem.exists(project.folder.appending(ProjectFile.name)) else { return }
    var lock = lock
    if lock.images[platform.description] == nil { lock.images[platform.description] = image }
    lock.baseline = baseline
    lock.models = project.lockedModels
    if previous == nil { lock.programBaseline = try programBaseline(of: project)?.1 }
    // A machine without rules has nobody verified, which is no reason to forget who was.
    if !obtained.signatures.isEmpty {
      lock.signatures.removeAll { $0.digest == image.manifest.digest || $0.digest == obtained.index }
      lock.signatures += obtained.signatures
    }
    if lock != previous { try lock.write(in: project.folder) }
  }
}
