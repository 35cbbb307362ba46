/// Where a server listens: a numeric address and a port. Names are not looked up, so that nobody's resolver decides who may connect.
import EnvCore
import Glibc

/// An address of this machine.
public struct ListenAddress: Sendable, Hashable, CustomStringConvertible {
  /// Numeric: `127.0.0.1`, `::1`.
  public let host: String
  /// 0 lets the system choose one.
  public let port: UInt16

  /// Reads `PORT`, `HOST:PORT` or `[HOST]:PORT`; without a host it is 127.0.0.1.
  ///
  /// - Throws: `HTTPServerError.invalidAddress`.
  public init(parsing text: String) throws(HTTPServerError) {
    guard let colon = text.lastIndex(of: ":") else {
      guard let port = UInt16(text) else { throw .invalidAddress(text) }
      (host, self.port) = ("127.0.0.1", port)
      return
    }
    var name = text[..<colon]
    if name.hasPrefix("["), name.hasSuffix("]") {
      name = name.dropFirst().dropLast()
    } else if name.contains(":") {
      throw .invalidAddress(text)
    }
    guard let port = UInt16(text[text.index(after: colon)...]) else { throw .invalidAddress(text) }
    host = name == "localhost" ? "127.0.0.1" : String(name)
    self.port = port
    guard isIPv4 || isIPv6 else { throw .invalidAddress(text) }
  }

  init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }

  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

  var isIPv6: Bool {
    var address = in6_addr()
    return inet_pton(AF_INET6, host, &address) == 1
  }

  private var isIPv4: Bool {
    var address = in_addr()
    return inet_pton(AF_INET, host, &address) == 1
  }

  /// Calls `body` with the address as the socket calls take it.
  func withSocketAddress<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    // The structures begin alike (sockaddr(3type)), and live as long as the call.
    if isIPv6 {
      var address = sockaddr_in6()
      address.sin6_family = sa_family_t(AF_INET6)
      address.sin6_port = port.bigEndian
      inet_pton(AF_INET6, host, &address.sin6_addr)
      let length = socklen_t(MemoryLayout<sockaddr_in6>.size)
      return withUnsafePointer(to: &address) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) } }
    }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    inet_pton(AF_INET, host, &address.sin_addr)
    let length = socklen_t(MemoryLayout<sockaddr_in>.size)
    return withUnsafePointer(to: &address) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) } }
  }

  /// The port a bound socket has got.
  static func port(of socket: CInt) -> UInt16 {
    var address = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutablePointer(to: &address) { pointer in
      let status = pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket, $0, &length) }
      guard status == 0 else { return 0 }
      // The port stands at the same place in both families.
      return pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { UInt16(bigEndian: $0.pointee.sin_port) }
    }
  }
}
