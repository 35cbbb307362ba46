/// What certs.d holds for a registry, and what of it cannot be used.
import EnvCore
import Glibc
import OCI
import RegistryHarness
import SafeFS
import SystemPackage
import TestSupport
import Testing

@testable import EnvRegistry

@Suite struct CertificateTests {
  private static let pem = "-----BEGIN CERTIFICATE-----\n"

  private func settings(_ folder: FilePath, insecure: Set<String> = []) -> RegistrySettings {
    RegistrySettings(
      insecure: insecure, certificateFolders: [folder.appending("absent"), folder],
      credentials: CredentialSources(files: [], environment: [:]))
  }

  private func write(_ files: [String: String], to folder: FilePath) throws {
    try FileSystem.createDirectories(folder)
    for (name, text) in files { try FileSystem.writeAtomically(Array(text.utf8), to: folder.appending(name)) }
  }

  @Test func allAuthoritiesCountAndAKeyBelongsToItsCertificate() throws {
    try withTemporaryFolder { folder in
      let place = folder.appending("R.test:5000")
      try write(
        ["b.crt": Self.pem + "2", "a.crt": Self.pem + "1", "z.cert": Self.pem, "z.key": Self.pem, "m.cert": Self.pem, "m.key": Self.pem],
        to: place)
      let identity = try #require(try settings(folder).tls(for: "r.test:5000"))
      #expect(identity.authorities == Array((Self.pem + "1\n" + Self.pem + "2\n").utf8))
      #expect(identity.certificate == place.appending("m.cert").string)
      #expect(identity.key == place.appending("m.key").string)
      #expect(try settings(folder).tls(for: "r.test") == nil)
    }
  }

  @Test(arguments: [
    (["x.cert": pem], "'x.key' is not beside it"), (["x.cert": pem, "y.key": pem], "'x.key' is not beside it"),
    (["x.key": pem], "'x.cert' is not beside it"), (["x.crt": "0\u{82}"], "it is not in PEM"), (["x.crt": ""], "it is not in PEM"),
  ])
  func whatCannotBeUsedIsNamed(_ files: [String: String], _ reason: String) throws {
    try withTemporaryFolder { folder in
      try write(files, to: folder.appending("r.test"))
      let error = story { _ = try settings(folder).tls(for: "r.test") }
      #expect(error?.summaries.first?.hasSuffix(reason) == true, "\(String(describing: error))")
    }
  }

  @Test(arguments: ["ca.crt", "x.cert", "x.key"]) func aFIFOIsAnErrorAndNoHang(_ name: String) throws {
    try withTemporaryFolder { folder in
      let place = folder.appending("r.test")
      try write(["x.cert": Self.pem, "x.key": Self.pem], to: place)
      try FileSystem.removeFile(place.appending(name))
      #expect(place.appending(name).withPlatformString { mkfifo($0, 0o600) } == 0)
      let error = story { _ = try settings(folder).tls(for: "r.test") }
      #expect(error?.summaries.first?.hasSuffix("it is no file") == true, "\(String(describing: error))")
    }
  }

  @Test func aRegistryWithoutTLSIsKnownInAnySpelling() {
    let settings = settings("/absent", insecure: ["R.test:5000", "s.test:443"])
    #expect(settings.base(of: "r.test:5000") == "http://r.test:5000/v2/")
    #expect(settings.base(of: "s.test:443") == "http://s.test:443/v2/")
    // Without TLS the port that is not written is another one.
    #expect(settings.base(of: "s.test") == "https://s.test/v2/")
  }

  @Test func theSecondAuthorityVouchesAsWell() throws {
    try withTemporaryFolder { folder in
      let stranger = try CertificateAuthority(in: folder.appending("stranger"))
      let authority = try CertificateAuthority(in: folder.appending("ca"))
      let registry = try DockerRegistry(in: folder.appending("registry"), tls: try authority.issue("registry"))
      let place = folder.appending("certs.d/\(registry.host)")
      try FileSystem.createDirectories(place)
      try FileSystem.writeAtomically(try FileSystem.readFile(stranger.certificate), to: place.appending("a.crt"))
      let client = Clients.client(certificates: folder.appending("certs.d"))
      func ask() -> DiagnosticChain? { story { _ = try client.manifest(Clients.reference(registry.host)) } }
      #expect(ask()?.summaries.contains { $0.contains("certificate is not trusted") } == true)
      try FileSystem.writeAtomically(try FileSystem.readFile(authority.certificate), to: place.appending("b.crt"))
      #expect(ask()?.summaries.first?.hasSuffix("is not there") == true || ask()?.summaries.first?.contains("is not there (") == true)
    }
  }
}
