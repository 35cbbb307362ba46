/// Kept signatures on their way out of the store: into layouts and archives, and to registries.
import EnvCore
import EnvRegistry
import EnvStore
import OCI
import SafeFS

/// A manifest with signatures, all of whose layers are in the store.
struct TravellingSignature {
  /// As it stands in a layout's index: named by cosign's tag, or known by what kind of artifact it is.
  let entry: Descriptor
  let bytes: [UInt8]
  /// Layers and configuration, as far as they are in the store.
  let parts: [Descriptor]
  /// Whether nothing is missing, as a registry demands.
  let isWhole: Bool
  /// Hexadecimal digits of the digest that is signed.
  let subject: String
}

extension KeptSignatures {
  /// Everything that can be passed on, in an order that depends on nothing else.
  func travelling(in store: Store) throws -> [TravellingSignature] {
    var found: [TravellingSignature] = []
    for (tag, digest) in tags.sorted(by: { $0.key < $1.key }) {
      guard tag.hasPrefix("sha256-"), tag.hasSuffix(".sig") else { continue }
      let subject = String(tag.dropFirst(7).dropLast(4))
      guard let signature = try signature(digest, of: subject, tag: tag, in: store) else { continue }
      found.append(signature)
    }
    for (subject, list) in referrers.sorted(by: { $0.key < $1.key }) {
      for digest in Set(list.map(\.digest)).sorted() {
        guard let signature = try signature(digest, of: subject, tag: nil, in: store) else { continue }
        found.append(signature)
      }
    }
    return found
  }

  private func signature(_ digest: Digest, of subject: String, tag: String?, in store: Store) throws -> TravellingSignature? {
    let object = "a kept signature"
    guard let bytes = try store.readDocument(digest, object: object),
      let manifest = try? ImageManifest.parse(bytes, object: object), tag != nil || manifest.subject?.digest.hex == subject
    else { return nil }
    let wanted = manifest.layers + [manifest.config]
    let parts = try wanted.filter { try store.blob($0.digest, object: object) != nil }
    guard manifest.layers.allSatisfy(parts.contains) else { return nil }
    var entry = Descriptor(
      mediaType: manifest.mediaType ?? .imageManifest, digest: digest, size: Int64(bytes.count),
      annotations: tag.map { [Descriptor.tagAnnotation: $0] })
    if tag == nil { entry.artifactType = manifest.artifactType ?? manifest.config.mediaType.rawValue }
    return TravellingSignature(entry: entry, bytes: bytes, parts: parts, isWhole: parts.count == wanted.count, subject: subject)
  }
}

extension Workbench {
  /// The kept signatures of an image as they lie beside it in a layout.
  func companions(of image: StoredImage) throws -> ImageCompanions {
    guard let kept = KeptSignatures.read(image.manifestDigest, in: store) else { return ImageCompanions() }
    let signatures = try kept.travelling(in: store)
    return ImageCompanions(
      index: try kept.index.flatMap { index in
        try signatures.contains { $0.subject == index.hex } ? signedIndex(index, leadingTo: image) : nil
      },
      entries: signatures.map(\.entry), blobs: signatures.flatMap(\.parts).map(\.digest))
  }

  /// The index, when it really leads to the image.
  private func signedIndex(_ digest: Digest, leadingTo image: StoredImage) throws -> Descriptor? {
    guard let bytes = try store.readDocument(digest, object: "the signed index") else { return nil }
    let index = try ImageIndex.parse(bytes, object: "the signed index")
    guard index.image(for: image.config.platform)?.digest == image.manifestDigest else { return nil }
    return Descriptor(mediaType: index.mediaType ?? .imageIndex, digest: digest, size: Int64(bytes.count))
  }

  /// Uploads the kept signatures of an image beside it. Those of an index stay: the index is not published with one of its images.
  ///
  /// - Returns: How many manifests with signatures the repository has now because of this.
  func pushSignatures(of image: StoredImage, to reference: ImageReference) throws -> Int {
    guard let kept = KeptSignatures.read(image.manifestDigest, in: store) else { return 0 }
    let signatures = try kept.travelling(in: store).filter { $0.isWhole && $0.subject == image.manifestDigest.hex }
    var referring: [Descriptor] = []
    var pushed = 0
    for signature in signatures {
      let target = ImageReference(registry: reference.registry, repository: reference.repository, tag: signature.entry.tag)
      if signature.entry.tag != nil, let there = try presentManifest(target), there != signature.entry.digest {
        reporter.warned("\(target) holds other signatures, which stay; those kept here were not pushed")
        continue
      }
      let counter = ByteCounter(total: nil) { _ in }
      for part in signature.parts { _ = try push(part, to: reference, counter) }
      try registry.pushManifest(signature.bytes, mediaType: signature.entry.mediaType, to: target)
      if signature.entry.tag == nil { referring.append(signature.entry) }
      pushed += 1
    }
    if !referring.isEmpty { try list(referring, as: image.manifestDigest, in: reference) }
    return pushed
  }

  /// A registry that does not list referrers by itself is told of them by a tag (distribution-spec, "Referrers Tag Schema").
  private func list(_ referring: [Descriptor], as subject: Digest, in reference: ImageReference) throws {
    let known = try registry.referrers(of: subject, in: reference)
    let missing = referring.filter { entry in !known.contains { $0.digest == entry.digest } }
    guard !missing.isEmpty else { return }
    let tagged = ImageReference(registry: reference.registry, repository: reference.repository, tag: "sha256-\(subject.hex)")
    try registry.pushManifest(try CanonicalJSON.encode(ImageIndex(manifests: known + missing)), mediaType: .imageIndex, to: tagged)
  }

  private func presentManifest(_ reference: ImageReference) throws -> Digest? {
    do { return try registry.resolve(reference).digest } catch RegistryError.notFound { return nil }
  }
}
