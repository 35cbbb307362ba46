/// Signatures kept beside the images they vouch for, so that rules can be enforced again without a network, also rules that came later.
import EnvCore
import EnvStore
import EnvTrust
import Hashing
import OCI
import SafeFS
import SystemPackage

/// What a search for signatures was answered. The documents themselves are blobs of the store; this says which is which.
///
/// It is no proof and needs none: whoever reads it verifies the signatures again.
struct KeptSignatures: Codable {
  /// The index the image was fetched by.
  private(set) var index: Digest?
  private(set) var tags: [String: Digest] = [:]
  /// By the hexadecimal digits of the subject.
  private(set) var referrers: [String: [Descriptor]] = [:]

  private static func path(_ store: Store, _ manifest: Digest) -> FilePath {
    store.home.appending("signatures").appending(manifest.hex + ".json")
  }

  /// What was kept for an image. A record that cannot be read is none: the place the image came from can be asked again.
  static func read(_ manifest: Digest, in store: Store) -> KeptSignatures? {
    guard let bytes = try? FileSystem.readFile(path(store, manifest), limit: 4 << 20) else { return nil }
    return try? CanonicalJSON.decode(KeptSignatures.self, from: bytes, object: "the record of signatures")
  }

  /// What was kept for an image, to verify it again, and the image with the index it was fetched by.
  static func read(for image: SignableImage, in store: Store) -> (image: SignableImage, source: any SignatureSource)? {
    guard let kept = read(image.manifest, in: store) else { return nil }
    return (SignableImage(image.place, manifest: image.manifest, index: image.index ?? kept.index), Source(kept: kept, store: store))
  }

  private struct Source: SignatureSource {
    let kept: KeptSignatures
    let store: Store

    func manifest(tag: String) throws -> [UInt8]? { try kept.tags[tag].flatMap(manifest) }
    func manifest(_ digest: Digest) throws -> [UInt8]? { try store.readDocument(digest, object: "a kept signature") }
    func blob(_ descriptor: Descriptor) throws -> [UInt8]? { try manifest(descriptor.digest) }
    func referrers(of digest: Digest) throws -> [Descriptor] { kept.referrers[digest.hex] ?? [] }
  }

  /// Passes on what another source answers, and remembers it.
  final class Recorder: SignatureSource {
    private let source: any SignatureSource
    private var kept = KeptSignatures()
    private var documents: [[UInt8]] = []

    init(_ source: any SignatureSource) { self.source = source }

    func manifest(tag: String) throws -> [UInt8]? {
      let bytes = remembered(try source.manifest(tag: tag))
      kept.tags[tag] = bytes.map { Digest.sha256(of: $0) }
      return bytes
    }

    func manifest(_ digest: Digest) throws -> [UInt8]? { remembered(try source.manifest(digest)) }

    func blob(_ descriptor: Descriptor) throws -> [UInt8]? { remembered(try source.blob(descriptor)) }

    func referrers(of digest: Digest) throws -> [Descriptor] {
      let list = try source.referrers(of: digest)
      kept.referrers[digest.hex] = list
      return list
    }

    private func remembered(_ bytes: [UInt8]?) -> [UInt8]? {
      if let bytes { documents.append(bytes) }
      return bytes
    }

    /// Parts of signatures that no verification asks for, but without which other tools and registries take them for damaged. What is not
    /// to be had is left out: it proves nothing.
    private func complete() {
      var seen = Set(documents.map { Digest.sha256(of: $0) })
      let tagged = Set(kept.tags.values)
      for bytes in documents {
        guard let manifest = try? ImageManifest.parse(bytes, object: "a signature") else { continue }
        let isTagged = tagged.contains(Digest.sha256(of: bytes))
        // Whatever else refers to the image may be of any size and is none of our business.
        guard isTagged || (manifest.subject != nil && manifest.layers.allSatisfy { seen.contains($0.digest) }) else { continue }
        for part in manifest.layers.prefix(64) + [manifest.config] where part.size <= 256 << 10 && !seen.contains(part.digest) {
          guard let content = try? source.blob(part), Digest.sha256(of: content) == part.digest else { continue }
          seen.insert(part.digest)
          documents.append(content)
        }
      }
    }

    /// Keeps all that for an image.
    func keep(for image: SignableImage, in store: Store) throws {
      complete()
      for document in documents { _ = try store.ingest(document, object: "a signature of \(image.place)") }
      kept.index = image.index
      let path = KeptSignatures.path(store, image.manifest)
      try FileSystem.createDirectories(path.removingLastComponent())
      try FileSystem.writeAtomically(try CanonicalJSON.encode(kept), to: path)
    }
  }
}
