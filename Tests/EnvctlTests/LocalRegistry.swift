/// Debian's docker-registry on a port of its own, with a folder of its own, for as long as a test lasts.
import ChildProcess
import EnvCore
import EnvRegistry
import Glibc
import OCI
import SafeFS
import SystemPackage
import TestSupport

/// A registry without TLS on loopback.
final class LocalRegistry {
  /// `127.0.0.1:port`.
  let address: String
  let client: RegistryClient
  private let process: ChildProcess

  struct NotListening: Error { let log: String }

  init(in folder: FilePath) throws {
    let configuration = """
      version: 0.1
      storage: {filesystem: {rootdirectory: \(folder)/data}}
      http: {addr: "127.0.0.1:0"}
      """
    try FileSystem.createDirectories(folder.appending("data"))
    try FileSystem.writeAtomically(Array(configuration.utf8), to: folder.appending("config.yml"))
    let log = folder.appending("log")
    let file = try OwnedDescriptor.create(log)
    var command = Command(try Executable.find("docker-registry"), ["serve", folder.appending("config.yml").string])
    command.standardOutput = .null
    command.standardError = .descriptor(FileDescriptor(rawValue: file.rawValue))
    process = try command.start()
    address = try Self.address(in: log)
    client = RegistryClient(
      settings: RegistrySettings(insecure: [address], credentials: CredentialSources(files: [], environment: [:])))
  }

  /// The kernel chose the port; the registry's log tells it.
  private static func address(in log: FilePath) throws -> String {
    for _ in 0..<500 {
      let text = String(decoding: try FileSystem.readFile(log), as: UTF8.self)
      if let range = text.firstRange(of: "listening on ") {
        let address = text[range.upperBound...].prefix { $0.isNumber || $0 == "." || $0 == ":" }
        if address.contains(":") { return String(address) }
      }
      usleep(20_000)
    }
    throw NotListening(log: String(decoding: try FileSystem.readFile(log), as: UTF8.self))
  }

  /// Uploads a small blob.
  func push(_ bytes: [UInt8], _ type: String, to reference: ImageReference) throws -> Descriptor {
    let descriptor = Descriptor(mediaType: MediaType(rawValue: type), digest: .sha256(of: bytes), size: Int64(bytes.count))
    _ = try client.push(descriptor, to: reference, object: "a blob") {
      var position = 0
      return { span in
        let count = min(span.byteCount, bytes.count - position)
        span.withUnsafeMutableBytes { $0.copyBytes(from: bytes[position..<position + count]) }
        position += count
        return count
      }
    }
    return descriptor
  }
}
