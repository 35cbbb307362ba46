/// A server on the loopback interface that answers exactly as a test tells it to, byte for byte, errors included.
import EnvCore
import Glibc
import Synchronization

/// What the server does with one connection, after it has read the head of the request.
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

/// Serves one answer a connection. It ends with its owner, and by itself after five minutes: pip on a busy machine takes its time.
public final class LoopbackServer: Sendable {
  /// Where it listens, on 127.0.0.1.
  public let port: UInt16
  private let socket: CInt
  private let answer: @Sendable (_ path: String, _ index: Int) -> Answer
  private let heads = Mutex<[String]>([])
  private let isStopped = Mutex(false)
  private let thread = Mutex<EnvCore.Thread?>(nil)

  /// Answers in this order, whatever is asked; the last one again and again.
  public convenience init(_ answers: [Answer]) throws {
    try self.init { _, index in answers[min(index, answers.count - 1)] }
  }

  /// Answers by the path that is asked for and the number of requests before.
  public init(_ answer: @escaping @Sendable (_ path: String, _ index: Int) -> Answer) throws {
    self.answer = answer
    socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let listening = Self.with(&address) { [socket] in bind(socket, $0, length) == 0 && listen(socket, 16) == 0 }
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
    var served = 0
    let end = ContinuousClock.now + .seconds(300)
    while ContinuousClock.now < end, !isStopped.withLock({ $0 }) {
      var waiting = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
      guard poll(&waiting, 1, 50) > 0 else { continue }
      let connection = accept(socket, nil, nil)
      guard connection >= 0 else { continue }
      let head = Self.readHead(connection)
      heads.withLock { $0.append(head) }
      let words = head.split(separator: " ", maxSplits: 2)
      send(answer(words.count > 1 ? String(words[1]) : "", served), on: connection)
      served += 1
      close(connection)
    }
  }

  private static func readHead(_ connection: CInt) -> String {
    var head: [UInt8] = []
    var byte: UInt8 = 0
    while !head.suffix(4).elementsEqual("\r\n\r\n".utf8), recv(connection, &byte, 1, 0) == 1 { head.append(byte) }
    return String(decoding: head, as: UTF8.self)
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
