/// Stores and images for the tests of this target, and unpacked trees written as lines.
import EnvCore
import Hashing
import OCI
import SafeFS
import SystemPackage
import TestSupport

@testable import EnvStore

/// A layer as it would come from a registry.
struct LayerBlob {
  var bytes: [UInt8]
  var mediaType: MediaType
  var diffID: Digest

  /// A plain tar, as recipes make.
  init(_ items: [TarItem]) throws { self.init(tarBytes: try tar(items)) }

  init(tarBytes: [UInt8]) {
    bytes = tarBytes
    mediaType = .layerTar
    diffID = .sha256(of: tarBytes)
  }
}

extension Store {
  /// Puts an image of these layers into the store.
  func addImage(_ layers: [LayerBlob], platform: Platform = .host) throws -> StoredImage {
    let descriptors = try layers.map { layer in
      let blob = try ingest(layer.bytes, object: "layer")
      return Descriptor(mediaType: layer.mediaType, digest: blob.digest, size: blob.size)
    }
    let config = ImageConfig(
      platform: platform, created: "2020-01-01T00:00:00Z", config: .init(environment: ["A=b"]), diffIDs: layers.map(\.diffID),
      history: [])
    let configBlob = try ingest(try CanonicalJSON.encode(config), object: "config")
    let manifest = ImageManifest(
      config: Descriptor(mediaType: .imageConfig, digest: configBlob.digest, size: configBlob.size), layers: descriptors)
    let blob = try ingest(try CanonicalJSON.encode(manifest), object: "manifest")
    guard let image = try image(blob.digest) else { throw StoreError.missingBlob(object: "image", digest: blob.digest) }
    return image
  }
}

/// Runs `body` with a fresh store.
func withStore<Result>(_ body: (Store) throws -> Result) throws -> Result {
  try withTemporaryFolder { try body(try Store(home: $0.appending("home"))) }
}

/// Unpacks one layer on top of others and gives its tree to `body`.
func withLayer<Result>(_ layer: LayerBlob, on lower: [LayerBlob] = [], _ body: (FilePath) throws -> Result) throws -> Result {
  try withStore { store in
    let layers = try store.materialise(try store.addImage(lower + [layer])).layers
    return try body(layers[layers.count - 1].root)
  }
}

/// One line for each file below `root`: a letter for the kind, the path, the mode of files and folders, and what it holds.
///
/// `w` is a whiteout and `o` an opaque folder of overlayfs.
func lines(_ root: FilePath) throws -> [String] {
  var lines: [String] = []
  try FileSystem.walk(root) { node in
    guard !node.path.isEmpty else { return }
    let status = node.status
    let mode = String(status.permissions, radix: 8)
    switch status.kind {
    case .directory:
      let isOpaque = try node.extendedAttributes()["trusted.overlay.opaque"] == Array("y".utf8)
      lines.append("\(isOpaque ? "o" : "d") \(node.path) \(mode)")
    case .file:
      lines.append("f \(node.path) \(mode) \(String(decoding: try FileSystem.readFile(root.appending(node.path)), as: UTF8.self))")
    case .symlink: lines.append("l \(node.path) -> \(try node.linkTarget())")
    case .characterDevice where status.device == (0, 0): lines.append("w \(node.path)")
    case .characterDevice: lines.append("c \(node.path) \(mode) \(status.device.major),\(status.device.minor)")
    case .blockDevice: lines.append("b \(node.path) \(mode) \(status.device.major),\(status.device.minor)")
    case .fifo: lines.append("p \(node.path) \(mode)")
    case .socket: lines.append("s \(node.path)")
    }
  }
  return lines
}

/// Changes one byte of a file in place and sets its modification time back, as careless tools and malice do.
func flipByte(_ path: FilePath, at offset: Int = 0) throws {
  guard let before = try FileSystem.status(path) else { throw Errno.noSuchFileOrDirectory }
  var bytes = try FileSystem.readFile(path)
  bytes[offset] ^= 1
  try FileSystem.setPermissions(path, before.permissions | 0o200)
  do {
    let file = try OwnedDescriptor.open(path, 1, mode: 0)
    try file.write(bytes.span.bytes)
  }
  try FileSystem.setPermissions(path, before.permissions)
  var folder = try RootDirectory(path.removingLastComponent())
  try folder.setModified(RelativePath(path.lastComponent?.string ?? ""), nanoseconds: before.modified)
}

/// The summary of the error `body` throws, with its causes.
func failure(_ body: () throws -> Void) -> DiagnosticChain? {
  do {
    try body()
    return nil
  } catch {
    return DiagnosticChain(error)
  }
}
