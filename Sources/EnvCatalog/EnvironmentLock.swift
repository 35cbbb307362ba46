/// `envctl.lock`, which envctl writes and the user commits: exactly which image the project runs in, on each platform.
import EnvCore
import OCI
import SafeFS
import SystemPackage

/// The content of `envctl.lock`: canonical JSON, indented, so that a review shows what changed.
public struct EnvironmentLock: Sendable, Codable, Equatable {
  /// One document of an image, as its descriptor names it.
  public struct Document: Sendable, Codable, Hashable {
    public var digest: Digest
    public var mediaType: MediaType
    /// Bytes.
    public var size: Int64

    public init(digest: Digest, mediaType: MediaType, size: Int64) {
      self.digest = digest
      self.mediaType = mediaType
      self.size = size
    }

    public init(_ descriptor: Descriptor) {
      self.init(digest: descriptor.digest, mediaType: descriptor.mediaType, size: descriptor.size)
    }
  }

  /// One locked image.
  public struct Image: Sendable, Codable, Equatable {
    public struct Layer: Sendable, Codable, Hashable {
      public var digest: Digest
      /// Digest of the uncompressed tar.
      public var diffID: Digest
      public var mediaType: MediaType
      /// Bytes of the blob.
      public var size: Int64

      public init(_ descriptor: Descriptor, diffID: Digest) {
        digest = descriptor.digest
        self.diffID = diffID
        mediaType = descriptor.mediaType
        size = descriptor.size
      }
    }

    public var manifest: Document
    public var config: Document
    /// Lowest first.
    public var layers: [Layer]
    public var facts: EnvironmentFacts

    /// The lock of an image whose documents have been proven.
    ///
    /// - Throws: `OCIDocumentError.layerCountMismatch` when manifest and config do not fit together.
    public init(manifest: Document, _ content: ImageManifest, _ config: ImageConfig) throws {
      self.manifest = manifest
      self.config = Document(content.config)
      let diffIDs = config.rootfs.diffIDs
      guard content.layers.count == diffIDs.count else {
        throw OCIDocumentError.layerCountMismatch(
          "image \(manifest.digest.short)", layers: content.layers.count, diffIDs: diffIDs.count)
      }
      layers = zip(content.layers, diffIDs).map { Layer($0, diffID: $1) }
      facts = EnvironmentFacts(config)
    }
  }

  /// Who vouched for the image when it was locked.
  public struct Signature: Sendable, Codable, Hashable {
    /// SHA-256 of the public key's DER SubjectPublicKeyInfo.
    public var key: Digest
    /// The form of the signature, such as `cosign-v1`.
    public var kind: String
    /// The index or manifest that was signed.
    public var digest: Digest
    /// The name the signer gave the image; a claim, not proof.
    public var reference: String?

    public init(key: Digest, kind: String, digest: Digest, reference: String? = nil) {
      self.key = key
      self.kind = kind
      self.digest = digest
      self.reference = reference
    }
  }

  /// A model file as `envctl.yaml` pinned it.
  public struct Model: Sendable, Codable, Hashable {
    public var name: String
    /// One of the two says where it comes from.
    public var url: String?
    public var path: String?
    public var sha256: Digest
    /// Bytes.
    public var size: Int64
    /// Absolute path of the file in the container.
    public var mount: String

    public init(name: String, url: String? = nil, path: String? = nil, sha256: Digest, size: Int64, mount: String) {
      self.name = name
      self.url = url
      self.path = path
      self.sha256 = sha256
      self.size = size
      self.mount = mount
    }
  }

  public static let name = "envctl.lock"
  public static let schema = 2

  public var schema: Int
  /// What `envctl.yaml` asks for: `EnvironmentRequest.description`.
  public var environment: String
  /// Where the request led: a name of the catalog, an image with its tag, or a layout.
  public var resolved: EnvironmentSource
  /// Digest of the image index, for images of several platforms.
  public var index: Digest?
  /// By platform, such as `linux/amd64`.
  public var images: [String: Image]
  /// Digest of the baseline the environment is judged by.
  public var baseline: Digest?
  /// Digest of `envctl.baseline.json`, by which the user's own training is judged.
  public var programBaseline: Digest?
  public var signatures: [Signature]
  /// The pinning rules that were waived when the lock was written.
  public var allowedUnpinned: [String]
  /// In the order of `envctl.yaml`; nil for none.
  public var models: [Model]?

  public init(
    environment: EnvironmentRequest, resolved: EnvironmentSource, index: Digest? = nil, images: [String: Image], baseline: Digest? = nil,
    signatures: [Signature] = [], allowedUnpinned: [String] = []
  ) {
    self.schema = Self.schema
    self.environment = environment.description
    self.resolved = resolved
    self.index = index
    self.images = images
    self.baseline = baseline
    self.signatures = signatures
    self.allowedUnpinned = allowedUnpinned
  }

  /// Reads the lock in `folder`; nil when there is none.
  ///
  /// - Throws: `CatalogError.otherLockSchema` for a lock of another schema, whatever else is in it; `.malformedLock` for anything else.
  public static func read(in folder: FilePath) throws -> EnvironmentLock? {
    let file = folder.appending(name)
    guard FileSystem.exists(file) else { return nil }
    return try parse(try FileSystem.readFile(file, limit: 16 << 20), file: file)
  }

  /// Reads the bytes of a lock; `file` names them in errors.
  ///
  /// - Throws: As `read`.
  public static func parse(_ bytes: [UInt8], file: FilePath) throws -> EnvironmentLock {
    do {
      let found = try CanonicalJSON.decode(SchemaOnly.self, from: bytes, object: "the file").schema
      guard found == schema else { throw CatalogError.otherLockSchema(file: file, schema: found, known: schema) }
      return try CanonicalJSON.decode(EnvironmentLock.self, from: bytes, object: "the file")
    } catch let error as JSONError {
      throw CatalogError.malformedLock(file: file, underlying: error)
    }
  }

  /// - Throws: `CatalogError.lockNotWritten` where the folder is somebody else's, or on a file system that is read-only.
  public func write(in folder: FilePath) throws {
    let file = folder.appending(Self.name)
    do {
      try FileSystem.writeAtomically(try CanonicalJSON.encodePretty(self), to: file, ownedByFolder: true)
    } catch let error as FileSystemError where [.permissionDenied, .notPermitted, .readOnlyFileSystem].contains(error.errno) {
      throw CatalogError.lockNotWritten(file: file, error.errno)
    }
  }

  private struct SchemaOnly: Decodable { var schema: Int }
}
