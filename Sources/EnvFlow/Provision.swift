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

/// An environment whose every byte is proven and whose layers are unpacked.
public struct ReadyEnvironment: Sendable {
  /// As the project names it.
  public let name: String
  public let image: StoredImage
  /// Lowest first.
  public let layers: [MaterialisedLayer]
  /// Expected training results, when the environment has some.
  public let baseline: FilePath?
  /// Keep the layers in place while they are about to be mounted or are.
  let holds: [LayerHold]

  /// A catalog entry may name a baseline that is still to be recorded.
  var hasBaseline: Bool { baseline.map { FileSystem.exists($0) } ?? false }
}

extension Workbench {
  /// Makes the project's environment ready, doing only what is not done yet; what is, is proven.
  ///
  /// - Parameter allowUnpinned: Use what the pinning rules refuse, and let the lock record that.
  /// - Throws: Verification errors when any byte differs from its pin; nothing of it can be launched then. `PolicyError.unpinned`.
  public func provision(_ project: ProjectFile, allowUnpinned: Bool = false) throws -> ReadyEnvironment {
    // Said before minutes of fetching, not after.
    try ContainerLauncher(home: store.home).requireRoot()
    let lock = try EnvironmentLock.read(in: project.folder)
    let wanted = project.environment.description
    if let lock, lock.environment != wanted {
      throw CatalogError.lockMismatch(
        file: project.folder.appending(EnvironmentLock.name),
        reason: "it locks '\(lock.environment)', envctl.yaml asks for '\(wanted)'")
    }
    let waived = try requirePinned(project, waived: lock?.allowedUnpinned ?? [], allowUnpinned: allowUnpinned)
    let pin = try pin(project, lock: lock)
    if let locked = lock?.baseline, let known = try baseline(of: pin.resolved, manifests: [pin.expected?.digest]), known.digest != locked {
      throw CatalogError.lockMismatch(
        file: project.folder.appending(EnvironmentLock.name),
        reason: "it locks the baseline \(locked), the catalog has \(known.digest?.description ?? "none")")
    }
    let obtained = try obtain(pin, try trustPolicy(of: project))
    let image = obtained.image
    let baseline = try baseline(of: pin.resolved, manifests: [image.manifestDigest])
    // What the lock says otherwise than the proven image was altered by hand; writing over it would hide that.
    let locked = try EnvironmentLock.Image(image)
    try lock?.requireAgreement(with: locked, on: platform, in: project.folder)
    let holds = try store.hold(image)
    let layers = try unpack(image)
    let fresh = EnvironmentLock(
      environment: project.environment, resolved: pin.resolved, index: obtained.index, images: [:], allowedUnpinned: waived)
    try writeLock(lock ?? fresh, locked, obtained, baseline?.digest, in: project, previous: lock)
    return ReadyEnvironment(name: wanted, image: image, layers: layers, baseline: baseline?.file, holds: holds)
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
      let others = try choose(project.environment).candidates.filter { $0 != reference }
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

  /// An image in the store, how it was found, and who vouches for it.
  struct Obtained {
    let image: StoredImage
    /// The index that led to it.
    let index: Digest?
    /// Empty where no rule asks for a signature.
    let signatures: [EnvironmentLock.Signature]

    init(_ image: StoredImage, index: Digest? = nil, signers: [VerifiedIdentity] = []) {
      self.image = image
      self.index = index
      signatures = signers.map(EnvironmentLock.Signature.init)
    }
  }

  /// The image of a pin, made when it is not in the store, once the rules about signatures are met.
  func obtain(_ pin: Pin, _ policy: TrustPolicy) throws -> Obtained {
    var pin = pin
    let signers = try requireSignatures(of: &pin, by: policy)
    if let present = try present(pin, policy, signers) { return present }
    // Two commands that miss the same image make it once. Without a pin nobody knows yet that it is the same.
    guard let expected = pin.expected else { return try make(pin, policy, signers) }
    let waiting = { reporter.warned("another envctl is making the image of '\(pin.environment)'; waiting for it") }
    return try store.withLock("image-" + expected.digest.hex, waiting: waiting) {
      try present(pin, policy, signers) ?? make(pin, policy, signers)
    }
  }

  /// The pinned image when the store has it: then no registry need be asked, not even for one that is named by the digest of an index.
  private func present(_ pin: Pin, _ policy: TrustPolicy, _ signers: [VerifiedIdentity]) throws -> Obtained? {
    guard case .registry(let candidates) = pin.source, let reference = candidates.first else {
      return try pin.expected.flatMap { try store.image($0.digest) }.map { Obtained($0, signers: signers) }
    }
    guard let top = pin.expected?.digest ?? reference.digest, let bytes = try store.readDocument(top, object: "\(reference)") else {
      return nil
    }
    let index = pin.expected == nil ? try? ImageIndex.parse(bytes, object: "\(reference)") : nil
    let manifest = index == nil ? top : index?.image(for: platform)?.digest
    guard let image = try manifest.flatMap({ try store.image($0) }) else { return nil }
    let indexDigest = index == nil ? pin.index : top
    let signable = SignableImage(.registry(reference), manifest: image.manifestDigest, index: indexDigest)
    return Obtained(image, index: indexDigest, signers: try requireSignatures(of: signable, by: policy))
  }

  private func make(_ pin: Pin, _ policy: TrustPolicy, _ signers: [VerifiedIdentity]) throws -> Obtained {
    switch pin.source {
    case .catalog(let entry): return Obtained(try expect(pin, try buildImage(recipe: entry.recipe).manifestDigest))
    case .layout(let layout): return Obtained(try expect(pin, try importImage(layout).manifestDigest), signers: signers)
    case .registry(let candidates):
      return try first(of: candidates) { reference in
        // What is locked is asked for by its digest; the tag may stand for something else by now.
        var reference = reference
        reference.digest = pin.index ?? pin.expected?.digest ?? reference.digest
        let resolved = try reporter.stage("resolve") { _ in
          let image = try resolve(reference, platform: platform)
          return (image, "\(reference) → \(image.top.digest)")
        }
        if let expected = pin.expected, resolved.manifest.digest != expected.digest {
          throw mismatch(pin, expected, resolved.manifest.digest)
        }
        let signers = try requireSignatures(of: resolved.signable, by: policy)
        return Obtained(try fetch(resolved), index: resolved.index?.digest, signers: signers)
      }
    }
  }

  private func expect(_ pin: Pin, _ actual: Digest) throws -> StoredImage {
    if let expected = pin.expected, actual != expected.digest { throw mismatch(pin, expected, actual) }
    guard let image = try store.image(actual) else {
      throw StoreError.missingBlob(object: "a part of '\(pin.environment)'", digest: actual)
    }
    return image
  }

  private func mismatch(_ pin: Pin, _ expected: (digest: Digest, by: String), _ actual: Digest) -> FlowError {
    .imageDigestMismatch(environment: pin.environment, expected: expected.digest, actual: actual, pinnedBy: expected.by)
  }

  /// Builds the image of a recipe folder from its lock, fetching what is not in the store.
  public func buildImage(recipe folder: FilePath, allowUnpinned: Bool = false) throws -> StoredImage {
    try requirePinned(recipe: folder, allowUnpinned: allowUnpinned)
    let recipe = try Recipe.read(in: folder)
    let lock = try RecipeLock.read(in: folder)
    return try ImageBuilder(store: store, reporter: reporter).build(recipe, lock)
  }

  /// Takes an image of a layout into the store, unless a rule of this machine demands a signature that it does not have.
  public func load(_ layout: LayoutReference) throws -> StoredImage {
    let pin = Pin(environment: "\(layout)", resolved: .layout("\(layout)"), source: .layout(layout), expected: nil)
    return try obtain(pin, try trustPolicy(of: nil)).image
  }

  private func importImage(_ layout: LayoutReference) throws -> StoredImage {
    try reporter.stage("import") { progress in
      let counter = ByteCounter(total: nil, progress)
      let image = try store.importImage(layout, platform: platform) { counter.add($1, object: $0) }
      guard image.config.os == platform.os, image.config.architecture == platform.architecture else {
        throw CatalogError.unsupportedPlatform(environment: "\(layout)", platform, offered: [image.config.platform])
      }
      return (image, "\(layout) → \(image.manifestDigest)")
    }
  }

  /// Writes an image of the store into a layout or an archive.
  public func save(_ image: StoredImage, to layout: LayoutReference) throws {
    try reporter.stage("save") { progress in
      let counter = ByteCounter(total: image.layers.reduce(0) { $0 + $1.descriptor.size }, progress)
      switch layout.form {
      case .folder: try store.exportImage(image, to: layout.path, tag: layout.tag)
      case .archive: try store.exportArchive(image, to: layout.path, tag: layout.tag) { counter.add($0, object: "") }
      }
      return ((), "\(image.manifestDigest) → \(layout)")
    }
  }

  func unpack(_ image: StoredImage) throws -> [MaterialisedLayer] {
    try reporter.stage("unpack") { progress in
      let counter = ByteCounter(total: image.layers.reduce(0) { $0 + $1.descriptor.size }, progress)
      let (layers, unpacked) = try store.materialise(image) { counter.add($0, object: "") }
      let proven = layers.count - unpacked
      let parts = [unpacked > 0 ? "\(unpacked) unpacked" : nil, proven > 0 ? "\(proven) present and proven" : nil].compactMap { $0 }
      return (layers, "\(layers.count) layers: " + parts.joined(separator: ", "))
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
    // A machine without rules has nobody verified, which is no reason to forget who was.
    lock.signatures += obtained.signatures.filter { !lock.signatures.contains($0) }
    if lock != previous { try lock.write(in: project.folder) }
  }
}

extension EnvironmentLock.Signature {
  init(_ identity: VerifiedIdentity) {
    self.init(key: identity.key, kind: identity.kind.rawValue, digest: identity.digest, reference: identity.reference)
  }
}

/// Adds up bytes from several threads and passes the sum on as progress.
final class ByteCounter: Sendable {
  private let done = Counter()
  private let total: Int64?
  private let progress: @Sendable (StageProgress) -> Void

  init(total: Int64?, _ progress: @escaping @Sendable (StageProgress) -> Void) {
    self.total = total
    self.progress = progress
  }

  func add(_ bytes: Int64, object: String) {
    progress(StageProgress(object: object, done: done.add(bytes), total: total, isBytes: true))
  }
}
