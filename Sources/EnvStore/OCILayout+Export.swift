/// Writing images as OCI image layouts, in a folder or in one file (image-spec image-layout.md).
import Archive
import EnvCore
import OCI
import SafeFS
import SystemPackage

extension Store {
  private static let layoutMarker = Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8)

  /// Writes an image into a layout folder, which is made when it is not there. Other images in it stay.
  public func exportImage(_ image: StoredImage, with companions: ImageCompanions = .init(), to folder: FilePath, tag: String?) throws {
    let blobs = folder.appending("blobs/sha256")
    try FileSystem.createDirectories(blobs)
    for digest in image.blobs(with: companions) { try export(digest, to: blobs.appending(digest.hex)) }
    // The index may name only what lasts.
    try FileSystem.syncDirectory(blobs)
    let marker = folder.appending("oci-layout")
    // Two writers at once both find their image in the index: the marker, which is never replaced, is their lock.
    if !FileSystem.exists(marker) { try FileSystem.writeAtomically(Self.layoutMarker, to: marker) }
    let lock = try FileLock(marker)
    defer { withExtendedLifetime(lock) {} }
    let indexPath = folder.appending("index.json")
    var index = FileSystem.exists(indexPath) ? try ImageIndex.parse(readIndex(folder), object: "\(indexPath)") : ImageIndex(manifests: [])
    for entry in image.indexEntries(tag: tag, companions) {
      index.manifests.removeAll { $0.digest == entry.digest && $0.annotations == entry.annotations }
      if let tag = entry.tag { index.manifests.removeAll { $0.tag == tag } }
      index.manifests.append(entry)
    }
    try FileSystem.writeAtomically(try CanonicalJSON.encode(index), to: indexPath)
  }

  /// Writes an image into one file, an OCI archive: the same image gives the same bytes. A file that is there is replaced at the end.
  public func exportArchive(
    _ image: StoredImage, with companions: ImageCompanions = .init(), to path: FilePath, tag: String?,
    progress: @escaping @Sendable (_ bytes: Int64) -> Void = { _ in }
  ) throws {
    let temporary = path.removingLastComponent().appending(".\(path.lastComponent?.string ?? "image").\(FileSystem.uniqueSuffix())")
    do {
      let file = try OwnedDescriptor.create(temporary)
      var tar = TarWriter { try file.write($0) }
      try append(Self.layoutMarker, as: "oci-layout", to: &tar)
      try append(try CanonicalJSON.encode(ImageIndex(manifests: image.indexEntries(tag: tag, companions))), as: "index.json", to: &tar)
      for folder in ["blobs", "blobs/sha256"] { try tar.append(ArchiveEntry(path: folder, kind: .directory, permissions: 0o755)) }
      // Each blob once, in an order that depends on nothing else.
      for descriptor in image.blobs(with: companions) {
        guard let blob = try blob(descriptor, object: "blob \(descriptor.short)") else {
          throw StoreError.missingBlob(object: "a part of the image", digest: descriptor)
        }
        let name = "blobs/sha256/\(descriptor.hex)"
        try tar.append(ArchiveEntry(path: name, kind: .file, permissions: 0o644, size: blob.size))
        try OwnedDescriptor.read(blob.path).forEachChunk {
          try tar.write($0)
          progress(Int64($0.byteCount))
        }
      }
      try tar.finish()
      try file.sync()
      try FileSystem.rename(temporary, to: path)
    } catch {
      try? FileSystem.removeFile(temporary)  // The first error is the one to tell.
      throw error
    }
  }

  private func append(_ bytes: [UInt8], as name: String, to tar: inout TarWriter) throws {
    try tar.append(ArchiveEntry(path: name, kind: .file, permissions: 0o644, size: Int64(bytes.count)))
    try tar.write(bytes)
  }

  private func export(_ digest: Digest, to target: FilePath) throws {
    guard let blob = try blob(digest, object: "blob \(digest.short)") else {
      throw StoreError.missingBlob(object: "a part of the image", digest: digest)
    }
    if try FileSystem.status(target)?.size == blob.size, (try? prove(blob.digest, at: target, object: "")) != nil { return }
    let temporary = target.removingLastComponent().appending(".\(blob.digest.short).\(FileSystem.uniqueSuffix())")
    do {
      let file = try OwnedDescriptor.create(temporary)
      try OwnedDescriptor.read(blob.path).forEachChunk { try file.write($0) }
      try file.sync()
      try FileSystem.rename(temporary, to: target)
    } catch {
      try? FileSystem.removeFile(temporary)  // The first error is the one to tell.
      throw error
    }
  }
}

/// What goes into a layout because of an image, without being a part of it: signatures.
public struct ImageCompanions: Sendable, Equatable {
  /// The index that led to the image, where it is the index that was signed. Then the layout leads through it as well, though it lacks
  /// other platforms (image-spec image-layout.md, "Blobs": referenced ones may be missing).
  public var index: Descriptor?
  /// Entries for the layout's own index.
  public var entries: [Descriptor]
  /// What the entries consist of.
  public var blobs: [Digest]

  public init(index: Descriptor? = nil, entries: [Descriptor] = [], blobs: [Digest] = []) {
    self.index = index
    self.entries = entries
    self.blobs = blobs
  }
}

extension StoredImage {
  /// How a layout's index points at the image, and at what accompanies it.
  fileprivate func indexEntries(tag: String?, _ companions: ImageCompanions) -> [Descriptor] {
    var top = companions.index ?? descriptor
    top.annotations = tag.map { [Descriptor.tagAnnotation: $0] }
    return [top] + companions.entries
  }

  private var descriptor: Descriptor {
    Descriptor(mediaType: manifest.mediaType ?? .imageManifest, digest: manifestDigest, size: manifestSize, platform: config.platform)
  }

  /// Everything that belongs into the layout, each once, in an order that depends on nothing else.
  fileprivate func blobs(with companions: ImageCompanions) -> [Digest] {
    let own = layers.map(\.descriptor.digest) + [manifest.config.digest, manifestDigest]
    return Set(own + companions.blobs + companions.entries.map(\.digest) + [companions.index?.digest].compactMap { $0 }).sorted()
  }
}
