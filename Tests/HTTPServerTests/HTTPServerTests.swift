/// The server against clients that behave and clients that do not.
import EnvCore
import Glibc
import Testing

@testable import HTTPServer

@Suite struct HTTPServerTests {
  private func server(_ change: (inout HTTPServer.Limits) -> Void = { _ in }) throws -> HTTPServer {
    var limits = HTTPServer.Limits()
    change(&limits)
    return try HTTPServer(on: try ListenAddress(parsing: "127.0.0.1:0"), limits: limits) { path in
      path == "/metrics" ? HTTPServer.Page(contentType: "text/plain", body: Array("value 1\n".utf8)) : nil
    }
  }

  private func connect(to server: HTTPServer) throws -> CInt {
    let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    try #require(server.address.withSocketAddress { Glibc.connect(descriptor, $0, $1) } == 0)
    var patience = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    return descriptor
  }

  private func write(_ text: String, to descriptor: CInt) {
    let bytes = Array(text.utf8)
    _ = send(descriptor, bytes, bytes.count, CInt(MSG_NOSIGNAL))
  }

  /// Everything until the server closes.
  private func readAll(_ descriptor: CInt) -> String {
    var all: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while case let count = recv(descriptor, &buffer, buffer.count, 0), count > 0 { all += buffer.prefix(count) }
    close(descriptor)
    return String(decoding: all, as: UTF8.self)
  }

  private func ask(_ request: String, _ server: HTTPServer) throws -> String {
    let descriptor = try connect(to: server)
    write(request, to: descriptor)
    return readAll(descriptor)
  }

  @Test func pages() throws {
    let server = try server()
    defer { server.stop() }
    let answer = try ask("GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n", server)
    #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
    #expect(answer.hasSuffix("\r\n\r\nvalue 1\n"))
    #expect(answer.contains("\r\nContent-Length: 8\r\n"))
    let head = try ask("HEAD /metrics HTTP/1.0\n\n", server)
    #expect(head.contains("Content-Length: 8") && head.hasSuffix("\r\n\r\n"))
    #expect(try ask("GET /other HTTP/1.1\r\n\r\n", server).hasPrefix("HTTP/1.1 404 "))
    #expect(try ask("POST /metrics HTTP/1.1\r\n\r\n", server).hasPrefix("HTTP/1.1 405 "))
    #expect(try ask("\u{16}\u{3}\u{1} hello\r\n\r\n", server).hasPrefix("HTTP/1.1 400 "))
    #expect(try ask("GET http://elsewhere/ HTTP/1.1\r\n\r\n", server).hasPrefix("HTTP/1.1 400 "))
  }

  @Test("a request that never ends is cut off by its size") func size() throws {
    let server = try server { $0.head = 1000 }
    defer { server.stop() }
    let answer = try ask("GET /metrics HTTP/1.1\r\nX: " + String(repeating: "x", count: 1200), server)
    #expect(answer.hasPrefix("HTTP/1.1 431 "))
    #expect(try ask("GET /metrics HTTP/1.1\r\n\r\n", server).hasPrefix("HTTP/1.1 200 "))
  }

  @Test("clients that say nothing take neither the thread nor all places for long") func silence() throws {
    let server = try server {
      $0.time = .milliseconds(300)
      $0.connections = 2
    }
    defer { server.stop() }
    let silent = [try connect(to: server), try connect(to: server)]
    usleep(50_000)
    // A third one at once is turned away without an answer.
    #expect(try ask("GET /metrics HTTP/1.1\r\n\r\n", server).isEmpty)
    for descriptor in silent { #expect(readAll(descriptor).isEmpty) }
    #expect(try ask("GET /metrics HTTP/1.1\r\n\r\n", server).hasPrefix("HTTP/1.1 200 "))
  }

  @Test func stopsAtOnce() throws {
    let server = try server()
    let open = try connect(to: server)
    let start = ContinuousClock.now
    server.stop()
    server.stop()
    #expect(ContinuousClock.now - start < .seconds(3))
    #expect(readAll(open).isEmpty)
  }

  @Test func addresses() throws {
    #expect(try ListenAddress(parsing: "9100").description == "127.0.0.1:9100")
    #expect(try ListenAddress(parsing: "localhost:1").description == "127.0.0.1:1")
    #expect(try ListenAddress(parsing: "[::1]:8").description == "[::1]:8")
    for text in ["", "x", "host.example:1", "127.0.0.1:", "127.0.0.1:65536", "::1:8", "[::1]", "1.2.3:4"] {
      #expect(throws: HTTPServerError.invalidAddress(text)) { try ListenAddress(parsing: text) }
    }
    let server = try server()
    defer { server.stop() }
    do {
      _ = try HTTPServer(on: server.address) { _ in nil }
      Issue.record("two servers listen on one port")
    } catch {
      #expect(error.summary == "cannot listen on \(server.address): bind: Address already in use")
      #expect(error.exitCode == .host)
    }
  }
}
