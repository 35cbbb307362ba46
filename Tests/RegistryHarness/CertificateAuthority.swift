/// Certificates for servers of the tests, made by the openssl program. They are trusted by nobody but who is given the authority's file.
import SafeFS
import SystemPackage
import TestSupport

/// A certificate authority in a folder.
public struct CertificateAuthority: Sendable {
  /// A certificate and its private key, both PEM.
  public struct Identity: Sendable {
    public let certificate: FilePath
    public let key: FilePath
  }

  public let folder: FilePath
  /// PEM file of the authority itself.
  public var certificate: FilePath { folder.appending("ca.crt") }

  public init(in folder: FilePath) throws {
    self.folder = folder
    try FileSystem.createDirectories(folder)
    try Self.request(
      ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=authority of the tests"],
      extensions: ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"], to: folder.appending("ca"))
  }

  /// A certificate for 127.0.0.1 and localhost. `kind` is what openssl's `-newkey` takes.
  public func issue(_ name: String, kind: String = "rsa:2048") throws -> Identity {
    let base = folder.appending(name)
    try Self.request(
      ["-newkey", kind, "-subj", "/CN=\(name)", "-CA", certificate.string, "-CAkey", folder.appending("ca.key").string],
      extensions: ["subjectAltName=IP:127.0.0.1,DNS:localhost", "basicConstraints=CA:FALSE"], to: base)
    return Identity(certificate: FilePath(base.string + ".crt"), key: FilePath(base.string + ".key"))
  }

  private static func request(_ arguments: [String], extensions: [String], to base: FilePath) throws {
    let output = try Tool.run(
      "openssl",
      ["req", "-x509", "-noenc", "-days", "2", "-keyout", "\(base).key", "-out", "\(base).crt"] + arguments
        + extensions.flatMap { ["-addext", $0] })
    guard output.status == 0 else { throw HarnessError.toolFailed("openssl req", output.text) }
  }
}

/// The harness itself could not do its work.
public enum HarnessError: Error {
  case toolFailed(String, String)
  case registryDidNotStart(String)
}
