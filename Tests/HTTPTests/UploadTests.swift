/// What the client sends: methods, bodies, and authorization that changes on the way.
import EnvCore
import LoopbackHTTP
import Synchronization
import Testing

@testable import HTTP

@Suite struct UploadTests {
  private static let body = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }

  private static func client(attempts: Int = 4) -> HTTPClient {
    var policy = HTTPPolicy()
    policy.attempts = attempts
    policy.firstDelay = .milliseconds(1)
    policy.longestDelay = .milliseconds(50)
    return HTTPClient(policy: policy)
  }

  private func serving(_ answer: @escaping @Sendable (Request) -> Answer, _ body: (LoopbackServer) throws -> Void) throws {
    let server = try LoopbackServer(answering: answer)
    defer { server.stop() }
    try body(server)
  }

  /// A body that comes in small pieces, anew for every opening.
  private static let stream = HTTPBody.stream(size: Int64(body.count)) {
    var offset = 0
    return { span in
      let piece = body[offset..<min(body.count, offset + min(span.byteCount, 1000))]
      span.withUnsafeMutableBytes { $0.copyBytes(from: piece) }
      offset += piece.count
      return piece.count
    }
  }

  @Test(arguments: [HTTPMethod.post, .put, .patch, .delete]) func sendsTheMethodAndTheBody(_ method: HTTPMethod) throws {
    for body in [HTTPBody.bytes(Self.body), Self.stream, .bytes([])] {
      try serving({ request in .ok([], headers: ["X-Echo: \(request.method) \(Digest.sum(request.body))"], status: "201 Created") }) {
        server in
        let response = try Self.client().download(HTTPRequest(server.url(), method: method, body: body)) { _ in }
        #expect(response.headers["x-echo"] == "\(method.rawValue) \(Digest.sum(body.size == 0 ? [] : Self.body))")
        #expect(server.requests.allSatisfy { $0.contains("Content-Length: \(body.size)\r\n") && !$0.contains("Expect:") })
      }
    }
  }

  @Test func aMethodWithoutABodySaysSo() throws {
    try serving({ .ok(Array($0.method.utf8)) }) { server in
      try #expect(Self.client().get(HTTPRequest(server.url(), method: .post)).body == Array("POST".utf8))
      #expect(server.requests.first?.contains("Content-Length: 0\r\n") == true)
    }
    try serving({ _ in .bytes(Array((Answer.head("200 OK", ["Content-Length: 1000", "X-A: b"])).utf8)) }) { server in
      let (response, body) = try Self.client().get(HTTPRequest(server.url(), method: .head))
      #expect(body.isEmpty && response.headers["x-a"] == "b")
      #expect(server.requests.first?.hasPrefix("HEAD ") == true)
    }
  }

  @Test func aBodyHeldInMemoryIsSentAgainAndAStreamIsNot() throws {
    for (body, count) in [(HTTPBody.bytes(Self.body), 3), (Self.stream, 1)] {
      try serving({ _ in .ok([], status: "503 Busy") }) { server in
        #expect(throws: HTTPError.self) { try Self.client(attempts: 3).get(HTTPRequest(server.url(), method: .put, body: body)) }
        #expect(server.requests.count == count)
      }
    }
  }

  @Test func aRedirectedUploadBeginsAnew() throws {
    try serving({ request in
      request.path == "/file"
        ? .ok([], headers: ["Location: /elsewhere"], status: "307 Temporary Redirect") : .ok(Array(Digest.sum(request.body).utf8))
    }) { server in
      let body = try Self.client().get(HTTPRequest(server.url(), method: .put, body: Self.stream)).body
      #expect(body == Array(Digest.sum(Self.body).utf8))
    }
  }

  @Test(arguments: [301, 302, 303, 307, 308]) func aRequestThatMayNotBeRedirectedIsNot(_ status: Int) throws {
    try serving({ _ in .ok([]) }) { other in
      let target = other.url("/x?token=1")
      try serving({ _ in .ok([], headers: ["Location: \(target)"], status: "\(status) Elsewhere") }) { server in
        var request = HTTPRequest(server.url(), method: .post, body: .bytes(Self.body))
        request.followsRedirects = false
        let error = #expect(throws: HTTPError.self) { try Self.client().get(request) }
        #expect(error?.summary.contains("127.0.0.1:\(other.port)/x?…'") == true, "\(String(describing: error))")
        #expect(server.requests.count == 1)
        #expect(other.requests.isEmpty)
      }
    }
  }

  @Test func anErrorOfTheReaderComesOut() throws {
    struct Unreadable: Error {}
    try serving({ _ in .ok([]) }) { server in
      let body = HTTPBody.stream(size: 10) { { _ in throw Unreadable() } }
      #expect(throws: Unreadable.self) { try Self.client().get(HTTPRequest(server.url(), method: .put, body: body)) }
    }
  }

  // MARK: Ends of bodies

  @Test func aWholeAnswerThatIsTooShortIsNotAskedForAgain() throws {
    try serving({ _ in .ok([1, 2, 3]) }) { server in
      #expect(throws: HTTPError.truncated(request: "GET " + server.url(), received: 3, expected: 10)) {
        try Self.client().get(HTTPRequest(server.url(), expectedSize: 10))
      }
      #expect(server.requests.count == 1)
    }
  }

  @Test func aServerThatHasNoMoreSaysHowMuchThereWas() throws {
    try serving({ request in
      request.headers["range"] == nil ? .cut([1, 2, 3], promised: 10) : .ok([], status: "416 Range Not Satisfiable")
    }) { server in
      #expect(throws: HTTPError.truncated(request: "GET " + server.url(), received: 3, expected: 10)) {
        try Self.client().get(HTTPRequest(server.url(), expectedSize: 10))
      }
    }
  }

  // MARK: Authorization

  private final class Keys: HTTPAuthorizer {
    private let refusals = Mutex(0)
    func authorization() throws -> String? { nil }
    func authorization(after refusal: ErrorAnswer) throws -> String? {
      refusals.withLock {
        $0 += 1
        return "Key \($0)"
      }
    }
  }

  @Test func aNewAuthorizationIsAskedForOnceForEachStepForward() throws {
    try serving({ $0.headers["authorization"] == "Key 1" ? .ok([7]) : .ok([], status: "401 Unauthorized") }) { server in
      let request = HTTPRequest(server.url(), method: .put, body: .bytes([1]), authorizer: Keys())
      try #expect(Self.client().get(request).body == [7])
    }
    try serving({ _ in .ok([], status: "401 Unauthorized") }) { server in
      #expect(throws: HTTPError.self) { try Self.client().get(HTTPRequest(server.url(), authorizer: Keys())) }
      #expect(server.requests.count == 2)
    }
  }
}

/// A short name for a body.
private enum Digest {
  static func sum(_ bytes: [UInt8]) -> String { "\(bytes.count) \(bytes.reduce(UInt32(0)) { $0 &* 31 &+ UInt32($1) })" }
}
