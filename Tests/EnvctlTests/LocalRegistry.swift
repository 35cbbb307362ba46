/// A registry without TLS on loopback, together with a client of ours that fills it.
import EnvCore
import EnvRegistry
import OCI
import RegistryHarness
import SystemPackage
import TestSupport

final class LocalRegistry {
  /// `127.0.0.1:port`.
  let address: String
  let client: RegistryClient
  private let registry: DockerRegistry

  init(in folder: FilePath) throws {
    registry = try DockerRegistry(in: folder)
    address = registry.host
    client = RegistryClient(
      settings: RegistrySettings(insecure: [address], credentials: CredentialSources(files: [], environment: [:])))
  }

  /// Uploads a small blob.
  func push(_ bytes: [UInt8], _ type: String, to reference: ImageReference) throws -> Descriptor {
    let descriptor = Descriptor(mediaType: MediaType(rawValue: type), digest: .sha256(of: bytes), size: Int64(bytes.count))
    _ = try client.push(descriptor, to: reference, object: "a blob") { pulling(bytes) }
    return descriptor
  }
}
