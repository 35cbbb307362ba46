/// A server on the loopback interface that answers exactly as a test tells it to, byte for byte, errors included.
import EnvCore
import Glibc
import Synchronization

/// What a client asked for.
public struct Request: Sendable {
  public let method: String
  /// With the query.
  public let path: String
  /// Names in lowercase; the last field of a name counts.
  public let headers: [String: String]
  public let body: [UInt8]
  /// The number of requests before.
  public let index: Int

  fileprivate init(head: String, body: [UInt8], index: Int) {
    let lines = head.split(separator: "\r\n")
    let words = (lines.first ?? "").split(separator: " ")
    method = words.first.map(String.init) ?? ""
    path = words.count > 1 ? String(words[1]) : ""
    let fields = lines.dropFirst().compactMap { line in
      line.firstIndex(of: ":").map { (line[..<$0].lowercased(), String(line[line.index(after: $0)...].drop { $0 == " " })) }
    }
    headers = Dictionary(fields) { $1 }
    self.body = body
    self.index = index
  }
}

/// What the server does with one connection, after it has read the request.
public enum Answer: Sendable {
  /// Sends these bytes and closes.
  case bytes([UInt8])
  /// Sends the head, then the chunk over and over until the client goes away or 64 MiB are through.
  case endless(head: String, chunk: [UInt8])

  /// A complete answer with its length.
  public static func ok(_ body: [UInt8], headers: [String] = [], status: String = "200 OK") -> Answer {
    .bytes(Array(head(status, ["Content-Length: \(body.count)"] + headers).utf8) + body)
  }

  /// An answer that promises `promised` bytes and delivers fewer.
  public static func cut(_ body: [UInt8], promised: Int, headers: [String] = []) -> Answer {
    .bytes(Array(head("200 OK", ["Content-Length: \(promised)"] + headers).utf8) + body)
  }

  public static func head(_ status: String, _ headers: [String]) -> String {
    (["HTTP/1.1 \(status)", "Connection: close"] + headers).joined(separator: "\r\n") + "\r\n\r\n"
  }
}

/// Serves one answer a connection, several connections at once. It ends with its owner, and by itself after five minutes: pip on a busy machine takes its time.
public final class LoopbackServer: Sendable {
  /// Where it listens, on 127.0.0.1.
  public let port: UInt16
  private let socket: CInt
  private let answer: @Sendable (Request) -> Answer
  private let heads = Mutex<[String]>([])
  private let isStopped = Mutex(false)
  private let thread = Mutex<EnvCore.Thread?>(nil)

  /// Answers in this order, whatever is asked; the last one again and again.
  public convenience init(_ answers: [Answer]) throws {
    try self.init { _, index in answers[min(index, answers.count - 1)] }
  }

  /// Answers by the path that is asked for and the number of requests before.
  public convenience init(_ answer: @escaping @Sendable (_ path: String, _ index: Int) -> Answer) throws {
    try self.init(answering: { answer($0.path, $0.index) })
  }

  /// Answers by the whole request. Called on several threads.
  public init(answering answer: @escaping @Sendable (Request) -> Answer) throws {
    self.answer = answer
    socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let listening = Self.with(&address) { [socket] in bind(socket, $0, length) == 0 && listen(socket, 64) == 0 }
    let isNamed = Self.with(&address) { [socket] in getsockname(socket, $0, &length) == 0 }
    guard listening, isNamed else { throw Failure.cannotListen(errno) }
    port = UInt16(bigEndian: address.sin_port)
    thread.withLock { $0 = EnvCore.Thread { [self] in serve() } }
  }

  /// The server could not start.
  public enum Failure: Error { case cannotListen(Int32) }

  /// A URL of this server.
  public func url(_ path: String = "/file") -> String { "http://127.0.0.1:\(port)\(path)" }

  /// The heads of all requests so far.
  public var requests: [String] { heads.withLock { $0 } }

  /// Ends the server and waits for its thread.
  public func stop() {
    isStopped.withLock { $0 = true }
    thread.withLock { thread in
      thread?.join()
      thread = nil
    }
    close(socket)
  }

  private static func with<Result>(_ address: inout sockaddr_in, _ body: (UnsafeMutablePointer<sockaddr>) -> Result) -> Result {
    withUnsafeMutablePointer(to: &address) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1, body) }
  }

  private func serve() {
    var connections: [EnvCore.Thread] = []
    let end = ContinuousClock.now + .seconds(300)
    while ContinuousClock.now < end, !isStopped.withLock({ $0 }) {
      var waiting = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
      guard poll(&waiting, 1, 50) > 0 else { continue }
      let connection = accept(socket, nil, nil)
      guard connection >= 0 else { continue }
      connections.append(EnvCore.Thread { [self] in serve(connection) })
    }
    for connection in connections { connection.join() }
  }

  private func serve(_ connection: CInt) {
    // A client that says nothing must not keep the server from ending.
    var patience = timeval(tv_sec: 10, tv_usec: 0)
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    let head = Self.readHead(connection)
    let index = heads.withLock {
      $0.append(head)
      return $0.count - 1
    }
    let length = Request(head: head, body: [], index: index).headers["content-length"].flatMap { Int($0) } ?? 0
    let body = Self.readBody(connection, length: min(length, 64 << 20))
    send(answer(Request(head: head, body: body, index: index)), on: connection)
    close(connection)
  }

  private static func readHead(_ connection: CInt) -> String {
    var head: [UInt8] = []
    var byte: UInt8 = 0
    // A client that speaks TLS begins with 22 and never comes to the end of a head.
    while !head.suffix(4).elementsEqual("\r\n\r\n".utf8), head.first != 22, recv(connection, &byte, 1, 0) == 1 { head.append(byte) }
    return String(decoding: head, as: UTF8.self)
  }

  private static func readBody(_ connection: CInt, length: Int) -> [UInt8] {
    var body = [UInt8](repeating: 0, count: length)
    var count = 0
    while count < length {
      let received = body.withUnsafeMutableBytes { recv(connection, $0.baseAddress?.advanced(by: count), length - count, 0) }
      guard received > 0 else { break }
      count += received
    }
    return Array(body.prefix(count))
  }

  private func send(_ answer: Answer, on connection: CInt) {
    switch answer {
    case .bytes(let bytes): _ = Self.sendAll(bytes, on: connection)
    case .endless(let head, let chunk):
      var isOpen = Self.sendAll(Array(head.utf8), on: connection)
      var sent = 0
      while isOpen, sent < 64 << 20 {
        isOpen = Self.sendAll(chunk, on: connection)
        sent += chunk.count
      }
    }
  }

  private static func sendAll(_ bytes: [UInt8], on connection: CInt) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      guard count > 0 else { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }
}
