/// How a layer lies on the disk once it is unpacked: the seam at which other forms, such as one EROFS file, will join.
import Compression
import EnvCore
import Hashing
import OCI
import SafeFS
import Synchronization
import SystemPackage

/// A layer that is unpacked and ready to be mounted.
public struct MaterialisedLayer: Sendable, Hashable {
  public let diffID: Digest
  /// The folder overlayfs takes as a lower layer.
  public let root: FilePath
}

/// A plain folder `fs` for overlayfs, with the list of its files beside it.
enum DirectoryLayerFormat {
  /// Turns a tar into the finished form below `folder`, which is empty.
  ///
  /// - Parameter lower: The trees below, highest first; nil when they are not known, and then a layer that depends on them is refused with
  ///   `LayerNeedsLower`.
  /// - Returns: Whether the tree depends on what is below it.
  static func unpack(_ tar: TarStream, into folder: FilePath, lower: [FilePath]?, limit: Int64, object: String) throws -> Bool {
    let tree = folder.appending("fs")
    try FileSystem.createDirectories(tree)
    // A layer need not have an entry for its root, and the user's umask must not show in a container.
    try FileSystem.setPermissions(tree, 0o755)
    var extractor = try LayerExtractor(into: tree, lower: lower, limit: limit, object: object)
    try extractor.extract(tar)
    let digests = extractor.digests
    let stamp = try writeManifest(of: tree, to: folder.appending("files.mtree")) { digests[$0] }
    try FileSystem.writeAtomically(stamp.bytes, to: folder.appending("stamp"))
    return extractor.dependsOnLower
  }

  /// Writes the list of files while it walks over them: a layer of a million files need not lie in memory a second time.
  ///
  /// The file is whole before the folder it is in gets its name in the store, so it need not be written atomically.
  private static func writeManifest(of tree: FilePath, to path: FilePath, digest: (_ inode: UInt64) -> Digest?) throws -> TreeStamp {
    let file = try OwnedDescriptor.create(path)
    var waiting = FileManifest.header
    let stamp = try TreeScan.records(tree, digest: { digest($0.status.inode) }) { record in
      FileManifest.append(record, to: &waiting)
      guard waiting.count >= 1 << 18 else { return }
      try file.write(waiting.span.bytes)
      waiting.removeAll(keepingCapacity: true)
    }
    try file.write(waiting.span.bytes)
    return stamp
  }
}

extension StoredImage {
  /// The layers as they are mounted, lowest first. A layer an image lists twice counts once, at its upper place: overlayfs refuses a folder
  /// named twice, and the upper one hides and holds everything the lower one does.
  var mountedLayers: [Layer] {
    var above: Set<Digest> = []
    return layers.reversed().filter { above.insert($0.diffID).inserted }.reversed()
  }

  /// The names under which the layer at `index` of `mountedLayers` may lie in the store.
  ///
  /// Most layers stand alone and are shared by all images that have them: their name is the diffID. One that has files below folders it does
  /// not list, or hardlinks to files it does not hold, is only complete together with the layers below; its name says which.
  func layerKeys(_ index: Int) -> LayerKeys {
    let mounted = mountedLayers
    let stack = mounted[...index].map(\.diffID.description).joined(separator: " ")
    return LayerKeys(alone: mounted[index].diffID, stacked: Digest.sha256(of: Array(("stacked " + stack).utf8)))
  }

  struct LayerKeys {
    let alone: Digest
    let stacked: Digest

    /// The more telling first: a tree made for these very layers says more than one made for any.
    var inOrder: [Digest] { [stacked, alone] }
  }
}

extension Store {
  /// Unpacks the layers of an image that are not unpacked yet, and proves those that are. Lowest first.
  ///
  /// - Returns: The layers to mount, without those that an opaque root above them hides, and how many of them were unpacked now.
  /// - Throws: `StoreError.fileChanged` when an unpacked file is not what the layer holds; `.digestMismatch` when a blob or its tar is not.
  public func materialise(
    _ image: StoredImage, progress: @escaping @Sendable (_ blobBytes: Int64) -> Void = { _ in }
  ) throws -> (layers: [MaterialisedLayer], unpacked: Int) {
    let layers = image.mountedLayers
    // Those that stand alone, together; then the others from below, because each needs what is below it.
    var roots = try concurrentMap(Array(layers.indices), width: 2) { index in
      try self.materialise(image, index, lower: index == 0 ? [] : nil, progress: progress)
    }
    for index in layers.indices where roots[index] == nil {
      let lower = roots[..<index].reversed().compactMap { $0?.root }
      roots[index] = try materialise(image, index, lower: lower, progress: progress)
    }
    let finished = zip(layers, roots).compactMap { layer, result in
      result.map { MaterialisedLayer(diffID: layer.diffID, root: $0.root) }
    }
    let shown = try MaterialisedLayer.shown(finished)
    return (shown, roots.suffix(shown.count).count { $0?.isNew == true })
  }

  /// The tree of one layer; nil when it cannot be made without its lower layers.
  private func materialise(
    _ image: StoredImage, _ index: Int, lower: [FilePath]?, progress: @escaping @Sendable (Int64) -> Void
  ) throws -> (root: FilePath, isNew: Bool)? {
    let keys = image.layerKeys(index)
    if let present = try provenLayer(keys) { return (present, false) }
    let layer = image.mountedLayers[index]
    let object = "layer \(index + 1) of image \(image.manifestDigest.short)"
    return try withLock("layer-" + layer.diffID.hex) {
      if let present = try provenLayer(keys) { return (present, false) }
      guard FileSystem.exists(blobPath(layer.descriptor.digest)) else {
        throw StoreError.missingBlob(object: object, digest: layer.descriptor.digest)
      }
      let path = blobPath(layer.descriptor.digest)
      do {
        try pass(layer, keys, lower: lower, blob: nil, object: object, progress: progress) { receive in
          try OwnedDescriptor.read(path).forEachChunk(receive)
        }
      } catch is LayerNeedsLower {
        return nil
      }
      return try provenLayer(keys).map { ($0, true) }
    }
  }

  private func provenLayer(_ keys: StoredImage.LayerKeys) throws -> FilePath? {
    for key in keys.inOrder where try proveLayer(key) { return layerPath(key).appending("fs") }
    return nil
  }

  /// Brings a layer of an image into the store in one pass: its blob, and its files where they need nothing of the layers below.
  ///
  /// What is there already is not fetched again. Two callers at once do the work once.
  /// - Parameter source: Delivers the blob; called at most once.
  /// - Throws: `StoreError` when the bytes are not those of the descriptor and the diffID, or cannot be unpacked; then nothing has entered
  ///   the store. What `source` throws.
  public func ingestLayer(
    _ layer: StoredImage.Layer, of image: StoredImage, object: String,
    progress: @escaping @Sendable (_ blobBytes: Int64) -> Void = { _ in }, from source: @escaping LayerSource
  ) throws {
    let digest = layer.descriptor.digest
    if try blob(digest, object: object) != nil { return }
    try withLock("blob-" + digest.hex) {
      if try blob(digest, object: object) != nil { return }
      try withLock("layer-" + layer.diffID.hex) {
        let writer = try beginBlob(size: layer.descriptor.size, object: object)
        // A layer that an image lists twice is mounted at its upper place alone.
        let index = image.mountedLayers.firstIndex { $0.diffID == layer.diffID } ?? 0
        let lower: [FilePath]? = index == 0 ? [] : nil
        try pass(layer, image.layerKeys(index), lower: lower, blob: writer, object: object, progress: progress, from: source)
      }
    }
  }

  /// One pass over a layer. The tree enters the store under the key it belongs to, unless one is there; the blob, when it is to be kept.
  ///
  /// - Throws: `LayerNeedsLower`, unless the blob is to be kept: then that is no failure, and the tree is for a later pass.
  private func pass(
    _ layer: StoredImage.Layer, _ keys: StoredImage.LayerKeys, lower: [FilePath]?, blob: PendingBlob?, object: String,
    progress: @escaping @Sendable (Int64) -> Void, from source: @escaping LayerSource
  ) throws {
    guard let compression = layer.descriptor.mediaType.layerCompression else {
      throw OCIDocumentError.unpackableLayer(object, layer.descriptor.mediaType)
    }
    let temporary = try temporaryPath("layer")
    // The next command sweeps up what stays; the first error is the one to tell.
    defer { try? FileSystem.removeTree(temporary) }
    try FileSystem.createDirectories(temporary)
    let limit = LayerPipeline.limit(blobSize: layer.descriptor.size)
    let isUnpacked = FileSystem.exists(layerPath(keys.alone)) || FileSystem.exists(layerPath(keys.stacked))
    let dependsOnLower = Mutex(false)
    let pipeline = LayerPipeline(compression: compression, object: object, limit: limit, isBlobKept: blob != nil)
    let result = try pipeline.run(from: source, keep: { try blob?.write($0) }, progress: progress) { tar in
      // A tree that is there already was made from the same tar, whatever its blob's compression; only the digest is still wanted.
      if isUnpacked { return }
      let depends = try DirectoryLayerFormat.unpack(tar, into: temporary, lower: lower, limit: limit, object: object)
      dependsOnLower.withLock { $0 = depends }
    }
    if blob == nil, let failure = result.failure as? LayerNeedsLower { throw failure }
    try check(result, layer, object: object, isStored: blob == nil)
    try OwnedDescriptor.directory(temporary).syncFileSystem()
    try blob?.commit(result.blob)
    if result.failure == nil, !isUnpacked {
      try FileSystem.rename(temporary, to: layerPath(dependsOnLower.withLock { $0 } ? keys.stacked : keys.alone))
      try FileSystem.syncDirectory(layersFolder)
    }
  }

  /// The digest of the blob is looked at first: damage usually shows as a malformed archive, and the digest is the truer reason.
  private func check(_ pass: LayerPass, _ layer: StoredImage.Layer, object: String, isStored: Bool) throws {
    guard pass.blob == layer.descriptor.digest else {
      throw StoreError.digestMismatch(
        object: object, expected: layer.descriptor.digest, actual: pass.blob, path: isStored ? blobPath(layer.descriptor.digest) : nil)
    }
    if let failure = pass.failure, !(failure is LayerNeedsLower) {
      if failure is StoreError || (failure as? FileSystemError)?.isOfHost == true { throw failure }
      throw StoreError.malformedLayer(object: object, reason: "its content is not acceptable", underlying: failure)
    }
    guard let tar = pass.tar, tar == layer.diffID else {
      throw StoreError.digestMismatch(object: "uncompressed " + object, expected: layer.diffID, actual: pass.tar ?? layer.diffID, path: nil)
    }
  }

  /// Whether the layer is unpacked. When its stamp says that somebody touched it, every file is read and compared.
  ///
  /// - Parameter isCancelled: Asked before each file; then the proof ends with `CancellationError`.
  func proveLayer(_ key: Digest, isCancelled: @escaping @Sendable () -> Bool = { false }) throws -> Bool {
    let folder = layerPath(key)
    guard FileSystem.exists(folder) else { return false }
    let stampPath = folder.appending("stamp")
    let tree = folder.appending("fs")
    let kept = FileSystem.exists(stampPath) ? TreeStamp(decoding: try FileSystem.readFile(stampPath, limit: 1 << 30)) : nil
    if try kept?.holds(for: tree, isCancelled: isCancelled) == true { return true }
    // Taken before the files are read, so that what changes meanwhile does not pass next time.
    let actual = FileSystem.exists(tree) ? try TreeStamp(of: tree, isCancelled: isCancelled) : nil
    let differences = try layerDifferences(key, isCancelled: isCancelled)
    // Whatever is done in a folder changes the folder's time, which says less than what was done.
    if let difference = differences.first(where: { $0.property != "time" }) ?? differences.first {
      throw StoreError.fileChanged(layer: key, difference: difference)
    }
    if let actual { try FileSystem.writeAtomically(actual.bytes, to: stampPath) }
    return true
  }

  /// Everything in which an unpacked layer differs from its manifest; reads every byte.
  func layerDifferences(_ key: Digest, isCancelled: @escaping @Sendable () -> Bool = { false }) throws -> [FileDifference] {
    let folder = layerPath(key)
    return try TreeScan.differences(folder.appending("fs"), from: FileManifest.read(in: folder), width: 2, isCancelled: isCancelled)
  }
}

extension MaterialisedLayer {
  /// Those of an image's layers, lowest first, of which something can be seen.
  ///
  /// overlayfs heeds the mark of an opaque folder on every folder but the root of a layer, so what such a root hides is not mounted.
  static func shown(_ layers: [MaterialisedLayer]) throws -> [MaterialisedLayer] {
    let mark = OwnerIDs.current.opaqueMark
    let lowest = try layers.lastIndex { layer in
      // What is missing is told when the layer is proven.
      guard FileSystem.exists(layer.root) else { return false }
      return try RootDirectory(layer.root).extendedAttributes(.root)[mark] != nil
    }
    return lowest.map { Array(layers[$0...]) } ?? layers
  }

  /// What it held when it was unpacked.
  public func manifest() throws -> FileManifest { try FileManifest.read(in: root.removingLastComponent()) }
}

extension FileManifest {
  /// The list in the folder of an unpacked layer.
  static func read(in folder: FilePath) throws -> FileManifest {
    let path = folder.appending("files.mtree")
    guard let manifest = FileManifest(try FileSystem.readFile(path, limit: 1 << 30)) else {
      throw StoreError.unreadableRecord(path: path, reason: "it is not an mtree of this envctl")
    }
    return manifest
  }
}

extension FileSystemError {
  /// Whether the machine is to blame. The rest comes from names in the archive that contradict each other.
  var isOfHost: Bool {
    ![.fileExists, .notDirectory, .isDirectory, .fileNameTooLong, .tooManySymbolicLinkLevels, .noSuchFileOrDirectory].contains(errno)
  }
}
