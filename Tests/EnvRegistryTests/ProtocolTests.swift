/// Lists, referrers, uploads and the many ways an answer can be wrong.
import EnvCore
import HTTP
import Hashing
import LoopbackHTTP
import OCI
import RegistryHarness
import TestSupport
import Testing

@testable import EnvRegistry

@Suite struct ProtocolTests {
  private func json(_ text: String, _ headers: String...) -> Answer { .ok(Array(text.utf8), headers: headers) }

  // MARK: Lists

  @Test func listsGoOnOverPages() throws {
    try serving({ request in
      switch request.path {
      case "/v2/team/model/tags/list?n=1000": self.json(#"{"tags":["a","b"]}"#, #"Link: </v2/team/model/tags/list?last=b>; rel="next""#)
      case "/v2/team/model/tags/list?last=b": self.json(#"{"tags":["c"]}"#)
      default: ScriptedRegistry.missing
      }
    }) { server in
      let tags = try Clients.client(insecure: server.host).tags(in: Clients.reference(server.host))
      #expect(tags == ["a", "b", "c"])
    }
  }

  @Test func aListWithoutEndEnds() throws {
    try serving({ request in self.json(#"{"tags":["a"]}"#, "Link: <\(request.path)>; rel=next") }) { server in
      let error = story { _ = try Clients.client(insecure: server.host).tags(in: Clients.reference(server.host)) }
      #expect(error?.exitCode == .verification)
      #expect(error?.summaries.first?.contains("no end") == true)
    }
  }

  @Test func aListDoesNotGoOnAtAnotherHost() throws {
    try serving({ _ in self.json(#"{"tags":["stolen"]}"#) }) { other in
      let elsewhere = other.url("/v2/team/model/tags/list")
      try serving({ request in
        if request.path.hasPrefix("/token") { return self.json(#"{"token":"t"}"#) }
        guard request.headers["authorization"] != nil else {
          return .unauthorized(#"Bearer realm="http://\#(request.headers["host"] ?? "")/token""#)
        }
        return self.json(#"{"tags":["a"]}"#, "Link: <\(elsewhere)>; rel=\"next\"")
      }) { server in
        let error = story { _ = try Clients.client(insecure: server.host).tags(in: Clients.reference(server.host)) }
        #expect(error?.summaries.first?.contains("another host") == true)
      }
      #expect(other.requests.isEmpty)
    }
  }

  // MARK: Referrers

  private static let subject = Digest.sha256(of: Array("subject".utf8))

  private static func index(_ types: [String]) throws -> [UInt8] {
    try CanonicalJSON.encode(
      ImageIndex(
        manifests: types.map { type in
          var descriptor = Descriptor(mediaType: .imageManifest, digest: .sha256(of: Array(type.utf8)), size: 10)
          descriptor.artifactType = type
          return descriptor
        }))
  }

  @Test func referrersAreFilteredByWhoeverDoesIt() throws {
    let index = try Self.index(["a/signature", "a/sbom"])
    try serving({ request in
      request.path.hasPrefix("/v2/team/model/referrers/\(Self.subject)") ? .ok(index) : ScriptedRegistry.missing
    }) { server in
      let client = Clients.client(insecure: server.host)
      let reference = Clients.reference(server.host)
      try #expect(client.referrers(of: Self.subject, in: reference).count == 2)
      let signatures = try client.referrers(of: Self.subject, in: reference, artifactType: "a/signature")
      #expect(signatures.map(\.artifactType) == ["a/signature"])
      #expect(server.requests.last?.contains("?artifactType=a%2Fsignature ") == true)
    }
  }

  @Test func withoutTheListTheTagIsAsked() throws {
    let index = try Self.index(["a/signature"])
    let tag = "/v2/team/model/manifests/sha256-\(Self.subject.hex)"
    try serving({ $0.path == tag ? .ok(index, headers: ["Content-Type: \(MediaType.imageIndex)"]) : ScriptedRegistry.missing }) { server in
      let client = Clients.client(insecure: server.host)
      try #expect(client.referrers(of: Self.subject, in: Clients.reference(server.host)).count == 1)
      try #expect(client.referrers(of: .sha256(of: []), in: Clients.reference(server.host)).isEmpty)
    }
  }

  // MARK: Manifests

  @Test func whatIsMissingIsSaidToBeMissing() throws {
    try serving({ _ in ScriptedRegistry.missing }) { server in
      let reference = Clients.reference(server.host)
      let error = #expect(throws: RegistryError.self) { try Clients.client(insecure: server.host).manifest(reference) }
      guard case .notFound(_, said: "MANIFEST_UNKNOWN: manifest unknown", _) = error else {
        Issue.record("\(String(describing: error))"); return
      }
    }
  }

  @Test func bytesAreHashedHereWhateverTheHeaderSays() throws {
    let manifest = try ImageFixture.small().manifest()
    let digest = Digest.sha256(of: manifest)
    let other = Digest.sha256(of: [1])
    try serving({ request in .ok(manifest, headers: request.path.hasSuffix("v1") ? ["Docker-Content-Digest: \(other)"] : []) }) { server in
      let client = Clients.client(insecure: server.host)
      try #expect(client.manifest(digest, in: Clients.reference(server.host)).bytes == manifest)
      let wrong = #expect(throws: RegistryError.self) { try client.manifest(other, in: Clients.reference(server.host)) }
      guard case .digestMismatch(_, other, digest) = wrong else { Issue.record("\(String(describing: wrong))"); return }
      let contradicted = #expect(throws: RegistryError.self) { try client.manifest(Clients.reference(server.host)) }
      guard case .protocolViolation = contradicted else { Issue.record("\(String(describing: contradicted))"); return }
    }
  }

  struct Document: Sendable, CustomTestStringConvertible {
    let text: String
    let contentType: String
    let expected: MediaType?
    var testDescription: String { text }
  }

  @Test(arguments: [
    Document(text: #"{"schemaVersion":2,"manifests":[]}"#, contentType: "application/json", expected: .imageIndex),
    Document(text: #"{"schemaVersion":2,"layers":[],"config":{}}"#, contentType: "text/plain; charset=x", expected: .imageManifest),
    Document(text: #"{"schemaVersion":2,"layers":[]}"#, contentType: MediaType.dockerManifest.rawValue, expected: .dockerManifest),
    Document(text: #"{"mediaType":"x/y"}"#, contentType: MediaType.imageManifest.rawValue, expected: MediaType(rawValue: "x/y")),
    Document(text: #"{"schemaVersion":1,"fsLayers":[]}"#, contentType: "application/json", expected: nil),
    Document(text: #"{"schemaVersion":2}"#, contentType: "application/json", expected: nil),
    Document(text: "<html>", contentType: "text/html", expected: nil),
    Document(text: "", contentType: MediaType.imageManifest.rawValue, expected: nil),
  ]) func whatADocumentIs(_ document: Document) throws {
    try serving({ _ in .ok(Array(document.text.utf8), headers: ["Content-Type: \(document.contentType)"]) }) { server in
      let client = Clients.client(insecure: server.host)
      guard let expected = document.expected else {
        #expect(story { _ = try client.manifest(Clients.reference(server.host)) }?.exitCode == .verification)
        return
      }
      try #expect(client.manifest(Clients.reference(server.host)).mediaType == expected)
    }
  }

  // MARK: Pressure

  @Test func aStormOf429EndsInOneError() throws {
    try serving({ _ in .ok(Array(#"{"errors":[{"code":"TOOMANYREQUESTS"}]}"#.utf8), status: "429 Too Many Requests") }) { server in
      let error = story { _ = try Clients.client(insecure: server.host, attempts: 5).manifest(Clients.reference(server.host)) }
      #expect(server.requests.count == 5)
      #expect(error?.summaries.first?.contains("TOOMANYREQUESTS") == true)
      #expect(error?.hint?.contains("rate") == true)
    }
  }

  @Test func retryAfterIsHeeded() throws {
    let image = try ImageFixture.small()
    let registry = try ScriptedRegistry(image) {
      $0.index == 0 ? .ok([], headers: ["Retry-After: 1"], status: "429 Too Many Requests") : nil
    }
    defer { registry.stop() }
    let time = try ContinuousClock().measure { _ = try Clients.client(insecure: registry.host).manifest(Clients.reference(registry.host)) }
    #expect(time >= .milliseconds(990))
  }

  /// A connection that is cut, at each stage of a pull, before and inside the body.
  @Test(arguments: ["manifests/v1", "manifests/sha256", "blobs/"], [0, 10]) func aConnectionCutForGood(_ stage: String, _ after: Int) throws
  {
    let image = try ImageFixture.small()
    let manifest = try image.manifest()
    let registry = try ScriptedRegistry(image) { request in
      guard request.path.contains(stage) else { return nil }
      return after == 0 ? .bytes([]) : .cut(Array(manifest.prefix(after)), promised: manifest.count)
    }
    defer { registry.stop() }
    let client = Clients.client(insecure: registry.host, attempts: 3)
    let reference = Clients.reference(registry.host)
    let error = story {
      switch stage {
      case "manifests/v1": _ = try client.manifest(reference)
      case "blobs/": _ = try client.blob(image.layers[0].descriptor, in: reference)
      default: _ = try client.manifest(try image.digest(), in: reference)
      }
    }
    #expect(error?.exitCode == .failed, "\(String(describing: error))")
    #expect(registry.requests.count == 3)
  }

  // MARK: Blobs

  @Test(arguments: [-1, 1]) func aBlobOfAnotherSize(_ difference: Int) throws {
    let image = try ImageFixture.small()
    var descriptor = image.layers[0].descriptor
    descriptor.size += Int64(difference)
    let registry = try ScriptedRegistry(image)
    defer { registry.stop() }
    let error = story { _ = try Clients.client(insecure: registry.host).blob(descriptor, in: Clients.reference(registry.host)) }
    #expect(error?.exitCode == .verification)
    #expect(registry.requests.count == 1)
  }

  @Test func aDocumentIsProven() throws {
    let image = try ImageFixture.small()
    let registry = try ScriptedRegistry(image) {
      $0.path.contains("/blobs/") ? .ok([UInt8](repeating: 0, count: image.layers[0].blob.count)) : nil
    }
    defer { registry.stop() }
    let client = Clients.client(insecure: registry.host)
    let error = #expect(throws: RegistryError.self) {
      try client.document(image.layers[0].descriptor, in: Clients.reference(registry.host), object: "a signature")
    }
    guard case .digestMismatch = error else { Issue.record("\(String(describing: error))"); return }
    #expect(throws: RegistryError.self) {
      try client.document(image.layers[0].descriptor, in: Clients.reference(registry.host), limit: 10, object: "a signature")
    }
    #expect(registry.requests.count == 1)
  }

  // MARK: Uploads

  private static let blob = Array("a blob to be published".utf8)
  private static let descriptor = Descriptor(mediaType: .layerTar, digest: .sha256(of: blob), size: Int64(blob.count))

  private func push(_ server: LoopbackServer) throws -> Bool {
    try Clients.client(insecure: server.host).push(Self.descriptor, to: Clients.reference(server.host), object: "the blob") {
      pulling(Self.blob, piece: 7)
    }
  }

  @Test func aBlobThatIsThereIsNotUploaded() throws {
    try serving({ $0.method == "HEAD" ? .ok([]) : .ok([], status: "500 No") }) { try #expect(!self.push($0)) }
  }

  @Test func anUploadThatBreaksOffBeginsAnew() throws {
    let sessions = Counter()
    try serving({ request in
      switch request.method {
      case "HEAD": return ScriptedRegistry.missing
      case "POST": return .ok([], headers: ["Location: /upload/\(sessions.next())?state=x"], status: "202 Accepted")
      default:
        let isWhole = request.body == Self.blob && request.path == "/upload/2?state=x&digest=sha256%3A\(Self.descriptor.digest.hex)"
        return isWhole ? .ok([], status: "201 Created") : .ok([], status: "503 Busy")
      }
    }) { server in
      try #expect(self.push(server))
      #expect(server.requests.count { $0.hasPrefix("POST") } == 2)
    }
  }

  @Test func anUploadElsewhereCarriesNoAuthorization() throws {
    try serving({ _ in .ok([], status: "201 Created") }) { storage in
      let location = storage.url("/put?signed=1")
      try withTemporaryFolder { folder in
        try serving({ request in
          guard request.headers["authorization"] != nil else { return .unauthorized("Basic realm=x") }
          return request.method == "HEAD" ? ScriptedRegistry.missing : .ok([], headers: ["Location: \(location)"], status: "202 Accepted")
        }) { server in
          let client = Clients.client(insecure: server.host, auth: try Clients.authFile(in: folder, server.host))
          let isNew = try client.push(Self.descriptor, to: Clients.reference(server.host), object: "the blob") { pulling(Self.blob) }
          #expect(isNew)
        }
      }
      #expect(storage.requests.count == 1)
      #expect(!storage.requests.contains { $0.lowercased().contains("authorization") })
    }
  }

  @Test(arguments: [[], ["Location: //other.test/x"], ["Location: ftp://x"], ["Location: relative"]])
  func anUploadToNowhere(_ headers: [String]) throws {
    try serving({ $0.method == "HEAD" ? ScriptedRegistry.missing : .ok([], headers: headers, status: "202 Accepted") }) { server in
      #expect(story { _ = try self.push(server) }?.exitCode == .verification)
    }
  }

  @Test func anUploadMayNotLeaveEncryption() throws {
    let client = Clients.client()
    #expect(throws: RegistryError.self) { try client.resolve(location: "http://r.test/upload", against: "https://r.test/v2/", object: "x") }
    try #expect(client.resolve(location: "/u?x", against: "https://r.test:5/v2/a", object: "x") == "https://r.test:5/u?x")
    try #expect(client.resolve(location: "https://s.test/u", against: "https://r.test/v2/", object: "x") == "https://s.test/u")
  }

  @Test func aManifestTheRegistryStoresAsAnotherIsNoticed() throws {
    let other = Digest.sha256(of: [1])
    try serving({ _ in .ok([], headers: ["Docker-Content-Digest: \(other)"], status: "201 Created") }) { server in
      let client = Clients.client(insecure: server.host)
      let error = story {
        try client.pushManifest(try ImageFixture.small().manifest(), mediaType: .imageManifest, to: Clients.reference(server.host))
      }
      #expect(error?.exitCode == .verification)
    }
  }

  @Test(arguments: ["POST", "PUT /upload", "PUT /v2"]) func whatIsPublishedFollowsNoRedirect(_ stage: String) throws {
    try serving({ _ in .ok([], status: "201 Created") }) { other in
      let target = other.url("/x")
      try serving({ request in
        if "\(request.method) \(request.path)".hasPrefix(stage) {
          return .ok([], headers: ["Location: \(target)"], status: "307 Elsewhere")
        }
        switch request.method {
        case "HEAD": return ScriptedRegistry.missing
        case "POST": return .ok([], headers: ["Location: /upload"], status: "202 Accepted")
        default: return .ok([], status: "201 Created")
        }
      }) { server in
        let error = story {
          _ = try self.push(server)
          try Clients.client(insecure: server.host).pushManifest(
            try ImageFixture.small().manifest(), mediaType: .imageManifest, to: Clients.reference(server.host))
        }
        #expect(error?.summaries.contains { $0.contains("redirects to '\(target)'") } == true, "\(String(describing: error))")
        #expect(other.requests.isEmpty)
      }
    }
  }

  // MARK: Images

  @Test(arguments: [
    #"{"schemaVersion":2,"manifests":[],"config":{},"layers":[]}"#, #"{"schemaVersion":2,"manifests":[]}"#, #"{"mediaType":"x/y"}"#,
    #"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","layers":[]}"#,
    #"{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:DIGEST","size":1}]}"#,
    #"{"schemaVersion":2,"config":{"mediaType":"application/x","digest":"sha256:DIGEST","size":1},"layers":[]}"#,
    #"{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:DIGEST","size":1},"#
      + #""layers":[{"mediaType":"application/x","digest":"sha256:DIGEST","size":1}]}"#,
  ]) func whatIsNoUsableImageIsRefused(_ text: String) throws {
    let bytes = Array(text.split(separator: "DIGEST").joined(separator: String(repeating: "0", count: 64)).utf8)
    try serving({ _ in .ok(bytes) }) { server in
      let client = Clients.client(insecure: server.host)
      #expect(story { _ = try client.resolveImage(Clients.reference(server.host)) }?.exitCode == .verification)
    }
  }

  @Test func anImageIsResolved() throws {
    let image = try ImageFixture.small()
    let registry = try ScriptedRegistry(image)
    defer { registry.stop() }
    let found = try Clients.client(insecure: registry.host).resolveImage(Clients.reference(registry.host))
    #expect(found.digest == .sha256(of: try image.manifest()))
  }

  // MARK: Encryption

  @Test func aRegistryWithoutTLSIsNamedAsSuch() throws {
    let registry = try ScriptedRegistry(.small())
    defer { registry.stop() }
    let error = story { _ = try Clients.client().manifest(Clients.reference(registry.host)) }
    #expect(error?.summaries.contains("'\(registry.host)' does not speak TLS") == true, "\(String(describing: error))")
    #expect(error?.hint?.contains("--insecure-registry \(registry.host)") == true)
    // One attempt: it will not speak TLS the next time.
    #expect(registry.requests.count == 1)
  }
}
