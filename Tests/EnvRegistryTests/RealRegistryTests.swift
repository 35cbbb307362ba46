/// Debian's docker-registry: plain, with passwords and TLS, with tokens; pushed to and pulled from.
import EnvCore
import HTTP
import Hashing
import OCI
import RegistryHarness
import SafeFS
import SystemPackage
import TestSupport
import Testing

@testable import EnvRegistry

@Suite(.serialized, .needs(.tool("docker-registry"), .tool("htpasswd", package: "apache2-utils"), .tool("openssl")))
struct RealRegistryTests {
  /// Publishes an image and fetches it again, byte for byte.
  private func roundTrip(_ client: RegistryClient, _ host: String) throws {
    var image = try ImageFixture.small()
    image.layers.append(try image.layers[0].gzipped())
    // Larger than any buffer on the way.
    image.layers.append(ImageFixture.Layer(tar: (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* $0) }))
    let reference = Clients.reference(host)
    let config = try image.config()
    let configDescriptor = Descriptor(mediaType: .imageConfig, digest: .sha256(of: config), size: Int64(config.count))
    for (descriptor, bytes) in image.layers.map({ ($0.descriptor, $0.blob) }) + [(configDescriptor, config)] {
      try #expect(client.push(descriptor, to: reference, object: "a blob") { pulling(bytes) })
      try #expect(!client.push(descriptor, to: reference, object: "a blob") { pulling(bytes) })
    }
    let manifest = try image.manifest()
    try client.pushManifest(manifest, mediaType: .imageManifest, to: reference)
    let document = try client.manifest(reference)
    #expect(document.bytes == manifest && document.mediaType == .imageManifest)
    try #expect(client.manifest(document.digest, in: reference) == document)
    try #expect(client.resolve(reference).digest == image.digest())
    for layer in image.layers { try #expect(client.blob(layer.descriptor, in: reference) == layer.blob) }
    try #expect(client.document(configDescriptor, in: reference, object: "the config") == config)
    try #expect(client.tags(in: reference) == ["v1"])
    let mistyped = ImageReference(registry: host, repository: reference.repository, tag: "v2")
    let missing = #expect(throws: RegistryError.self) { try client.manifest(named: mistyped) }
    #expect(missing?.hint == "did you mean 'v1'?")
    try #expect(client.referrers(of: document.digest, in: reference).isEmpty)
    let index = try CanonicalJSON.encode(ImageIndex(manifests: [image.descriptor()]))
    let tag = ImageReference(registry: host, repository: reference.repository, tag: "sha256-\(document.digest.hex)")
    try client.pushManifest(index, mediaType: .imageIndex, to: tag)
    try #expect(client.referrers(of: document.digest, in: reference).map(\.digest) == [document.digest])
  }

  @Test func plain() throws {
    try withTemporaryFolder { folder in
      let registry = try DockerRegistry(in: folder)
      try roundTrip(Clients.client(insecure: registry.host), registry.host)
    }
  }

  @Test func passwordAndTLSWithAnAuthorityOfItsOwn() throws {
    try withTemporaryFolder { folder in
      let authority = try CertificateAuthority(in: folder.appending("ca"))
      let registry = try DockerRegistry(
        in: folder.appending("registry"), access: .password(user: "ada", password: "secret"), tls: try authority.issue("registry"))
      let auth = try Clients.authFile(in: folder, registry.host)
      let trusted = folder.appending("certs.d/\(registry.host)")
      try FileSystem.createDirectories(trusted)
      try FileSystem.writeAtomically(try FileSystem.readFile(authority.certificate), to: trusted.appending("ca.crt"))
      try roundTrip(Clients.client(auth: auth, certificates: folder.appending("certs.d")), registry.host)
      let log = try registry.log()
      #expect(log.contains(#"GET /v2/team/model/manifests/v1 HTTP/2.0" 200"#))
      #expect(log.contains(#"HTTP/2.0" 201"#))

      // Without the authority, and with it but as somebody else.
      let untrusted = story { _ = try Clients.client(auth: auth).manifest(Clients.reference(registry.host)) }
      #expect(untrusted?.hint?.contains("certs.d") == true, "\(String(describing: untrusted))")
      for auth in [nil, try Clients.authFile(in: folder, registry.host, password: "wrong")] {
        let client = Clients.client(auth: auth, certificates: folder.appending("certs.d"))
        let error = #expect(throws: RegistryError.self) { try client.manifest(Clients.reference(registry.host)) }
        guard case .unauthorized(_, _, let hasCredentials, _) = error else { Issue.record("\(String(describing: error))"); return }
        #expect(hasCredentials == (auth != nil))
      }
    }
  }

  @Test func aRealmMayNotLeaveEncryption() throws {
    try withTemporaryFolder { folder in
      let server = try TokenServer(in: folder.appending("tokens"))
      defer { server.stop() }
      let authority = try CertificateAuthority(in: folder.appending("ca"))
      let registry = try DockerRegistry(
        in: folder.appending("registry"), access: .token(server), tls: try authority.issue("registry"))
      let trusted = folder.appending("certs.d/\(registry.host)")
      try FileSystem.createDirectories(trusted)
      try FileSystem.writeAtomically(try FileSystem.readFile(authority.certificate), to: trusted.appending("ca.crt"))
      let auth = try Clients.authFile(in: folder, registry.host, user: TokenServer.user, password: TokenServer.password)
      let client = Clients.client(auth: auth, certificates: folder.appending("certs.d"))
      let error = story { _ = try client.manifest(Clients.reference(registry.host)) }
      #expect(error?.summaries.first?.contains("leads from TLS to the unencrypted") == true, "\(String(describing: error))")
      #expect(server.requests.isEmpty)
    }
  }

  @Test func tokens() throws {
    try withTemporaryFolder { folder in
      let server = try TokenServer(in: folder.appending("tokens"))
      defer { server.stop() }
      let registry = try DockerRegistry(in: folder.appending("registry"), access: .token(server))
      let reference = Clients.reference(registry.host)
      let auth = try Clients.authFile(in: folder, registry.host, user: TokenServer.user, password: TokenServer.password)
      try roundTrip(Clients.client(insecure: registry.host, auth: auth), registry.host)
      // One token to push and one to pull, however many requests.
      #expect(server.requests.count == 2)
      let refresh = try Clients.authFile(in: folder, registry.host, token: TokenServer.refreshToken)
      let layer = try ImageFixture.Layer([.file("new")])
      #expect(
        try Clients.client(insecure: registry.host, auth: refresh).push(layer.descriptor, to: reference, object: "a blob") {
          pulling(layer.blob)
        })
      // Anybody may pull, and nobody push without a name.
      let stranger = Clients.client(insecure: registry.host)
      try #expect(stranger.manifest(reference).digest == stranger.resolve(reference).digest)
      let unheard = try ImageFixture.Layer([.file("unheard")])
      let refused = #expect(throws: RegistryError.self) {
        try stranger.push(unheard.descriptor, to: reference, object: "a blob") { pulling(unheard.blob) }
      }
      guard case .unauthorized(_, _, hasCredentials: false, _) = refused else { Issue.record("\(String(describing: refused))"); return }
      let wrong = try Clients.authFile(in: folder, registry.host, password: "wrong")
      let error = story { _ = try Clients.client(insecure: registry.host, auth: wrong).manifest(reference) }
      #expect(error?.summaries.first?.contains("who is that?") == true, "\(String(describing: error))")
    }
  }
}
