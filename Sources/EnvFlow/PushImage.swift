/// From the store to a registry, for a team that publishes what it built.
import EnvCore
import EnvRegistry
import EnvStore
import OCI
import SafeFS

extension Workbench {
  /// Uploads an image that is in the store: blobs the repository does not hold, then the manifest, then
  /// the signatures that were kept with it.
  public func push(_ image: StoredImage, to reference: ImageReference) throws {
    let descriptors = image.layers.map(\.descriptor) + [image.manifest.config]
    try reporter.stage("push") { progress in
      let counter = ByteCounter(total: descriptors.reduce(0) { $0 + $1.size }, progress)
      let uploaded = try concurrentMap(Array(Set(descriptors)), width: 2) { descriptor in
        try push(descriptor, to: reference, counter)
      }
      guard let manifest = try store.readDocument(image.manifestDigest, object: "manifest of image \(image.manifestDigest.short)") else {
        throw StoreError.missingBlob(object: "the manifest", digest: image.manifestDigest)
      }
      try registry.pushManifest(manifest, mediaType: image.manifest.mediaType ?? .imageManifest, to: reference)
      let count = uploaded.count { $0 }
      let signatures = try pushSignatures(of: image, to: reference)
      let remark = signatures == 0 ? "" : ", with its signatures"
      return ((), "\(reference.name)@\(image.manifestDigest): \(count) of \(uploaded.count) blobs were new there\(remark)")
    }
  }

  func push(_ descriptor: Descriptor, to reference: ImageReference, _ counter: ByteCounter) throws -> Bool {
    let object = "blob \(descriptor.digest.short) of \(reference)"
    guard let blob = try store.blob(descriptor.digest, object: object) else {
      throw StoreError.missingBlob(object: object, digest: descriptor.digest)
    }
    return try registry.push(descriptor, to: reference, object: object) {
      let file = try OwnedDescriptor.read(blob.path)
      return { span in
        let count = try file.read(into: &span)
        counter.add(Int64(count), object: descriptor.digest.short)
        return count
      }
    }
  }
}
