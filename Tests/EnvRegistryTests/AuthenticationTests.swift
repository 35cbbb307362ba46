/// The dance of challenge and token, with servers that dance badly.
import EnvCore
import HTTP
import LoopbackHTTP
import OCI
import RegistryHarness
import SystemPackage
import TestSupport
import Testing

@testable import EnvRegistry

@Suite struct AuthenticationTests {
  /// A registry that gives content for the tokens `accepts` says yes to, and is its own token server, which numbers its tokens.
  private static func bearer(
    _ image: ImageFixture, accepts: @escaping @Sendable (_ token: String, Request) -> Bool,
    token: @escaping @Sendable (Int) -> String = { "t\($0)" },
    realm: @escaping @Sendable (_ host: String) -> String = { "http://\($0)/token" }
  ) throws -> ScriptedRegistry {
    let issued = Counter()
    return try ScriptedRegistry(image) { request in
      if request.path.hasPrefix("/token") { return .ok(Array(#"{"token":"\#(token(issued.next()))"}"#.utf8)) }
      let given = request.headers["authorization"] ?? ""
      if given.hasPrefix("Bearer "), accepts(String(given.dropFirst(7)), request) { return nil }
      return .unauthorized(#"Bearer realm="\#(realm(request.headers["host"] ?? ""))",service="s",scope="""#)
    }
  }

  @Test func aTokenIsFetchedOnceAndKept() throws {
    let image = try ImageFixture.small()
    let registry = try Self.bearer(image) { token, _ in token == "t1" }
    defer { registry.stop() }
    let client = Clients.client(insecure: registry.host)
    let reference = Clients.reference(registry.host)
    try #expect(client.manifest(reference).digest == image.digest())
    try #expect(client.blob(image.layers[0].descriptor, in: reference) == image.layers[0].blob)
    #expect(registry.requests.count { $0.hasPrefix("GET /token") } == 1)
    #expect(registry.requests.first { $0.hasPrefix("GET /token") }?.contains("service=s&scope=repository%3Ateam%2Fmodel%3Apull ") == true)
  }

  @Test func passwordGoesToTheTokenServerAlone() throws {
    try withTemporaryFolder { folder in
      let registry = try Self.bearer(.small()) { token, _ in token == "t1" }
      defer { registry.stop() }
      let client = Clients.client(insecure: registry.host, auth: try Clients.authFile(in: folder, registry.host))
      _ = try client.manifest(Clients.reference(registry.host))
      for request in registry.requests {
        #expect(request.contains("Authorization: Basic YWRhOnNlY3JldA==") == request.hasPrefix("GET /token"))
      }
    }
  }

  @Test func anIdentityTokenIsExchanged() throws {
    try withTemporaryFolder { folder in
      let registry = try ScriptedRegistry(.small()) { request in
        if request.path == "/token" {
          let body = String(decoding: request.body, as: UTF8.self)
          let isRight = request.method == "POST" && body.contains("grant_type=refresh_token") && body.contains("refresh_token=id%2Fentity")
          return isRight ? .ok(Array(#"{"access_token":"t"}"#.utf8)) : .ok([], status: "400 Bad Request")
        }
        return request.headers["authorization"] == "Bearer t"
          ? nil : .unauthorized(#"Bearer realm="http://\#(request.headers["host"] ?? "")/token""#)
      }
      defer { registry.stop() }
      let auth = try Clients.authFile(in: folder, registry.host, token: "id/entity")
      _ = try Clients.client(insecure: registry.host, auth: auth).manifest(Clients.reference(registry.host))
    }
  }

  @Test(arguments: ["307 Temporary Redirect", "308 Permanent Redirect", "302 Found"])
  func anIdentityTokenGoesToNoOtherHost(_ status: String) throws {
    try withTemporaryFolder { folder in
      try serving({ _ in .ok(Array(#"{"access_token":"t"}"#.utf8)) }) { thief in
        let target = thief.url("/token")
        let registry = try ScriptedRegistry(.small()) { request in
          request.path == "/token"
            ? .ok([], headers: ["Location: \(target)"], status: status)
            : .unauthorized(#"Bearer realm="http://\#(request.headers["host"] ?? "")/token""#)
        }
        defer { registry.stop() }
        let client = Clients.client(insecure: registry.host, auth: try Clients.authFile(in: folder, registry.host, token: "id/entity"))
        let error = story { _ = try client.manifest(Clients.reference(registry.host)) }
        #expect(error?.summaries.contains { $0.contains("redirects to '\(target)'") } == true, "\(String(describing: error))")
        #expect(thief.requests.isEmpty)
      }
    }
  }

  @Test func aTokenThatExpiresInTheMiddleOfABlobIsRenewed() throws {
    let image = ImageFixture([ImageFixture.Layer(tar: (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 131) })])
    let blob = image.layers[0].blob
    let registry = try ScriptedRegistry(image) { request in
      if request.path.hasPrefix("/token") {
        return .ok(Array(#"{"token":"\#(request.index > 2 ? "second" : "first")"}"#.utf8))
      }
      guard request.path.contains("/blobs/") else { return nil }
      let challenge = Answer.unauthorized(#"Bearer realm="http://\#(request.headers["host"] ?? "")/token""#)
      // The first token is good for the first half, and the connection breaks there.
      switch (request.headers["authorization"], request.headers["range"]) {
      case ("Bearer first", nil): return .cut(Array(blob[..<100_000]), promised: blob.count)
      case ("Bearer second", let range): return ScriptedRegistry.blob(blob, range: range)
      default: return challenge
      }
    }
    defer { registry.stop() }
    let client = Clients.client(insecure: registry.host)
    try #expect(client.blob(image.layers[0].descriptor, in: Clients.reference(registry.host)) == blob)
    #expect(registry.requests.last?.contains("Range: bytes=100000-") == true)
    #expect(registry.requests.last?.contains("Authorization: Bearer second") == true)
  }

  @Test(arguments: ["Bearer realm=\"http://HOST/token\"", "Basic realm=\"x\""])
  func aRegistryThatIsNeverContentIsLeft(_ challenge: String) throws {
    try withTemporaryFolder { folder in
      let registry = try ScriptedRegistry(.small()) { request in
        if request.path.hasPrefix("/token") { return .ok(Array(#"{"token":"t\#(request.index)"}"#.utf8)) }
        return .unauthorized(challenge.replacing("HOST", with: request.headers["host"] ?? ""))
      }
      defer { registry.stop() }
      let client = Clients.client(insecure: registry.host, auth: try Clients.authFile(in: folder, registry.host))
      let error = #expect(throws: RegistryError.self) { try client.manifest(Clients.reference(registry.host)) }
      guard case .unauthorized(_, registry.host, hasCredentials: true, _) = error else {
        Issue.record("unexpected \(String(describing: error))"); return
      }
      #expect(registry.requests.count <= 4)
      #expect(error?.summary.contains("secret") == false)
    }
  }

  @Test func aRefusalAfterSuccessIsAnsweredOnce() throws {
    // Each token is good for one request.
    let used = Counter()
    let registry = try Self.bearer(.small()) { token, _ in
      used.first(token)
    }
    defer { registry.stop() }
    let client = Clients.client(insecure: registry.host)
    for _ in 0..<3 { _ = try client.manifest(Clients.reference(registry.host)) }
    #expect(registry.requests.count { $0.hasPrefix("GET /token") } == 3)
  }

  @Test(arguments: [#"x\r\nX-Injected: 1"#, "", "a b", #"é"#]) func aTokenThatIsNoneIsRefused(_ token: String) throws {
    let registry = try Self.bearer(.small(), accepts: { _, _ in true }, token: { _ in token })
    defer { registry.stop() }
    let error = story { _ = try Clients.client(insecure: registry.host).manifest(Clients.reference(registry.host)) }
    #expect(error?.exitCode == .verification)
    #expect(error?.summaries.joined().contains("no usable token") == true)
    #expect(!registry.requests.contains { $0.contains("X-Injected") })
  }

  @Test func aRealmThatIsNoURLIsRefused() throws {
    for realm in ["", "file:///etc/passwd", "ftp://x", "//x"] {
      let registry = try Self.bearer(.small(), accepts: { _, _ in true }, realm: { _ in realm })
      defer { registry.stop() }
      let error = story { _ = try Clients.client(insecure: registry.host).manifest(Clients.reference(registry.host)) }
      #expect(error?.summaries.joined().contains("names no realm") == true, "\(realm): \(String(describing: error))")
    }
  }

  @Test func aRedirectToAnotherHostCarriesNoAuthorization() throws {
    try withTemporaryFolder { folder in
      let image = try ImageFixture.small()
      let blob = image.layers[0].blob
      try serving({ _ in .ok(blob) }) { storage in
        let target = storage.url("/blob?signed=1")
        let registry = try ScriptedRegistry(image) { request in
          guard request.headers["authorization"] == "Basic YWRhOnNlY3JldA==" else { return .unauthorized("Basic realm=x") }
          return request.path.contains("/blobs/") ? .ok([], headers: ["Location: \(target)"], status: "307 Temporary Redirect") : nil
        }
        defer { registry.stop() }
        let client = Clients.client(insecure: registry.host, auth: try Clients.authFile(in: folder, registry.host))
        try #expect(client.blob(image.layers[0].descriptor, in: Clients.reference(registry.host)) == blob)
        #expect(storage.requests.count == 1)
        #expect(!storage.requests.contains { $0.lowercased().contains("authorization") || $0.contains("YWRhOnNlY3JldA") })
      }
    }
  }

  @Test func anotherHostThatWantsCredentialsGetsNone() throws {
    try withTemporaryFolder { folder in
      let image = try ImageFixture.small()
      try serving({ _ in .unauthorized("Basic realm=storage") }) { storage in
        let target = storage.url("/blob")
        let registry = try ScriptedRegistry(image) { request in
          request.path.contains("/blobs/") ? .ok([], headers: ["Location: \(target)"], status: "302 Found") : nil
        }
        defer { registry.stop() }
        let client = Clients.client(insecure: registry.host, auth: try Clients.authFile(in: folder, registry.host))
        #expect(throws: RegistryError.self) { try client.blob(image.layers[0].descriptor, in: Clients.reference(registry.host)) }
        #expect(!storage.requests.contains { $0.lowercased().contains("authorization") })
      }
    }
  }

  @Test func aTokenServerThatFailsIsNamed() throws {
    for (status, code) in [("500 Internal Server Error", ExitCode.failed), ("403 Forbidden", .failed)] {
      let registry = try ScriptedRegistry(.small()) { request in
        if request.path.hasPrefix("/token") { return .ok(Array(#"{"details":"closed on Sundays"}"#.utf8), status: status) }
        return .unauthorized(#"Bearer realm="http://\#(request.headers["host"] ?? "")/token""#)
      }
      defer { registry.stop() }
      let error = story { _ = try Clients.client(insecure: registry.host).manifest(Clients.reference(registry.host)) }
      #expect(error?.exitCode == code)
      #expect(error?.summaries.joined().contains("\(registry.name)") == true)
    }
  }
}
