/// The documents that make up an image: manifest, index and configuration.
import EnvCore

/// An image manifest (image-spec manifest.md). The bytes of a manifest are kept as a blob; this type only reads and makes them.
public struct ImageManifest: Codable, Hashable, Sendable {
  public var schemaVersion: Int
  public var mediaType: MediaType?
  public var config: Descriptor
  /// What this is when it is no image.
  public var artifactType: String?
  /// The manifest this one says something about.
  public var subject: Descriptor?
  /// Lowest layer first.
  public var layers: [Descriptor]
  public var annotations: [String: String]?

  public init(config: Descriptor, layers: [Descriptor], annotations: [String: String]? = nil) {
    self.schemaVersion = 2
    self.mediaType = .imageManifest
    self.config = config
    self.layers = layers
    self.annotations = annotations
  }

  /// Reads a manifest and refuses a document that is not clearly one (CVE-2021-41190).
  public static func parse(_ bytes: [UInt8], object: String) throws -> ImageManifest {
    let shape = try decodeDocument(DocumentShape.self, from: bytes, object: object)
    guard shape.manifests == nil else { throw OCIDocumentError.ambiguous(object) }
    if let mediaType = shape.mediaType, mediaType != .imageManifest, mediaType != .dockerManifest {
      throw OCIDocumentError.wrongMediaType(object, expected: .imageManifest, actual: mediaType)
    }
    let manifest = try decodeDocument(ImageManifest.self, from: bytes, object: object)
    guard manifest.schemaVersion == 2 else { throw OCIDocumentError.unknownSchema(object, manifest.schemaVersion) }
    try DocumentShape.checkSizes([manifest.config] + manifest.layers, object: object)
    return manifest
  }

  /// Lets an image pass whose layers can be unpacked; other artifacts have manifests too.
  ///
  /// - Throws: `OCIDocumentError.notAnImage`, `.unpackableLayer`.
  public func requireImage(object: String) throws(OCIDocumentError) {
    guard config.mediaType.isImageConfig else { throw .notAnImage(object, config.mediaType) }
    for (index, layer) in layers.enumerated() where layer.mediaType.layerCompression == nil {
      throw .unpackableLayer("layer \(index + 1) of \(object)", layer.mediaType)
    }
  }
}

/// An image index (image-spec image-index.md).
public struct ImageIndex: Codable, Hashable, Sendable {
  public var schemaVersion: Int
  public var mediaType: MediaType?
  public var manifests: [Descriptor]
  public var annotations: [String: String]?

  public init(manifests: [Descriptor], annotations: [String: String]? = nil) {
    self.schemaVersion = 2
    self.mediaType = .imageIndex
    self.manifests = manifests
    self.annotations = annotations
  }

  /// Reads an index and refuses a document that is not clearly one (CVE-2021-41190).
  public static func parse(_ bytes: [UInt8], object: String) throws -> ImageIndex {
    let shape = try decodeDocument(DocumentShape.self, from: bytes, object: object)
    guard shape.config == nil, shape.layers == nil else { throw OCIDocumentError.ambiguous(object) }
    if let mediaType = shape.mediaType, mediaType != .imageIndex, mediaType != .dockerManifestList {
      throw OCIDocumentError.wrongMediaType(object, expected: .imageIndex, actual: mediaType)
    }
    let index = try decodeDocument(ImageIndex.self, from: bytes, object: object)
    guard index.schemaVersion == 2 else { throw OCIDocumentError.unknownSchema(object, index.schemaVersion) }
    try DocumentShape.checkSizes(index.manifests, object: object)
    return index
  }
}

extension ImageIndex {
  /// The image for a platform, the best variant of it; nil when there is none. Attestations and other documents without a platform are passed over.
  public func image(for platform: Platform) -> Descriptor? {
    let fitting = manifests.compactMap { entry in entry.platform.flatMap { platform.fitness(of: $0) }.map { (entry, $0) } }
    return fitting.enumerated().max { ($0.element.1, -$0.offset) < ($1.element.1, -$1.offset) }?.element.0
  }

  /// The platforms there are images for.
  public var platforms: [Platform] { manifests.compactMap(\.platform).filter { $0.os != "unknown" } }
}

/// Reads a document of an image, whose digest promises the same image to everybody who reads it.
///
/// - Throws: `OCIDocumentError.unreadable`.
public func decodeDocument<Value: Decodable>(
  _ type: Value.Type, from bytes: [UInt8], object: String
) throws(OCIDocumentError) -> Value {
  do {
    return try CanonicalJSON.decode(type, from: bytes, object: object, ignoringCase: true)
  } catch {
    throw .unreadable(error)
  }
}

/// The keys that tell a manifest from an index.
private struct DocumentShape: Decodable {
  struct Anything: Decodable { init(from decoder: any Decoder) {} }
  var mediaType: MediaType?
  var manifests: Anything?
  var config: Anything?
  var layers: Anything?

  /// Sizes are summed and multiplied later on; beyond 1 TiB they are no blob's.
  static func checkSizes(_ descriptors: [Descriptor], object: String) throws(OCIDocumentError) {
    for descriptor in descriptors where !(0...1 << 40).contains(descriptor.size) {
      throw .impossibleSize(object, descriptor.digest, descriptor.size)
    }
  }
}

/// Why a document is not the one its place asks for.
public enum OCIDocumentError: Diagnostic {
  case unreadable(JSONError)
  case ambiguous(String)
  case unknownSchema(String, Int)
  case wrongMediaType(String, expected: MediaType, actual: MediaType)
  case unpackableLayer(String, MediaType)
  case notAnImage(String, MediaType)
  case layerCountMismatch(String, layers: Int, diffIDs: Int)
  case impossibleSize(String, Digest, Int64)

  public var summary: String {
    switch self {
    case .unreadable(let error): error.summary
    case .ambiguous(let object): "\(object) is an image manifest and an index at once"
    case .unknownSchema(let object, let version): "\(object) has schemaVersion \(version), where 2 belongs"
    case .wrongMediaType(let object, let expected, let actual): "\(object) says it is '\(actual)', where '\(expected)' belongs"
    case .unpackableLayer(let object, let type): "\(object) is of media type '\(type)', which is no layer envctl can unpack"
    case .notAnImage(let object, let type): "\(object) is no image that can run: its configuration is of media type '\(type)'"
    case .layerCountMismatch(let object, let layers, let diffIDs): "\(object) has \(layers) layers but its config names \(diffIDs) diffIDs"
    case .impossibleSize(let object, let digest, let size): "\(object) says that \(digest) has \(size) bytes, which no blob has"
    }
  }
  public var cause: (any Error)? { if case .unreadable(let error) = self { error.cause } else { nil } }
  public var exitCode: ExitCode { .verification }
}
