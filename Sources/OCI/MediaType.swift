/// Media types of OCI and Docker documents and layers, and what envctl does with each.
import EnvCore

/// A media type (image-spec media-types.md). Unknown ones survive a round trip.
public struct MediaType: RawRepresentable, Hashable, Sendable, Codable, CustomStringConvertible {
  public let rawValue: String
  public init(rawValue: String) { self.rawValue = rawValue }
  public init(from decoder: any Decoder) throws { rawValue = try decoder.singleValueContainer().decode(String.self) }
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(rawValue)
  }
  /// For messages: a document may say anything here, at any length.
  public var description: String { String(rawValue.prefix(100)) }

  public static let imageManifest = MediaType(rawValue: "application/vnd.oci.image.manifest.v1+json")
  public static let imageIndex = MediaType(rawValue: "application/vnd.oci.image.index.v1+json")
  public static let imageConfig = MediaType(rawValue: "application/vnd.oci.image.config.v1+json")
  public static let layerTar = MediaType(rawValue: "application/vnd.oci.image.layer.v1.tar")
  public static let layerGzip = MediaType(rawValue: "application/vnd.oci.image.layer.v1.tar+gzip")
  public static let layerZstd = MediaType(rawValue: "application/vnd.oci.image.layer.v1.tar+zstd")
  public static let dockerManifest = MediaType(rawValue: "application/vnd.docker.distribution.manifest.v2+json")
  public static let dockerManifestList = MediaType(rawValue: "application/vnd.docker.distribution.manifest.list.v2+json")
  public static let dockerConfig = MediaType(rawValue: "application/vnd.docker.container.image.v1+json")
  public static let dockerLayerGzip = MediaType(rawValue: "application/vnd.docker.image.rootfs.diff.tar.gzip")

  /// Whether a manifest with a configuration of this type is an image that can run, and no other artifact.
  public var isImageConfig: Bool { self == .imageConfig || self == .dockerConfig }

  /// A layer that its registry may not give away; it is a gzip layer all the same.
  public static let dockerForeignLayer = MediaType(rawValue: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")
  public static let nondistributableTar = MediaType(rawValue: "application/vnd.oci.image.layer.nondistributable.v1.tar")
  public static let nondistributableGzip = MediaType(rawValue: "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip")
  public static let nondistributableZstd = MediaType(rawValue: "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd")

  /// How a layer's tar is wrapped; nil for anything that is not a layer envctl can unpack.
  public var layerCompression: LayerCompression? {
    switch self {
    case .layerTar, .nondistributableTar: .uncompressed
    case .layerGzip, .dockerLayerGzip, .dockerForeignLayer, .nondistributableGzip: .gzip
    case .layerZstd, .nondistributableZstd: .zstd
    default: nil
    }
  }
}

/// The compression of a layer blob.
public enum LayerCompression: Sendable, Hashable { case uncompressed, gzip, zstd }
