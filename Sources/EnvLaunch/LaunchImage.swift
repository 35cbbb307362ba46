/// An image in the form a launch needs: what to run, and where its unpacked layers lie.
import EnvCore
import EnvStore
import OCI
import SystemPackage

/// A verified and unpacked image.
public struct LaunchImage: Sendable {
  /// The digest of the image's manifest.
  public let digest: Digest
  public let config: ImageConfig.Execution
  /// Absolute paths of the layer folders in overlayfs form, lowest first. They are only read.
  public let layers: [String]
  /// What a container waits for before its program starts; nil when the layers were proven before. It is no part of records.
  let proof: LayerProof?

  public init(digest: Digest, config: ImageConfig.Execution, layers: [FilePath], proof: LayerProof? = nil) {
    self.digest = digest
    self.config = config
    self.layers = layers.map(\.string)
    self.proof = proof
  }

  /// An image of the store with its unpacked layers.
  public init(_ image: StoredImage, layers: LayerProof) {
    self.init(
      digest: image.manifestDigest, config: image.config.config ?? ImageConfig.Execution(), layers: layers.layers.map(\.root),
      proof: layers)
  }
}

extension LaunchImage: Codable {
  private enum CodingKeys: CodingKey { case digest, config, layers }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    digest = try container.decode(Digest.self, forKey: .digest)
    config = try container.decode(ImageConfig.Execution.self, forKey: .config)
    layers = try container.decode([String].self, forKey: .layers)
    proof = nil
  }
}
