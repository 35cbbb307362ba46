/// From what a project names to layers that can be mounted: pin → fetch → build → verify → unpack.
import EnvCatalog
import EnvCore
import EnvImage
import EnvLaunch
import EnvStore
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
  /// - Throws: Verification errors when any byte differs from its pin; nothing of it can be launched then.
  public func provision(_ project: ProjectFile) throws -> ReadyEnvironment {
    guard project.gpu != .required else { throw FlowError.noGPUSupport }
    // Said before minutes of fetching, not after.
    try ContainerLauncher(home: store.home).requireRoot()
    let lock = try EnvironmentLock.read(in: project.folder)
    if let lock, lock.environment != project.environment {
      throw CatalogError.lockMismatch(
        file: project.folder.appending(EnvironmentLock.name),
        reason: "it locks '\(lock.environment)', envctl.yaml asks for '\(project.environment)'")
    }
    var pin = try pin(project, lock: lock)
    _ = try requireSignatures(of: &pin, project)
    let baseline = try pin.baseline.flatMap { FileSystem.exists($0) ? Digest.sha256(of: try FileSystem.readFile($0)) : nil }
    if let locked = lock?.baseline, let baseline, locked != baseline {
      throw CatalogError.lockMismatch(
        file: project.folder.appending(EnvironmentLock.name), reason: "it locks the baseline \(locked), the catalog has \(baseline)")
    }
    let image = try obtain(pin)
    let holds = try store.hold(image)
    let layers = try unpack(image)
    try writeLock(image, baseline, in: project, previous: lock)
    return ReadyEnvironment(name: project.environment, image: image, layers: layers, baseline: pin.baseline, holds: holds)
  }

  /// What an environment's name stands for.
  struct Pin {
    /// Where the image comes from.
    enum Source {
      case catalog(CatalogEntry)
      case layout(LayoutReference)
    }

    let environment: String
    let source: Source
    /// The manifest digest that is expected, and who expects it.
    var expected: (digest: Digest, by: String)?

    /// Where the expected results are, or would be.
    var baseline: FilePath? { if case .catalog(let entry) = source { entry.baseline } else { nil } }
  }

  private func pin(_ project: ProjectFile, lock: EnvironmentLock?) throws -> Pin {
    try reporter.stage("pin") { _ in
      let pin = try resolve(project, locked: lock?.images[platform.description]?.manifest)
      return (pin, project.environment + (pin.expected.map { " → \($0.digest) (\($0.by))" } ?? ", not locked yet"))
    }
  }

  /// A lock wins over the catalog: it is what the project's users agreed on.
  private func resolve(_ project: ProjectFile, locked: Digest?) throws -> Pin {
    let environment = project.environment
    let lockedPin = locked.map { (digest: $0, by: EnvironmentLock.name) }
    if let layout = LayoutReference(parsing: environment) {
      return Pin(environment: environment, source: .layout(layout.resolved(in: project.folder)), expected: lockedPin)
    }
    let entry = try catalog.entry(environment)
    guard let digest = entry.images[platform] else {
      throw CatalogError.unsupportedPlatform(environment: environment, platform, offered: Array(entry.images.keys))
    }
    let place = "manifests/\(entry.file.lastComponent?.string ?? "")"
    return Pin(environment: environment, source: .catalog(entry), expected: lockedPin ?? (digest, place))
  }

  private func obtain(_ pin: Pin) throws -> StoredImage {
    if let expected = pin.expected, let present = try store.image(expected.digest) { return present }
    // Two commands that miss the same image make it once. Without a pin nobody knows yet that it is the same.
    guard let expected = pin.expected else { return try make(pin) }
    let waiting = { reporter.warned("another envctl is making the image of '\(pin.environment)'; waiting for it") }
    return try store.withLock("image-" + expected.digest.hex, waiting: waiting) {
      if let present = try store.image(expected.digest) { return present }
      return try make(pin)
    }
  }

  private func make(_ pin: Pin) throws -> StoredImage {
    let image =
      switch pin.source {
      case .catalog(let entry): try buildImage(recipe: entry.recipe)
      case .layout(let layout): try load(layout)
      }
    if let expected = pin.expected, image.manifestDigest != expected.digest {
      throw FlowError.imageDigestMismatch(
        environment: pin.environment, expected: expected.digest, actual: image.manifestDigest, pinnedBy: expected.by)
    }
    return image
  }

  /// Builds the image of a recipe folder from its lock, fetching what is not in the store.
  public func buildImage(recipe folder: FilePath) throws -> StoredImage {
    let recipe = try Recipe.read(in: folder)
    let lock = try RecipeLock.read(in: folder)
    return try ImageBuilder(store: store, reporter: reporter).build(recipe, lock)
  }

  /// Takes an image of a layout into the store.
  public func load(_ layout: LayoutReference) throws -> StoredImage {
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

  private func writeLock(_ image: StoredImage, _ baseline: Digest?, in project: ProjectFile, previous: EnvironmentLock?) throws {
    guard FileSystem.exists(project.folder.appending(ProjectFile.name)) else { return }
    var images = previous?.images ?? [:]
    images[platform.description] = EnvironmentLock.Image(
      manifest: image.manifestDigest, config: image.manifest.config.digest,
      layers: image.layers.map { EnvironmentLock.Image.Layer(descriptor: $0.descriptor, diffID: $0.diffID) })
    let lock = EnvironmentLock(environment: project.environment, images: images, baseline: baseline)
    if lock != previous { try lock.write(in: project.folder) }
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
