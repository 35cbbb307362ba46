/// The loop of `HTTPServer`: all connections on one thread, none of them able to hold it up.
import EnvCore
import Glibc

struct ServerLoop {
  /// One client. It is read from until its head is complete, then written to, then closed.
  private struct Connection {
    let descriptor: CInt
    let end: ContinuousClock.Instant
    var head: [UInt8] = []
    var answer: ArraySlice<UInt8>?
    /// Whether the connection has done its work, or cannot.
    var isOver = false
  }

  let socket: CInt
  /// At its end when the server is to stop.
  let wake: CInt
  let limits: HTTPServer.Limits
  let page: @Sendable (_ path: String) -> HTTPServer.Page?
  private var connections: [Connection] = []
  private let clock = ContinuousClock()

  init(socket: CInt, wake: CInt, limits: HTTPServer.Limits, page: @escaping @Sendable (_ path: String) -> HTTPServer.Page?) {
    self.socket = socket
    self.wake = wake
    self.limits = limits
    self.page = page
  }

  /// Serves until the other end of `wake` is closed.
  mutating func run() {
    defer { for connection in connections { close(connection.descriptor) } }
    while true {
      var entries = [pollfd(fd: wake, events: Int16(POLLIN), revents: 0), pollfd(fd: socket, events: Int16(POLLIN), revents: 0)]
      entries += connections.map { pollfd(fd: $0.descriptor, events: Int16($0.answer == nil ? POLLIN : POLLOUT), revents: 0) }
      let count = poll(&entries, nfds_t(entries.count), timeLeft)
      guard count >= 0 || errno == EINTR else { return }
      if entries[0].revents != 0 { return }
      for index in connections.indices where entries[index + 2].revents != 0 { advance(&connections[index]) }
      let now = clock.now
      for connection in connections where connection.isOver || connection.end <= now { close(connection.descriptor) }
      connections.removeAll { $0.isOver || $0.end <= now }
      if entries[1].revents != 0 { accept() }
    }
  }

  /// Milliseconds until the first connection's time is over; -1 where there is none.
  private var timeLeft: CInt {
    guard let end = connections.map(\.end).min() else { return -1 }
    return CInt(clamping: max(0, Int64(((end - clock.now).seconds * 1000).rounded(.up))))
  }

  private mutating func accept() {
    let descriptor = Glibc.accept(socket, nil, nil)
    guard descriptor >= 0 else { return }
    guard connections.count < limits.connections else {
      close(descriptor)
      return
    }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    connections.append(Connection(descriptor: descriptor, end: clock.now + limits.time))
  }

  private func advance(_ connection: inout Connection) {
    if let rest = connection.answer { write(rest, to: &connection) } else { read(&connection) }
  }

  private func read(_ connection: inout Connection) {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = recv(connection.descriptor, &buffer, buffer.count, 0)
    guard count > 0 else {
      connection.isOver = count == 0 || (errno != EAGAIN && errno != EINTR)
      return
    }
    connection.head += buffer.prefix(count)
    if let length = Self.headLength(connection.head), length <= limits.head {
      connection.answer = answer(to: connection.head.prefix(length))[...]
    } else if connection.head.count > limits.head {
      connection.answer = Self.message("431 Request Header Fields Too Large", page: nil)[...]
    }
    if let rest = connection.answer { write(rest, to: &connection) }
  }

  private func write(_ rest: ArraySlice<UInt8>, to connection: inout Connection) {
    let count = rest.withUnsafeBytes { send(connection.descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
    guard count >= 0 else {
      connection.isOver = errno != EAGAIN && errno != EINTR
      return
    }
    connection.answer = rest.dropFirst(count)
    guard count == rest.count else { return }
    shutdown(connection.descriptor, CInt(SHUT_WR))
    connection.isOver = true
  }

  /// RFC 9112 §2.2: the head ends with an empty line; a lone LF is taken for a line's end.
  private static func headLength(_ bytes: [UInt8]) -> Int? {
    var lineLength = 1
    for (index, byte) in bytes.enumerated() {
      guard byte == 10 else {
        if byte != 13 { lineLength += 1 }
        continue
      }
      if lineLength == 0 { return index + 1 }
      lineLength = 0
    }
    return nil
  }

  private func answer(to head: ArraySlice<UInt8>) -> [UInt8] {
    let line = String(decoding: head.prefix { $0 != 13 && $0 != 10 }, as: UTF8.self).split(separator: " ", omittingEmptySubsequences: false)
    guard line.count == 3, line[2].hasPrefix("HTTP/1."), line[1].hasPrefix("/") else { return Self.message("400 Bad Request", page: nil) }
    guard line[0] == "GET" || line[0] == "HEAD" else { return Self.message("405 Method Not Allowed", ["Allow: GET, HEAD"], page: nil) }
    guard let page = page(String(line[1].prefix { $0 != "?" })) else { return Self.message("404 Not Found", page: nil) }
    return Self.message("200 OK", page: page, isHeadOnly: line[0] == "HEAD")
  }

  private static func message(
    _ status: String, _ fields: [String] = [], page: HTTPServer.Page?, isHeadOnly: Bool = false
  ) -> [UInt8] {
    let page = page ?? HTTPServer.Page(contentType: "text/plain; charset=utf-8", body: Array("\(status)\n".utf8))
    var lines = ["HTTP/1.1 \(status)", "Content-Type: \(page.contentType)", "Content-Length: \(page.body.count)", "Connection: close"]
    lines += ["Cache-Control: no-store", "X-Content-Type-Options: nosniff"] + fields
    return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + (isHeadOnly ? [] : page.body)
  }
}
