/// OCI image layouts on disk as a source of images (image-spec image-layout.md).
import Archive
import EnvCore
import OCI
import SafeFS
import SystemPackage

/// Where an image layout lies: `oci:PATH[:TAG]` or `oci-archive:PATH[:TAG]`.
public struct LayoutReference: Sendable, Equatable, CustomStringConvertible {
  public enum Form: String, Sendable { case folder = "oci", archive = "oci-archive" }

  public let form: Form
  public let path: FilePath
  /// Value of the annotation `org.opencontainers.image.ref.name`.
  public let tag: String?

  /// Nil when the text names neither form. A colon after the last slash separates the tag, as in skopeo.
  public init?(parsing text: String) {
    guard let colon = text.firstIndex(of: ":"), let form = Form(rawValue: String(text[..<colon])) else { return nil }
    let rest = text[text.index(after: colon)...]
    let nameStart = rest.lastIndex(of: "/") ?? rest.startIndex
    let separator = rest[nameStart...].firstIndex(of: ":")
    let path = separator.map { rest[..<$0] } ?? rest
    guard !path.isEmpty else { return nil }
    self.form = form
    self.path = FilePath(String(path))
    self.tag = separator.map { String(rest[rest.index(after: $0)...]) }
  }

  /// The same layout, a relative path taken from `folder`.
  public func resolved(in folder: FilePath) -> LayoutReference {
    LayoutReference(form: form, path: folder.pushing(path).lexicallyNormalized(), tag: tag)
  }

  public init(form: Form, path: FilePath, tag: String?) {
    self.form = form
    self.path = path
    self.tag = tag
  }

  public var description: String { "\(form.rawValue):\(path)" + (tag.map { ":" + $0 } ?? "") }
}

extension Store {
  /// Brings an image of a layout into the store, every blob proven on the way, and returns it.
  ///
  /// - Throws: `StoreError.malformedLayout` when the layout, the tag or the platform is not there; `.digestMismatch` for damaged blobs.
  public func importImage(
    _ reference: LayoutReference, platform: Platform, progress: @escaping @Sendable (_ object: String, _ bytes: Int64) -> Void
  ) throws -> StoredImage {
    let index: [UInt8]
    switch reference.form {
    case .folder: index = try readIndex(reference.path)
    case .archive: index = try importArchive(reference.path, progress: progress)
    }
    let descriptor = try reference.image(in: ImageIndex.parse(index, object: "index.json of \(reference)"))
    let manifestDigest = try resolvePlatform(descriptor, reference, platform, progress: progress)
    let documents = try importBlob(manifestDigest.digest, manifestDigest.size, "manifest", from: reference, progress: progress)
    let manifest = try ImageManifest.parse(try document(documents, "manifest of \(reference)"), object: "manifest of \(reference)")
    _ = try importBlob(manifest.config.digest, manifest.config.size, "config", from: reference, progress: progress)
    for (index, layer) in manifest.layers.enumerated() {
      _ = try importBlob(layer.digest, layer.size, "layer \(index + 1)", from: reference, progress: progress)
    }
    guard let image = try image(documents.digest) else {
      throw StoreError.malformedLayout(path: reference.path, reason: "its image is incomplete")
    }
    try recordImage(documents.digest, origin: ImageOrigin(source: reference.description))
    return image
  }

  func readIndex(_ folder: FilePath) throws -> [UInt8] {
    let path = folder.appending("index.json")
    guard FileSystem.exists(path) else { throw StoreError.malformedLayout(path: folder, reason: "it has no index.json") }
    return try FileSystem.readFile(path, limit: 4 << 20)
  }

  /// Takes in every blob of the archive, in whatever order they come, and returns its index.
  private func importArchive(_ path: FilePath, progress: @escaping @Sendable (String, Int64) -> Void) throws -> [UInt8] {
    var reader = try LayoutDocuments.archive(path)
    var index: [UInt8]?
    while let entry = try reader.next() {
      let name = try RelativePath(entry.path)
      if name.string == "index.json" {
        guard index == nil else { throw LayoutDocuments.twoIndexes(path) }
        index = try reader.readAll(limit: 4 << 20)
      }
      guard entry.kind == .file, name.parent.string == "blobs/sha256" else { continue }
      let digest = try Digest(hex: name.name)
      _ = try ingest(expecting: digest, size: entry.size, object: "blob \(digest.short) of \(path)") { writer in
        try reader.readData {
          try writer.write($0)
          progress("blob \(digest.short)", Int64($0.byteCount))
        }
      }
    }
    guard let index else { throw StoreError.malformedLayout(path: path, reason: "it has no index.json") }
    return index
  }

  /// Follows an index inside the layout to the manifest of the platform.
  private func resolvePlatform(
    _ descriptor: Descriptor, _ reference: LayoutReference, _ platform: Platform, progress: @escaping @Sendable (String, Int64) -> Void
  ) throws -> Descriptor {
    guard descriptor.mediaType == .imageIndex || descriptor.mediaType == .dockerManifestList else { return descriptor }
    let blob = try importBlob(descriptor.digest, descriptor.size, "index", from: reference, progress: progress)
    let index = try ImageIndex.parse(try document(blob, "index of \(reference)"), object: "index of \(reference)")
    guard let found = index.image(for: platform) else {
      let offered = index.platforms.map(\.description).joined(separator: ", ")
      throw StoreError.malformedLayout(path: reference.path, reason: "it has no image for \(platform), only for \(offered)")
    }
    return found
  }

  private func importBlob(
    _ digest: Digest, _ size: Int64, _ what: String, from reference: LayoutReference, progress: @escaping @Sendable (String, Int64) -> Void
  ) throws -> VerifiedBlob {
    let object = "\(what) of \(reference)"
    return try ingest(expecting: digest, size: size, object: object) { writer in
      let path = reference.path.appending("blobs/sha256").appending(digest.hex)
      guard reference.form == .folder, FileSystem.exists(path) else { throw StoreError.missingBlob(object: object, digest: digest) }
      try OwnedDescriptor.read(path).forEachChunk {
        try writer.write($0)
        progress(what, Int64($0.byteCount))
      }
    }
  }

  private func document(_ blob: VerifiedBlob, _ object: String) throws -> [UInt8] {
    guard let bytes = try readDocument(blob.digest, object: object) else {
      throw StoreError.missingBlob(object: object, digest: blob.digest)
    }
    return bytes
  }
}
