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
        try byPlatform(platforms) { try EnvironmentLock.Image(try on($0).load(layout)) }
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
    Workbench(store: store, catalog: catalog, reporter: reporter, registry: registry, platform: platform)
  }

  /// The image the catalog pins, built when it is not in the store.
  private func catalogImage(_ entry: CatalogEntry, for platform: Platform) throws -> StoredImage {
    guard let digest = entry.images[platform] else {
      throw CatalogError.unsupportedPlatform(environment: entry.name, platform, offered: Array(entry.images.keys))
    }
    let place = "manifests/\(entry.file.lastComponent?.string ?? "")"
    return try on(platform).obtain(
      Pin(environment: entry.name, resolved: .catalog(entry.name), source: .catalog(entry), expected: (digest, place))
    ).image
  }

  /// Locks what the first registry that has the image gives. The tag is asked once: it may move between two platforms.
  private func lockFromRegistry(_ choice: SourceChoice, _ platforms: [Platform]) throws -> LockedImages {
    try first(of: choice.candidates) { reference in
      var pinned = reference
      var index: Digest?
      var images: [String: EnvironmentLock.Image] = [:]
      for platform in platforms {
        let resolved = try resolve(pinned, platform: platform)
        // A lock is a promise that `up` can keep.
        for (number, layer) in resolved.documents.layers.enumerated() where layer.descriptor.mediaType.layerCompression == nil {
          throw OCIDocumentError.unpackableLayer("layer \(number + 1) of \(reference)", layer.descriptor.mediaType)
        }
        if pinned.digest == nil { try tellReport(choice.reportedDigest, against: resolved) }
        pinned.digest = resolved.top.digest
        index = resolved.index?.digest
        images[platform.description] = try EnvironmentLock.Image(resolved.documents)
      }
      return (.image(reference), index, images)
    }
  }

  private func tellReport(_ reported: Digest?, against resolved: ResolvedImage) throws {
    guard let reported, reported != resolved.top.digest else { return }
    reporter.warned("third parties say that \(resolved.reference) is \(reported); the registry says \(resolved.top.digest)")
  }

  /// Asks one registry after the other until one has the image. Mirrors lag behind one another, and some cannot be reached from everywhere.
  func first<Value>(of candidates: [ImageReference], _ body: (ImageReference) throws -> Value) throws -> Value {
    precondition(!candidates.isEmpty, "an image lies in some registry")
    var firstFailure: RegistryError?
    for (number, reference) in candidates.enumerated() {
      do {
        return try body(reference)
      } catch let error as RegistryError {
        guard error.mayBeOtherwiseElsewhere, number + 1 < candidates.count else { throw firstFailure ?? error }
        firstFailure = firstFailure ?? error
        reporter.warned("\(error.summary); asking \(candidates[number + 1].registry)")
      }
    }
    preconditionFailure("the last candidate returns or throws")
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
