/// The client against a server that misbehaves in every way a network does.
import EnvCore
import Glibc
import LoopbackHTTP
import Testing

@testable import HTTP

@Suite struct HTTPClientTests {
  private static let body = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }

  private static func client(attempts: Int = 4) -> HTTPClient {
    var policy = HTTPPolicy()
    policy.attempts = attempts
    policy.firstDelay = .milliseconds(1)
    policy.longestDelay = .milliseconds(50)
    return HTTPClient(policy: policy)
  }

  private func serving(_ answers: [Answer], _ body: (LoopbackServer) throws -> Void) throws {
    let server = try LoopbackServer(answers)
    defer { server.stop() }
    try body(server)
  }

  @Test func deliversTheBodyAndItsHead() throws {
    try serving([.ok(Self.body, headers: ["Content-Type: text/plain; charset=x"])]) { server in
      let (response, body) = try Self.client().get(HTTPRequest(server.url(), headers: [("Accept", "a/b")]))
      #expect(body == Self.body)
      #expect(response.status == 200 && response.effectiveURL == server.url() && response.size == 100_000)
      #expect(response.contentType == "text/plain; charset=x")
      #expect(server.requests.first?.contains("Accept: a/b\r\n") == true)
    }
  }

  @Test func resumesByRangeWhereTheBodyWasCut() throws {
    let rest = Array(Self.body[40_000...])
    let answers: [Answer] = [
      .cut(Array(Self.body[..<40_000]), promised: 100_000, headers: ["ETag: \"v1\""]),
      .ok(rest, headers: ["ETag: \"v1\"", "Content-Range: bytes 40000-99999/100000"], status: "206 Partial Content"),
    ]
    try serving(answers) { server in
      try #expect(Self.client().get(HTTPRequest(server.url())).body == Self.body)
      #expect(server.requests.count == 2)
      #expect(server.requests.last?.contains("Range: bytes=40000-\r\n") == true)
      #expect(server.requests.last?.contains("If-Range: \"v1\"\r\n") == true)
    }
  }

  @Test func skipsWhatItHasWhenTheServerKnowsNoRanges() throws {
    try serving([.cut(Array(Self.body[..<7]), promised: 100_000), .ok(Self.body)]) { server in
      try #expect(Self.client().get(HTTPRequest(server.url())).body == Self.body)
    }
  }

  @Test func refusesARestThatBelongsToAnotherVersion() throws {
    let answers: [Answer] = [
      .cut(Array(Self.body[..<10]), promised: 100_000, headers: ["ETag: \"v1\""]), .ok(Self.body, headers: ["ETag: \"v2\""]),
    ]
    try serving(answers) { server in
      #expect(throws: HTTPError.changedDuringTransfer(request: "GET " + server.url())) { try Self.client().get(HTTPRequest(server.url())) }
    }
  }

  @Test func refusesARangeThatStartsElsewhere() throws {
    let answers: [Answer] = [
      .cut(Array(Self.body[..<10]), promised: 100_000),
      .ok(Array(Self.body[9...]), headers: ["Content-Range: bytes 9-99999/100000"], status: "206 Partial Content"),
    ]
    try serving(answers) { server in
      #expect(throws: HTTPError.changedDuringTransfer(request: "GET " + server.url())) { try Self.client().get(HTTPRequest(server.url())) }
    }
  }

  @Test func aShortBodyIsAnErrorOnceTheAttemptsAreUsedUp() throws {
    try serving([.cut([1, 2, 3], promised: 5)]) { server in
      let error = #expect(throws: HTTPError.self) { try Self.client(attempts: 3).get(HTTPRequest(server.url())) }
      guard case .transferFailed = error else { Issue.record("unexpected \(String(describing: error))"); return }
      #expect(server.requests.count == 3)
    }
  }

  @Test func aBodyWithoutLengthIsHeldToTheExpectedSize() throws {
    try serving([.bytes(Array((Answer.head("200 OK", []) + "abc").utf8))]) { server in
      #expect(throws: HTTPError.truncated(request: "GET " + server.url(), received: 3, expected: 10)) {
        try Self.client(attempts: 2).get(HTTPRequest(server.url(), expectedSize: 10))
      }
    }
  }

  @Test(arguments: ["503 Service Unavailable", "429 Too Many Requests", "500 Internal Server Error"])
  func triesAgainAfter(status: String) throws {
    try serving([.ok(Array("busy".utf8), headers: ["Retry-After: 0"], status: status), .ok(Self.body)]) { server in
      try #expect(Self.client().get(HTTPRequest(server.url())).body == Self.body)
      #expect(server.requests.count == 2)
    }
  }

  @Test func waitsAsLongAsTheServerAsks() throws {
    var policy = HTTPPolicy()
    policy.firstDelay = .milliseconds(1)
    let client = HTTPClient(policy: policy)
    try serving([.ok([], headers: ["Retry-After: 1"], status: "503 Service Unavailable"), .ok([7])]) { server in
      let start = ContinuousClock.now
      try #expect(client.get(HTTPRequest(server.url())).body == [7])
      #expect(ContinuousClock.now - start >= .milliseconds(990))
    }
  }

  @Test func doesNotRepeatWhatCannotSucceed() throws {
    try serving([.ok(Array("gone".utf8), status: "404 Not Found")]) { server in
      let error = #expect(throws: HTTPError.self) { try Self.client().get(HTTPRequest(server.url())) }
      guard case .status(_, 404, let answer) = error else { Issue.record("unexpected \(String(describing: error))"); return }
      #expect(answer.body == Array("gone".utf8))
      #expect(server.requests.count == 1)
    }
  }

  @Test func endsAnEndlessBodyAtTheLimit() throws {
    try serving([.endless(head: Answer.head("200 OK", []), chunk: [UInt8](repeating: 1, count: 1 << 16))]) { server in
      var received = 0
      #expect(throws: HTTPError.tooLarge(request: "GET " + server.url(), limit: 1_000_000)) {
        try Self.client().download(HTTPRequest(server.url(), sizeLimit: 1_000_000)) { received += $0.byteCount }
      }
      #expect(received <= 1_000_000)
      #expect(server.requests.count == 1)
    }
  }

  @Test func followsRedirectsAndSaysWhereTheyLed() throws {
    try serving([.ok([], headers: ["Location: /elsewhere"], status: "302 Found"), .ok([1, 2])]) { server in
      let (response, body) = try Self.client().get(HTTPRequest(server.url()))
      #expect(body == [1, 2])
      #expect(response.effectiveURL == server.url("/elsewhere"))
    }
  }

  @Test func anErrorOfTheReceiverEndsTheTransferAndComesOut() throws {
    struct Full: Error {}
    try serving([.ok(Self.body)]) { server in
      #expect(throws: Full.self) { try Self.client().download(HTTPRequest(server.url())) { _ in throw Full() } }
      #expect(server.requests.count == 1)
    }
  }

  @Test func namesTheURLAndHintsAtTheNetworkWhenNobodyListens() throws {
    let server = try LoopbackServer([.ok([])])
    server.stop()
    let url = "http://user:secret@127.0.0.1:\(server.port)/x"
    let error = #expect(throws: HTTPError.self) { try Self.client(attempts: 2).get(HTTPRequest(url)) }
    #expect(error?.summary.contains("http://***@127.0.0.1:\(server.port)/x") == true)
    #expect(error?.summary.contains("secret") == false)
    #expect(error?.hint?.contains("network") == true)
  }

  @Test(.timeLimit(.minutes(2))) func aServerThatSaysNothingIsGivenUp() throws {
    // The kernel accepts for a socket that listens; nobody ever answers.
    let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(socket) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isListening = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(socket, $0, length) == 0 && listen(socket, 4) == 0 && getsockname(socket, $0, &length) == 0
      }
    }
    try #require(isListening)
    var policy = HTTPPolicy()
    policy.attempts = 2
    policy.firstDelay = .milliseconds(1)
    policy.stallTimeout = .seconds(1)
    let url = "http://127.0.0.1:\(UInt16(bigEndian: address.sin_port))/x"
    let error = #expect(throws: HTTPError.self) { try HTTPClient(policy: policy).get(HTTPRequest(url)) }
    guard case .transferFailed = error else { Issue.record("unexpected \(String(describing: error))"); return }
  }

  @Test func readsAMirrorOnDisk() throws {
    try #expect(Self.client().get(HTTPRequest("file:///proc/self/cmdline")).body.isEmpty == false)
    let error = #expect(throws: HTTPError.self) { try Self.client().get(HTTPRequest("file:///no/such/file")) }
    guard case .transferFailed = error else { Issue.record("unexpected \(String(describing: error))"); return }
  }

  @Test func aRedirectMayNotLeadToAFile() throws {
    try serving([.ok([], headers: ["Location: file:///etc/passwd"], status: "302 Found")]) { server in
      #expect(throws: HTTPError.self) { try Self.client().get(HTTPRequest(server.url())) }
    }
  }

  @Test(arguments: [
    ("https://u:p@h/x?sig=1", "https://***@h/x?…"), ("https://h/x@y", "https://h/x@y"), ("file:///a", "file:///a"),
    ("nonsense", "nonsense"), ("https://a@b@h?q@z", "https://***@h?…"),
  ])
  func hidesCredentials(url: String, shown: String) { #expect(redacted(url: url) == shown) }
}
