/// How a layer lies on the disk once it is unpacked: the seam at which other forms, such as one EROFS file, will join.
import Compression
import EnvCore
import Hashing
import OCI
import SafeFS
import SystemPackage

/// A layer that is unpacked and ready to be mounted.
public struct MaterialisedLayer: Sendable, Hashable {
  public let diffID: Digest
  /// The folder overlayfs takes as a lower layer.
  public let root: FilePath
}

/// A way to keep unpacked layers.
protocol LayerFormat: Sendable {
  /// Turns the tar that `pull` delivers into the finished form below `folder`, which is empty.
  ///
  /// - Returns: The number of entries.
  func unpack(_ pull: @escaping (inout MutableRawSpan) throws -> Int, into folder: FilePath, object: String) throws -> Int
}

/// A plain folder `fs` for overlayfs, with the list of its files beside it.
struct DirectoryLayerFormat: LayerFormat {
  func unpack(_ pull: @escaping (inout MutableRawSpan) throws -> Int, into folder: FilePath, object: String) throws -> Int {
    let tree = folder.appending("fs")
    try FileSystem.createDirectories(tree)
    // A layer need not have an entry for its root, and the user's umask must not show in a container.
    try FileSystem.setPermissions(tree, 0o755)
    var extractor = try LayerExtractor(into: tree, object: object)
    try extractor.extract(pull)
    let digests = extractor.digests
    let records = try TreeScan.records(tree) { digests[$0.status.inode] }
    try FileSystem.writeAtomically(FileManifest(records: records).bytes, to: folder.appending("files.mtree"))
    try FileSystem.writeAtomically(Array(try TreeScan.stamp(tree).description.utf8), to: folder.appending("stamp"))
    return extractor.entryCount
  }
}

extension Store {
  /// Unpacks the layers of an image that are not unpacked yet, and proves those that are. Lowest first.
  ///
  /// A layer an image lists twice is returned once, at its upper place: overlayfs refuses a folder named twice, and the upper one
  /// hides and holds everything the lower one does.
  /// - Throws: `StoreError.fileChanged` when an unpacked file is not what the layer holds; `.digestMismatch` when a blob or its tar is not.
  public func materialise(
    _ image: StoredImage, progress: @escaping @Sendable (_ unpackedBytes: Int64) -> Void = { _ in }
  ) throws -> (layers: [MaterialisedLayer], unpacked: Int) {
    let layers = image.layers.enumerated().filter { index, layer in
      !image.layers[(index + 1)...].contains { $0.diffID == layer.diffID }
    }
    let results = try concurrentMap(Array(layers), width: 2) { index, layer in
      try self.materialise(layer, object: "layer \(index + 1) of image \(image.manifestDigest.short)", progress: progress)
    }
    return (results.map(\.layer), results.count(where: \.isNew))
  }

  private func materialise(
    _ layer: StoredImage.Layer, object: String, progress: @escaping @Sendable (Int64) -> Void
  ) throws -> (layer: MaterialisedLayer, isNew: Bool) {
    let finished = MaterialisedLayer(diffID: layer.diffID, root: layerPath(layer.diffID).appending("fs"))
    if try proveLayer(layer.diffID) { return (finished, false) }
    return try withLock("layer-" + layer.diffID.hex) {
      if try proveLayer(layer.diffID) { return (finished, false) }
      try unpack(layer, object: object, progress: progress)
      return (finished, true)
    }
  }

  /// Whether the layer is unpacked. When its stamp says that somebody touched it, every file is read and compared.
  func proveLayer(_ diffID: Digest) throws -> Bool {
    let folder = layerPath(diffID)
    guard FileSystem.exists(folder) else { return false }
    let stampPath = folder.appending("stamp")
    let stamp = try FileSystem.exists(stampPath) ? String(decoding: FileSystem.readFile(stampPath, limit: 200), as: UTF8.self) : ""
    let tree = folder.appending("fs")
    // Taken before the files are read, so that what changes meanwhile does not pass next time.
    let actual = FileSystem.exists(tree) ? try TreeScan.stamp(tree).description : "missing"
    if stamp == actual { return true }
    let differences = try layerDifferences(diffID)
    // Whatever is done in a folder changes the folder's time, which says less than what was done.
    if let difference = differences.first(where: { $0.property != "time" }) ?? differences.first {
      throw StoreError.fileChanged(layer: diffID, difference: difference)
    }
    try FileSystem.writeAtomically(Array(actual.utf8), to: stampPath)
    return true
  }

  /// Everything in which an unpacked layer differs from its manifest; reads every byte.
  func layerDifferences(_ diffID: Digest) throws -> [FileDifference] {
    let folder = layerPath(diffID)
    let path = folder.appending("files.mtree")
    guard let manifest = FileManifest(try FileSystem.readFile(path, limit: 1 << 30)) else {
      throw StoreError.unreadableRecord(path: path, reason: "it is not an mtree of this envctl")
    }
    return try TreeScan.differences(folder.appending("fs"), from: manifest, width: 2)
  }

  /// One pass: blob → SHA-256 of the blob → inflate → SHA-256 of the tar → files. Nothing is kept unless both digests are right.
  private func unpack(_ layer: StoredImage.Layer, object: String, progress: @escaping @Sendable (Int64) -> Void) throws {
    guard let compression = layer.descriptor.mediaType.layerCompression else {
      throw OCIDocumentError.unpackableLayer(object, layer.descriptor.mediaType)
    }
    guard FileSystem.exists(blobPath(layer.descriptor.digest)) else {
      throw StoreError.missingBlob(object: object, digest: layer.descriptor.digest)
    }
    let temporary = try temporaryPath("layer")
    do {
      try FileSystem.createDirectories(temporary)
      let blob = try HashedSource(file: blobPath(layer.descriptor.digest))
      let tar = HashedPull(try plain(compression, object: object) { try blob.read(into: &$0) }, progress: progress)
      do {
        _ = try DirectoryLayerFormat().unpack({ try tar.read(into: &$0) }, into: temporary, object: object)
        try tar.drain()
        try blob.drain()
      } catch {
        // A damaged blob usually shows as a malformed archive first; the digest is the truer reason.
        try blob.drain()
        try blob.expect(layer.descriptor.digest, object: object, path: blobPath(layer.descriptor.digest))
        if error is StoreError || (error as? FileSystemError)?.isOfHost == true { throw error }
        throw StoreError.malformedLayer(object: object, reason: "its content is not acceptable", underlying: error)
      }
      try blob.expect(layer.descriptor.digest, object: object, path: blobPath(layer.descriptor.digest))
      try tar.expect(layer.diffID, object: "uncompressed " + object)
      try OwnedDescriptor.directory(temporary).syncFileSystem()
      try FileSystem.rename(temporary, to: layerPath(layer.diffID))
      try FileSystem.syncDirectory(home.appending("layers"))
    } catch {
      try? FileSystem.removeTree(temporary)  // The next command sweeps up what stays; the first error is the one to tell.
      throw error
    }
  }

  private func plain(_ compression: LayerCompression, object: String, _ pull: @escaping Pull) throws -> Pull {
    switch compression {
    case .uncompressed: pull
    case .gzip: try decompressing(.gzip, object: object, pull)
    case .zstd: try decompressing(.zstd, object: object, pull)
    }
  }
}

extension FileSystemError {
  /// Whether the machine is to blame. The rest comes from names in the archive that contradict each other.
  fileprivate var isOfHost: Bool {
    ![.fileExists, .notDirectory, .isDirectory, .fileNameTooLong, .tooManySymbolicLinkLevels, .noSuchFileOrDirectory].contains(errno)
  }
}

/// A file whose bytes are hashed as they are read.
private final class HashedSource {
  private let file: OwnedDescriptor
  private var hasher = HashState()

  init(file path: FilePath) throws { file = try OwnedDescriptor.read(path) }

  func read(into span: inout MutableRawSpan) throws -> Int {
    let count = try file.read(into: &span)
    hasher.update(span.bytes.extracting(first: count))
    return count
  }

  /// Reads what the consumer left, so that the digest covers the whole file.
  func drain() throws { try file.forEachChunk { hasher.update($0) } }

  func expect(_ expected: Digest, object: String, path: FilePath) throws {
    let actual = hasher.digest()
    guard actual == expected else { throw StoreError.digestMismatch(object: object, expected: expected, actual: actual, path: path) }
  }
}

/// A pull whose bytes are hashed as they pass.
private final class HashedPull {
  private let pull: Pull
  private let progress: (Int64) -> Void
  private var hasher = HashState()

  init(_ pull: @escaping Pull, progress: @escaping (Int64) -> Void) {
    self.pull = pull
    self.progress = progress
  }

  func read(into span: inout MutableRawSpan) throws -> Int {
    let count = try pull(&span)
    hasher.update(span.bytes.extracting(first: count))
    progress(Int64(count))
    return count
  }

  func drain() throws {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      var bytes = buffer.mutableSpan
      var span = bytes.mutableBytes
      if try read(into: &span) == 0 { return }
    }
  }

  func expect(_ expected: Digest, object: String) throws {
    let actual = hasher.digest()
    guard actual == expected else { throw StoreError.digestMismatch(object: object, expected: expected, actual: actual, path: nil) }
  }
}

/// A hasher inside a class: a non-copyable value can be consumed only once, so the digest is remembered.
private struct HashState: ~Copyable {
  private var hasher: SHA256Hasher? = SHA256Hasher()
  private var result: Digest?

  mutating func update(_ bytes: RawSpan) { hasher?.update(bytes) }

  mutating func digest() -> Digest {
    if let result { return result }
    guard let finished = hasher.take()?.finish() else { preconditionFailure("a hasher is consumed once") }
    result = finished
    return finished
  }
}
