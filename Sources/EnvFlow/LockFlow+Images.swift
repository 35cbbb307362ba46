/// The exact content of an image on each platform, from wherever it comes. Of a registry's image only the documents are fetched.
import EnvCatalog
import EnvCore
import EnvRegistry
import EnvStore
import OCI
import SystemPackage

extension Workbench {
  typealias LockedImages = (source: EnvironmentSource, index: Digest?, images: [String: EnvironmentLock.Image])

  /// Locks the chosen image for each platform.
  func lockImages(_ choice: SourceChoice, _ project: ProjectFile, _ platforms: [Platform]) throws -> LockedImages {
    switch choice.source {
    case .catalog(let name):
      let entry = try catalog.entry(name)
      return (choice.source, nil, try byPlatform(platforms) { try EnvironmentLock.Image(try catalogImage(entry, for: $0)) })
    case .layout(let text):
      guard let layout = LayoutReference(parsing: text)?.resolved(in: project.folder) else { throw FlowError.malformedLayout(text) }
      return (
        choice.source, nil,
        try byPlatform(platforms) { try EnvironmentLock.Image(try on($0).importLayout(layout)) }
      )
    case .image:
      return try reporter.stage("resolve") { _ in
        let locked = try lockFromRegistry(choice, platforms)
        let digest = locked.index ?? locked.images.values.first?.manifest.digest
        return (locked, "\(locked.source)" + (digest.map { " → \($0)" } ?? ""))
      }
    }
  }

  private func byPlatform(
    _ platforms: [Platform], _ lock: (Platform) throws -> EnvironmentLock.Image
  ) rethrows -> [String: EnvironmentLock.Image] {
    var images: [String: EnvironmentLock.Image] = [:]
    for platform in platforms { images[platform.description] = try lock(platform) }
    return images
  }

  /// The same tools, working for another platform.
  private func on(_ platform: Platform) -> Workbench {
    Workbench(store: store, catalog: catalog, reporter: reporter, platform: platform, registry: registry)
  }

  /// The image the catalog pins, built when it is not in the store.
  private func catalogImage(_ entry: CatalogEntry, for platform: Platform) throws -> StoredImage {
    guard let digest = entry.images[platform] else {
      throw CatalogError.unsupportedPlatform(environment: entry.name, platform, offered: Array(entry.images.keys))
    }
    let place = "manifests/\(entry.file.lastComponent?.string ?? "")"
    return try on(platform).obtain(Pin(environment: entry.name, resolved: .catalog(entry.name), source: .catalog(entry), expected: (digest, place)))
  }

  /// Asks one registry after the other until one has the image. Mirrors lag behind one another, and some cannot be reached from everywhere.
  private func lockFromRegistry(_ choice: SourceChoice, _ platforms: [Platform]) throws -> LockedImages {
    var firstFailure: (any Error)?
    for (number, reference) in choice.candidates.enumerated() {
      do {
        let document = try registry.manifest(reference)
        if let reported = choice.reportedDigest, reported != document.digest {
          reporter.warned("third parties say that \(reference) is \(reported); the registry says \(document.digest)")
        }
        let index = document.isIndex ? document.digest : nil
        return (.image(reference), index, try byPlatform(platforms) { try lock($0, document, reference) })
      } catch let error as RegistryError {
        guard error.mayBeOtherwiseElsewhere, number + 1 < choice.candidates.count else { throw firstFailure ?? error }
        firstFailure = firstFailure ?? error
        reporter.warned("\(error.summary); asking \(choice.candidates[number + 1].registry)")
      }
    }
    throw firstFailure ?? FlowError.malformedLayout("\(choice.source)")
  }

  /// Locks one platform of what a reference names. Manifest and config are kept in the store, for later comparison without a network.
  private func lock(_ platform: Platform, _ document: RegistryClient.Document, _ reference: ImageReference) throws -> EnvironmentLock.Image {
    let manifest = document.isIndex ? try self.manifest(for: platform, in: document, reference) : document
    let object = "\(reference.name)@\(manifest.digest)"
    let content = try ImageManifest.parse(manifest.bytes, object: "manifest of \(object)")
    for (number, layer) in content.layers.enumerated() where layer.mediaType.layerCompression == nil {
      throw OCIDocumentError.unpackableLayer("layer \(number + 1) of \(object)", layer.mediaType)
    }
    let configBytes = try registry.document(content.config, in: reference, object: "config of \(object)")
    let config = try CanonicalJSON.decode(ImageConfig.self, from: configBytes, object: "config of \(object)")
    guard config.os == platform.os, config.architecture == platform.architecture else {
      throw RegistryError.noSuchPlatform(reference: "\(reference)", platform, offered: [config.platform])
    }
    _ = try store.ingest(manifest.bytes, object: "manifest of \(object)")
    _ = try store.ingest(configBytes, object: "config of \(object)")
    return try EnvironmentLock.Image(
      manifest: EnvironmentLock.Document(
        digest: manifest.digest, mediaType: content.mediaType ?? .imageManifest, size: Int64(manifest.bytes.count)),
      content, config)
  }

  private func manifest(
    for platform: Platform, in index: RegistryClient.Document, _ reference: ImageReference
  ) throws -> RegistryClient.Document {
    let entries = try ImageIndex.parse(index.bytes, object: "index of \(reference)").manifests
    let found = entries.first {
      $0.platform?.os == platform.os && $0.platform?.architecture == platform.architecture
        && (platform.variant == nil || $0.platform?.variant == platform.variant)
    }
    guard let found else {
      throw RegistryError.noSuchPlatform(reference: "\(reference)", platform, offered: entries.compactMap(\.platform))
    }
    let document = try registry.manifest(found.digest, in: reference)
    guard document.bytes.count == Int(found.size) else {
      throw RegistryError.sizeMismatch(
        object: "manifest of \(reference)", expected: found.size, actual: Int64(document.bytes.count))
    }
    return document
  }
}

extension RegistryError {
  /// Whether another registry may still have what this one does not give. Wrong bytes are told at once.
  fileprivate var mayBeOtherwiseElsewhere: Bool {
    switch self {
    case .notFound, .unavailable, .unauthorized: true
    default: false
    }
  }
}

extension EnvironmentLock.Image {
  /// What a lock says of an image in the store.
  init(_ image: StoredImage) throws {
    try self.init(
      manifest: EnvironmentLock.Document(
        digest: image.manifestDigest, mediaType: image.manifest.mediaType ?? .imageManifest, size: image.manifestSize),
      image.manifest, image.config)
  }
}
