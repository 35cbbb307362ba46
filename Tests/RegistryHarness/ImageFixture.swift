/// Images made in code: their layers, documents and layouts, whole or broken on purpose.
import EnvCore
import Hashing
import OCI
import SafeFS
import SystemPackage
import TestSupport

/// An image whose documents follow from its layers, unless a test puts others in their place.
public struct ImageFixture: Sendable {
  public struct Layer: Sendable {
    public var blob: [UInt8]
    public var mediaType: MediaType
    /// What the config says of it.
    public var diffID: Digest
    /// What the manifest says of it.
    public var descriptor: Descriptor

    /// A layer whose blob unpacks to `tar`.
    public init(tar: [UInt8], blob: [UInt8]? = nil, mediaType: MediaType = .layerTar) {
      self.blob = blob ?? tar
      self.mediaType = mediaType
      diffID = .sha256(of: tar)
      descriptor = Descriptor(mediaType: mediaType, digest: .sha256(of: self.blob), size: Int64(self.blob.count))
    }

    public init(_ items: [TarItem]) throws { self.init(tar: try tar(items)) }

    /// The same layer, compressed by the gzip program.
    public func gzipped() throws -> Layer { try Layer(tar: blob, blob: compress(blob, "gzip -n"), mediaType: .layerGzip) }

    /// The same layer, compressed by the zstd program.
    public func zstandard() throws -> Layer { try Layer(tar: blob, blob: compress(blob, "zstd -q"), mediaType: .layerZstd) }
  }

  public var layers: [Layer]
  public var platform: Platform

  public init(_ layers: [Layer], platform: Platform = .host) {
    self.layers = layers
    self.platform = platform
  }

  /// A small image of one layer, for tests that are about something else.
  public static func small() throws -> ImageFixture {
    ImageFixture([try Layer([.folder("etc"), .file("etc/motto", "bytes, proven\n"), .file("etc/empty")])])
  }

  public func config() throws -> [UInt8] {
    try CanonicalJSON.encode(
      ImageConfig(
        platform: platform, created: "2020-01-01T00:00:00Z", config: .init(environment: ["A=b"], command: ["/bin/sh"]),
        diffIDs: layers.map(\.diffID), history: []))
  }

  public func manifest() throws -> [UInt8] {
    let config = try config()
    return try CanonicalJSON.encode(
      ImageManifest(
        config: Descriptor(mediaType: .imageConfig, digest: .sha256(of: config), size: Int64(config.count)),
        layers: layers.map(\.descriptor)))
  }

  /// How an index points at the image.
  public func descriptor() throws -> Descriptor {
    let manifest = try manifest()
    return Descriptor(mediaType: .imageManifest, digest: .sha256(of: manifest), size: Int64(manifest.count), platform: platform)
  }

  public func digest() throws -> Digest { .sha256(of: try manifest()) }

  /// Writes an OCI layout that other people's tools read (image-spec image-layout.md).
  public func write(layout folder: FilePath, tag: String = "v1") throws { try Self.write([self], asIndex: false, layout: folder, tag: tag) }

  /// Writes a layout whose tag names an index of several images, and returns the index.
  @discardableResult
  public static func write(_ images: [ImageFixture], asIndex: Bool = true, layout folder: FilePath, tag: String = "v1") throws -> Digest {
    let blobs = folder.appending("blobs/sha256")
    try FileSystem.createDirectories(blobs)
    func add(_ bytes: [UInt8]) throws -> Digest {
      let digest = Digest.sha256(of: bytes)
      try FileSystem.writeAtomically(bytes, to: blobs.appending(digest.hex))
      return digest
    }
    for image in images {
      for document in try image.layers.map(\.blob) + [image.config(), image.manifest()] { _ = try add(document) }
    }
    var top = try images[0].descriptor()
    if asIndex {
      let index = try CanonicalJSON.encode(ImageIndex(manifests: images.map { try $0.descriptor() }))
      top = Descriptor(mediaType: .imageIndex, digest: try add(index), size: Int64(index.count))
    }
    top.annotations = ["org.opencontainers.image.ref.name": tag]
    try FileSystem.writeAtomically(Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8), to: folder.appending("oci-layout"))
    try FileSystem.writeAtomically(try CanonicalJSON.encode(ImageIndex(manifests: [top])), to: folder.appending("index.json"))
    return top.digest
  }
}

/// `bytes` through a filter of the shell's.
public func compress(_ bytes: [UInt8], _ filter: String) throws -> [UInt8] { try shell("\(filter) < in > out", input: bytes) }

/// What a script run in an empty folder leaves in the file `out`. `input` is there as `in`.
public func shell(_ script: String, input: [UInt8] = []) throws -> [UInt8] {
  try withTemporaryFolder { folder in
    try FileSystem.writeAtomically(input, to: folder.appending("in"))
    let output = try Tool.run("sh", "-ec", "cd '\(folder)'; \(script)")
    guard output.status == 0 else { throw HarnessError.toolFailed(script, output.text) }
    return try FileSystem.readFile(folder.appending("out"), limit: 1 << 30)
  }
}
