/// From a registry to images in the store, and back: resolve → documents → layers, each in one pass.
import EnvCore
import EnvRegistry
import EnvStore
import OCI
import Synchronization

/// What a reference led to, before any layer is fetched.
public struct ResolvedImage: Sendable {
  public let reference: ImageReference
  /// The index the reference named, when it named one.
  public let index: Descriptor?
  public let manifest: Descriptor
  /// Manifest and configuration, in the store; the layers may be missing.
  public let documents: StoredImage

  /// What the reference's tag stands for: the index where there is one.
  public var top: Descriptor { index ?? manifest }
}

extension Workbench {
  /// Fetches the documents of the image a reference names for one platform, and nothing of its layers. A digest whose documents are in
  /// the store is not asked for again.
  public func resolve(_ reference: ImageReference, platform: Platform) throws -> ResolvedImage {
    var document = try held(reference.digest, reference) ?? registry.manifest(named: reference)
    var index: Descriptor?
    if document.isIndex {
      let images = try ImageIndex.parse(document.bytes, object: "\(reference)")
      guard let entry = images.image(for: platform) else {
        throw RegistryError.noSuchPlatform(reference: "\(reference)", platform, offered: images.platforms)
      }
      _ = try store.ingest(document.bytes, object: "\(reference)")
      index = document.descriptor
      document = try held(entry.digest, reference) ?? registry.manifest(entry.digest, in: reference)
      guard document.bytes.count == entry.size else {
        throw RegistryError.sizeMismatch(object: "\(reference)", expected: entry.size, actual: Int64(document.bytes.count))
      }
    }
    let manifest = try ImageManifest.parse(document.bytes, object: "\(reference)")
    _ = try store.ingest(document.bytes, object: "\(reference)")
    let object = "the configuration of \(reference)"
    // A lock, and the first byte of a layer, are promises that the image can be unpacked.
    try manifest.requireImage(object: "\(reference)")
    guard manifest.config.size <= 4 << 20 else { throw RegistryError.tooLarge(object: object, limit: 4 << 20) }
    let config = manifest.config
    _ = try store.ingest(expecting: config.digest, size: config.size, object: object) { writer in
      // One blob, one writer: the sink runs on this thread, inside this call.
      try registry.download(config, in: reference, object: object) { try writer.write($0) }
    }
    guard let documents = try store.imageDocuments(document.digest) else {
      throw StoreError.missingBlob(object: object, digest: manifest.config.digest)
    }
    // An index may promise one platform and lead to another.
    guard documents.config.os == platform.os, documents.config.architecture == platform.architecture else {
      throw RegistryError.noSuchPlatform(reference: "\(reference)", platform, offered: [documents.config.platform])
    }
    return ResolvedImage(reference: reference, index: index, manifest: document.descriptor, documents: documents)
  }

  private func held(_ digest: Digest?, _ reference: ImageReference) throws -> RegistryClient.Document? {
    guard let digest, let bytes = try store.readDocument(digest, object: "the manifest of \(reference)") else { return nil }
    return try RegistryClient.Document(bytes, object: "\(reference)")
  }

  /// Fetches an image and unpacks it, unless rules of this machine demand a signature that it does not have.
  public func pull(_ reference: ImageReference, platform: Platform) throws -> StoredImage {
    let policy = try trustPolicy(of: nil)
    let resolved = try reporter.stage("resolve") { _ in
      let image = try resolve(reference, platform: platform)
      return (image, "\(reference) → \(image.top.digest)")
    }
    _ = try requireSignatures(of: resolved.signable, by: policy)
    let image = try fetch(resolved)
    try unpack(image).wait(telling: reporter)
    // Listed is what can be used.
    try store.recordImage(image.manifestDigest, origin: ImageOrigin(source: "\(reference)"))
    return image
  }

  /// Fetches the layers of a resolved image that are not in the store, each in one pass down to its files. Whether those are complete is
  /// proven by unpacking; only then may the image be recorded.
  public func fetch(_ image: ResolvedImage) throws -> StoredImage {
    let layers = image.documents.layers
    return try reporter.stage("pull") { progress in
      let missing = try Set(layers).filter { try store.blob($0.descriptor.digest, object: "a layer of \(image.reference)") == nil }
      let total = missing.reduce(Int64(0)) { $0 + $1.descriptor.size }
      let counter = ByteCounter(total: total, progress)
      // The largest first, so that none is left alone at the end.
      let order = layers.enumerated().filter { missing.contains($0.element) }.sorted {
        $0.element.descriptor.size > $1.element.descriptor.size
      }
      _ = try concurrentMap(order, width: Self.parallelLayers) { index, layer in
        let object = "layer \(index + 1) of \(image.reference)"
        try store.ingestLayer(layer, of: image.documents, object: object, progress: { counter.add($0, object: "layer \(index + 1)") }) {
          receive in
          try registry.download(layer.descriptor, in: image.reference, object: object, into: receive)
        }
      }
      guard let stored = try store.image(image.manifest.digest) else {
        throw StoreError.missingBlob(object: "a part of \(image.reference)", digest: image.manifest.digest)
      }
      let summary = "\(image.reference.name) → \(stored.manifestDigest), \(ByteCount(total)) of \(layers.count) layers fetched"
      return (stored, missing.isEmpty ? "\(image.reference.name) → \(stored.manifestDigest), all there" : summary)
    }
  }

  /// Layers that are fetched and unpacked at once; each takes about 8 MiB of buffers.
  private static let parallelLayers = 3
}
