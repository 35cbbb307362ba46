/// An image in the form a launch needs: what to run, and where its unpacked layers lie.
import EnvCore
import EnvStore
import OCI
import SystemPackage

/// A verified and unpacked image.
public struct LaunchImage: Codable, Hashable, Sendable {
  /// The digest of the image's manifest.
  public let digest: Digest
  public let config: ImageConfig.Execution
  /// Absolute paths of the layer folders in overlayfs form, lowest first. They are only read.
  public let layers: [String]

  public init(digest: Digest, config: ImageConfig.Execution, layers: [FilePath]) {
    self.digest = digest
    self.config = config
    self.layers = layers.map(\.string)
  }

  /// An image of the store with its unpacked layers, lowest first.
  public init(_ image: StoredImage, layers: [MaterialisedLayer]) {
    self.init(digest: image.manifestDigest, config: image.config.config ?? ImageConfig.Execution(), layers: layers.map(\.root))
  }
}
