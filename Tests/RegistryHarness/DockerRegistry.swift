/// Debian's docker-registry on a free port of the loopback interface: a real registry to push to and to pull from.
import ChildProcess
import EnvCore
import Glibc
import SafeFS
import SystemPackage
import TestSupport

/// A running registry. It ends with its owner, and by itself after fifteen minutes.
public final class DockerRegistry: Sendable {
  /// Who may use it.
  public enum Access: Sendable {
    case open
    /// Basic authentication; one user.
    case password(user: String, password: String)
    /// Bearer tokens of this server.
    case token(TokenServer)
  }

  /// `127.0.0.1:port`.
  public let host: String
  private let folder: FilePath
  private let process: ChildProcess

  /// Starts a registry that keeps its content and its log in `folder`.
  ///
  /// - Parameters:
  ///   - tls: Speaks TLS alone, with this identity.
  ///   - port: 0 for a free one.
  public init(in folder: FilePath, access: Access = .open, tls: CertificateAuthority.Identity? = nil, port: Int = 0) throws {
    self.folder = folder
    try FileSystem.createDirectories(folder)
    let config = folder.appending("config.yml")
    try FileSystem.writeAtomically(Array(try Self.config(folder, access, tls, port).utf8), to: config)
    let log = try OwnedDescriptor.open(Self.log(folder), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, mode: 0o600)
    guard let timeout = Tool.path("timeout"), let program = Tool.path("docker-registry") else { throw Errno.noSuchFileOrDirectory }
    var command = Command(timeout, ["--kill-after=5", "900", program.string, "serve", config.string])
    command.standardOutput = .descriptor(FileDescriptor(rawValue: log.rawValue))
    command.standardError = .descriptor(FileDescriptor(rawValue: log.rawValue))
    command.processGroup = .own
    process = try command.start()
    host = try Self.waitForAddress(folder)
  }

  /// Ends it in the middle of whatever it does.
  public func stop() { process.signal(SIGKILL) }

  /// What it wrote, the access log included.
  public func log() throws -> String { String(decoding: try FileSystem.readFile(Self.log(folder)), as: UTF8.self) }

  private static func log(_ folder: FilePath) -> FilePath { folder.appending("log") }

  private static func waitForAddress(_ folder: FilePath) throws -> String {
    let end = ContinuousClock.now + .seconds(30)
    while ContinuousClock.now < end {
      let text = String(decoding: try FileSystem.readFile(log(folder)), as: UTF8.self)
      if let found = text.firstMatch(of: #/listening on (127\.0\.0\.1:[0-9]+)/#) { return String(found.1) }
      usleep(20_000)
    }
    throw HarnessError.registryDidNotStart(String(decoding: try FileSystem.readFile(log(folder)), as: UTF8.self))
  }

  private static func config(_ folder: FilePath, _ access: Access, _ tls: CertificateAuthority.Identity?, _ port: Int) throws -> String {
    var lines = ["version: 0.1", "log:", "  level: info", "storage:", "  filesystem:", "    rootdirectory: \(folder.appending("content"))"]
    lines += ["validation:", "  manifests:", "    urls:", "      allow: ['.*']"]
    lines += ["http:", "  addr: 127.0.0.1:\(port)", "  secret: of-the-tests"]
    if let tls { lines += ["  tls:", "    certificate: \(tls.certificate)", "    key: \(tls.key)"] }
    switch access {
    case .open: break
    case .password(let user, let password):
      let file = folder.appending("htpasswd")
      let made = try Tool.run("htpasswd", "-Bbn", "-C", "4", user, password)
      guard made.status == 0 else { throw HarnessError.toolFailed("htpasswd", made.text) }
      try FileSystem.writeAtomically(Array(made.text.utf8), to: file, mode: 0o600)
      lines += ["auth:", "  htpasswd:", "    realm: of the tests", "    path: \(file)"]
    case .token(let server):
      lines += [
        "auth:", "  token:", "    realm: \(server.realm)", "    service: \(TokenServer.service)", "    issuer: \(TokenServer.issuer)",
      ]
      lines += ["    rootcertbundle: \(server.authority)"]
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
