/// A small HTTP/1.1 server for pages that are read by machines: GET and HEAD, no bodies, one request a connection (RFC 9112). What a client
/// can cost is bounded: bytes, time, number. It knows no TLS and belongs on the loopback interface or behind something that does.
import EnvCore
import Glibc
import Synchronization

/// A server on a thread of its own.
public final class HTTPServer: Sendable {
  /// What is sent back.
  public struct Page: Sendable {
    public var contentType: String
    public var body: [UInt8]

    public init(contentType: String, body: [UInt8]) {
      self.contentType = contentType
      self.body = body
    }
  }

  /// What one client and all together may take.
  public struct Limits: Sendable {
    /// Bytes of a request's head.
    public var head = 8 << 10
    /// From the connection to its end.
    public var time = Duration.seconds(5)
    /// Connections at once; one more is closed at once.
    public var connections = 16
    public init() {}
  }

  /// Where it listens, with the port it has got.
  public let address: ListenAddress
  private let socket: CInt
  private let wake: (reading: CInt, writing: CInt)
  private let thread = Mutex<EnvCore.Thread?>(nil)

  /// Listens and serves from now on.
  ///
  /// - Parameter page: What a path leads to; nil is "404 Not Found". Called on the server's thread.
  public init(
    on address: ListenAddress, limits: Limits = Limits(), page: @escaping @Sendable (_ path: String) -> Page?
  ) throws(HTTPServerError) {
    func refused(_ call: String) -> HTTPServerError { .cannotListen(address, call: call, reason: String(cString: strerror(errno))) }
    let socket = Glibc.socket(address.isIPv6 ? AF_INET6 : AF_INET, CInt(SOCK_STREAM.rawValue) | Self.closeOnExec | Self.nonBlocking, 0)
    guard socket >= 0 else { throw refused("socket") }
    var yes: CInt = 1
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<CInt>.size))
    var ends: [CInt] = [-1, -1]
    var failure: HTTPServerError?
    if address.withSocketAddress({ bind(socket, $0, $1) }) != 0 {
      failure = refused("bind")
    } else if listen(socket, 16) != 0 {
      failure = refused("listen")
    } else if pipe(&ends) != 0 {
      failure = refused("pipe")
    }
    if let failure {
      close(socket)
      throw failure
    }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    self.socket = socket
    wake = (ends[0], ends[1])
    self.address = ListenAddress(host: address.host, port: ListenAddress.port(of: socket))
    let reading = ends[0]
    thread.withLock {
      $0 = EnvCore.Thread {
        var loop = ServerLoop(socket: socket, wake: reading, limits: limits, page: page)
        loop.run()
      }
    }
  }

  private static let closeOnExec = CInt(SOCK_CLOEXEC.rawValue)
  private static let nonBlocking = CInt(SOCK_NONBLOCK.rawValue)

  /// Ends the server; connections that are open are closed.
  public func stop() {
    thread.withLock { thread in
      guard let running = thread else { return }
      close(wake.writing)
      running.join()
      close(wake.reading)
      close(socket)
      thread = nil
    }
  }

  deinit { stop() }
}
