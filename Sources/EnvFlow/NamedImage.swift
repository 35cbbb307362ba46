/// Which image of the store a person means.
import EnvCatalog
import EnvCore
import EnvStore
import OCI

extension Workbench {
  /// The image in the store that `name` stands for: a manifest digest, an environment of the catalog, or a reference it was pulled by.
  ///
  /// - Throws: `FlowError.noSuchImage`, naming what is there.
  public func storedImage(_ name: String) throws -> StoredImage {
    guard let digest = try manifestDigest(name), let image = try store.image(digest) else {
      throw FlowError.noSuchImage(name, known: try store.recordedImages().map(\.origin.source).sorted())
    }
    return image
  }

  private func manifestDigest(_ name: String) throws -> Digest? {
    if name.hasPrefix("sha256:") { return try Digest(parsing: name) }
    if try catalog.names().contains(name) { return try catalog.entry(name).images[platform] }
    let records = try store.recordedImages()
    if let found = records.first(where: { $0.origin.source == name }) { return found.manifest }
    let reference = try ImageReference(parsing: name)
    if let digest = reference.digest, try store.imageDocuments(digest) != nil { return digest }
    return records.first { $0.origin.source == reference.description }?.manifest
  }
}
