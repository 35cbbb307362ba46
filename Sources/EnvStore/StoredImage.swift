/// Images in the store: their documents, read and proven, and what is known of where they came from.
import EnvCore
import OCI
import SafeFS
import SystemPackage

/// An image whose documents have been proven and whose parts fit together.
public struct StoredImage: Sendable {
  /// A layer as the manifest and the config describe it together.
  public struct Layer: Sendable, Hashable {
    public let descriptor: Descriptor
    /// Digest of the uncompressed tar.
    public let diffID: Digest
  }

  public let manifestDigest: Digest
  public let manifestSize: Int64
  public let manifest: ImageManifest
  public let config: ImageConfig
  /// Lowest first.
  public let layers: [Layer]
}

/// Where an image in the store came from.
public struct ImageOrigin: Codable, Sendable, Equatable {
  /// For people: `recipe paddle-2.6-cpu`, `oci:/srv/images:v1`.
  public var source: String
  /// Digest of the lock it was built from, when it was built here.
  public var recipeLock: Digest?

  public init(source: String, recipeLock: Digest? = nil) {
    self.source = source
    self.recipeLock = recipeLock
  }
}

extension Store {
  /// The image of this manifest digest with all its blobs, or nil when any of them is not here.
  ///
  /// - Throws: `StoreError.digestMismatch` when a blob that is here is damaged.
  public func image(_ manifestDigest: Digest) throws -> StoredImage? {
    guard let image = try imageDocuments(manifestDigest) else { return nil }
    for (index, layer) in image.layers.enumerated() {
      let object = "layer \(index + 1) of image \(manifestDigest.short)"
      guard try blob(layer.descriptor.digest, object: object) != nil else { return nil }
    }
    return image
  }

  /// Reads manifest and config alone; the layers' blobs may be missing.
  public func imageDocuments(_ manifestDigest: Digest) throws -> StoredImage? {
    let object = "manifest of image \(manifestDigest.short)"
    guard let bytes = try readDocument(manifestDigest, object: object) else { return nil }
    let manifest = try ImageManifest.parse(bytes, object: object)
    let configObject = "config of image \(manifestDigest.short)"
    guard let configBytes = try readDocument(manifest.config.digest, object: configObject) else { return nil }
    guard manifest.config.mediaType.isImageConfig else {
      throw OCIDocumentError.notAnImage("image \(manifestDigest.short)", manifest.config.mediaType)
    }
    let config = try decodeDocument(ImageConfig.self, from: configBytes, object: configObject)
    let diffIDs = config.rootfs.diffIDs
    guard manifest.layers.count == diffIDs.count else {
      throw OCIDocumentError.layerCountMismatch("image \(manifestDigest.short)", layers: manifest.layers.count, diffIDs: diffIDs.count)
    }
    return StoredImage(
      manifestDigest: manifestDigest, manifestSize: Int64(bytes.count), manifest: manifest, config: config,
      layers: zip(manifest.layers, diffIDs).map { StoredImage.Layer(descriptor: $0, diffID: $1) })
  }

  /// Notes that the image is here and where it came from.
  public func recordImage(_ manifestDigest: Digest, origin: ImageOrigin) throws {
    let record = ImageRecord(schema: 1, origin: origin)
    try FileSystem.writeAtomically(try CanonicalJSON.encodePretty(record), to: imageRecordPath(manifestDigest))
  }

  /// Every recorded image, in the order of the digests.
  public func recordedImages() throws -> [(manifest: Digest, origin: ImageOrigin)] {
    var images: [(manifest: Digest, origin: ImageOrigin)] = []
    for name in try FileSystem.list(home.appending("images")) where name.hasSuffix(".json") {
      guard let digest = try? Digest(hex: name.dropLast(5)) else { continue }
      let bytes = try FileSystem.readFile(imageRecordPath(digest), limit: 1 << 20)
      let record = try CanonicalJSON.decode(ImageRecord.self, from: bytes, object: "image record \(digest.short)")
      images.append((digest, record.origin))
    }
    return images
  }

  private func imageRecordPath(_ digest: Digest) -> FilePath { home.appending("images").appending(digest.hex + ".json") }
}

private struct ImageRecord: Codable {
  var schema: Int
  var origin: ImageOrigin
}
