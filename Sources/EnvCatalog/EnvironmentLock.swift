/// `envctl.lock`, which envctl writes and the user commits: exactly which image the project runs in, on each platform.
import EnvCore
import OCI
import SafeFS
import SystemPackage

/// The content of `envctl.lock`: canonical JSON, indented, so that a review shows what changed.
public struct EnvironmentLock: Sendable, Codable, Equatable {
  /// One locked image.
  public struct Image: Sendable, Codable, Equatable {
    public struct Layer: Sendable, Codable, Equatable {
      public var mediaType: MediaType
      public var digest: Digest
      /// Bytes of the blob.
      public var size: Int64
      /// Digest of the uncompressed tar.
      public var diffID: Digest

      public init(descriptor: Descriptor, diffID: Digest) {
        mediaType = descriptor.mediaType
        digest = descriptor.digest
        size = descriptor.size
        self.diffID = diffID
      }
    }

    public var manifest: Digest
    public var config: Digest
    /// Lowest first.
    public var layers: [Layer]

    public init(manifest: Digest, config: Digest, layers: [Layer]) {
      self.manifest = manifest
      self.config = config
      self.layers = layers
    }
  }

  public static let name = "envctl.lock"
  public static let newestSchema = 1

  public var schema: Int
  /// As it stands in `envctl.yaml`.
  public var environment: String
  /// By platform, such as `linux/amd64`.
  public var images: [String: Image]
  /// Digest of the baseline the environment is judged by.
  public var baseline: Digest?

  public init(environment: String, images: [String: Image], baseline: Digest?) {
    self.schema = Self.newestSchema
    self.environment = environment
    self.images = images
    self.baseline = baseline
  }

  /// Reads the lock in `folder`; nil when there is none.
  ///
  /// - Throws: `CatalogError.newerSchema` for a lock that a newer envctl wrote, whatever else is in it.
  public static func read(in folder: FilePath) throws -> EnvironmentLock? {
    let file = folder.appending(name)
    guard FileSystem.exists(file) else { return nil }
    let bytes = try FileSystem.readFile(file, limit: 16 << 20)
    let schema = try CanonicalJSON.decode(SchemaOnly.self, from: bytes, object: "'\(file)'").schema
    guard schema <= newestSchema else { throw CatalogError.newerSchema(file: file, schema: schema, known: newestSchema) }
    return try CanonicalJSON.decode(EnvironmentLock.self, from: bytes, object: "'\(file)'")
  }

  public func write(in folder: FilePath) throws {
    try FileSystem.writeAtomically(try CanonicalJSON.encodePretty(self), to: folder.appending(Self.name))
  }

  private struct SchemaOnly: Decodable { var schema: Int }
}
