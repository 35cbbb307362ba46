/// Writing images as OCI image layouts, in a folder or in one file (image-spec image-layout.md).
import Archive
import EnvCore
import OCI
import SafeFS
import SystemPackage

extension Store {
  private static let layoutMarker = Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8)

  /// Writes an image into a layout folder, which is made when it is not there. Other images in it stay.
  public func exportImage(_ image: StoredImage, to folder: FilePath, tag: String?) throws {
    let blobs = folder.appending("blobs/sha256")
    try FileSystem.createDirectories(blobs)
    for descriptor in image.blobs { try export(descriptor, to: blobs.appending(descriptor.digest.hex)) }
    // The index may name only what lasts.
    try FileSystem.syncDirectory(blobs)
    let marker = folder.appending("oci-layout")
    // Two writers at once both find their image in the index: the marker, which is never replaced, is their lock.
    if !FileSystem.exists(marker) { try FileSystem.writeAtomically(Self.layoutMarker, to: marker) }
    let lock = try FileLock(marker)
    defer { withExtendedLifetime(lock) {} }
    let indexPath = folder.appending("index.json")
    var index = FileSystem.exists(indexPath) ? try ImageIndex.parse(readIndex(folder), object: "\(indexPath)") : ImageIndex(manifests: [])
    let entry = image.indexEntry(tag: tag)
    index.manifests.removeAll { $0.digest == entry.digest && $0.annotations == entry.annotations }
    if let tag { index.manifests.removeAll { $0.tag == tag } }
    index.manifests.append(entry)
    try FileSystem.writeAtomically(try CanonicalJSON.encode(index), to: indexPath)
  }

  /// Writes an image into one file, an OCI archive: the same image gives the same bytes. A file that is there is replaced at the end.
  public func exportArchive(
    _ image: StoredImage, to path: FilePath, tag: String?, progress: @escaping @Sendable (_ bytes: Int64) -> Void = { _ in }
  ) throws {
    let temporary = path.removingLastComponent().appending(".\(path.lastComponent?.string ?? "image").\(FileSystem.uniqueSuffix())")
    do {
      let file = try OwnedDescriptor.create(temporary)
      var tar = TarWriter { try file.write($0) }
      try append(Self.layoutMarker, as: "oci-layout", to: &tar)
      try append(try CanonicalJSON.encode(ImageIndex(manifests: [image.indexEntry(tag: tag)])), as: "index.json", to: &tar)
      for folder in ["blobs", "blobs/sha256"] { try tar.append(ArchiveEntry(path: folder, kind: .directory, permissions: 0o755)) }
      // Each blob once, in an order that depends on nothing else.
      for descriptor in Set(image.blobs.map(\.digest)).sorted() {
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

  private func export(_ descriptor: Descriptor, to target: FilePath) throws {
    guard let blob = try blob(descriptor.digest, object: "blob \(descriptor.digest.short)") else {
      throw StoreError.missingBlob(object: "a part of the image", digest: descriptor.digest)
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

extension StoredImage {
  /// How an index points at the manifest.
  fileprivate func indexEntry(tag: String?) -> Descriptor {
    let annotations = tag.map { [Descriptor.tagAnnotation: $0] }
    return Descriptor(
      mediaType: manifest.mediaType ?? .imageManifest, digest: manifestDigest, size: manifestSize, platform: config.platform,
      annotations: annotations)
  }

  /// Everything an image consists of, the manifest last.
  fileprivate var blobs: [Descriptor] { layers.map(\.descriptor) + [manifest.config, indexEntry(tag: nil)] }
}
