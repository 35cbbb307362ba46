/// Where signatures are found: in the registry the image comes from, or beside it in its layout.
import EnvCore
import EnvRegistry
import EnvStore
import EnvTrust
import OCI

/// The repository of an image.
struct RegistrySignatureSource: SignatureSource {
  let client: RegistryClient
  let reference: ImageReference

  func manifest(tag: String) throws -> [UInt8]? {
    try unlessMissing {
      try client.manifest(ImageReference(registry: reference.registry, repository: reference.repository, tag: tag)).bytes
    }
  }

  func manifest(_ digest: Digest) throws -> [UInt8]? { try unlessMissing { try client.manifest(digest, in: reference).bytes } }

  func blob(_ descriptor: Descriptor) throws -> [UInt8]? {
    // URLs of its own would let a signature make this machine ask anybody.
    let descriptor = Descriptor(mediaType: descriptor.mediaType, digest: descriptor.digest, size: descriptor.size)
    return try unlessMissing { try client.document(descriptor, in: reference, object: "a signature of \(reference)") }
  }

  func referrers(of digest: Digest) throws -> [Descriptor] { try client.referrers(of: digest, in: reference) }

  private func unlessMissing(_ body: () throws -> [UInt8]) throws -> [UInt8]? {
    do {
      return try body()
    } catch RegistryError.notFound {
      return nil
    }
  }
}

/// The layout an image lies in. It needs no network.
struct LayoutSignatureSource: SignatureSource {
  private let documents: LayoutDocuments

  init(_ layout: LayoutReference) throws { documents = try LayoutDocuments(layout) }

  func manifest(tag: String) throws -> [UInt8]? {
    guard let entry = documents.index.entry(tag: tag) ?? (tag.hasSuffix(".sig") ? documents.index.savedSignatures : nil) else { return nil }
    return try documents.document(entry.digest)
  }

  func manifest(_ digest: Digest) throws -> [UInt8]? { try documents.document(digest) }

  func blob(_ descriptor: Descriptor) throws -> [UInt8]? {
    try documents.document(descriptor.digest, limit: Int(clamping: descriptor.size))
  }

  /// The manifests of the index that name the digest as their subject, and those its tag `sha256-<hex>` lists.
  func referrers(of digest: Digest) throws -> [Descriptor] {
    struct Subject: Decodable { var subject: Descriptor? }
    var found: [Descriptor] = []
    for entry in documents.index.manifests where entry.mediaType == .imageManifest && entry.size <= 1 << 20 {
      // What is no manifest refers to nothing.
      guard let bytes = try documents.document(entry.digest, limit: 1 << 20),
        let manifest = try? CanonicalJSON.decode(Subject.self, from: bytes, object: "a manifest of \(documents.reference)")
      else { continue }
      if manifest.subject?.digest == digest { found.append(entry) }
    }
    guard let tagged = documents.index.entry(tag: "sha256-\(digest.hex)"), let bytes = try documents.document(tagged.digest) else {
      return found
    }
    return found + (try ImageIndex.parse(bytes, object: "the list of referrers in \(documents.reference)").manifests)
  }
}

extension ImageIndex {
  fileprivate func entry(tag: String) -> Descriptor? {
    manifests.first { $0.tag == tag }
  }

  /// `cosign save` marks signatures by a kind instead of a tag, and saves those of one image alone.
  fileprivate var savedSignatures: Descriptor? {
    let marked = manifests.filter { $0.annotations?["kind"] == "dev.cosignproject.cosign/sigs" }
    return marked.count == 1 ? marked.first : nil
  }
}
