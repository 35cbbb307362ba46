/// What is asked of a server and what is known of its answer. The body is not kept here: it streams past.

/// A GET request.
public struct HTTPRequest: Sendable {
  /// An `http`, `https` or `file` URL.
  public var url: String
  /// Header fields to send, such as `Accept`.
  public var headers: [(name: String, value: String)]
  /// The exact size the body must have, in bytes, where it is known.
  public var expectedSize: Int64?
  /// The most bytes of body that are accepted.
  public var sizeLimit: Int64

  /// A request for `url`. `sizeLimit` is in bytes; the expected size, where given, is the tighter limit.
  public init(_ url: String, headers: [(name: String, value: String)] = [], expectedSize: Int64? = nil, sizeLimit: Int64 = 1 << 40) {
    self.url = url
    self.headers = headers
    self.expectedSize = expectedSize
    self.sizeLimit = expectedSize.map { min($0, sizeLimit) } ?? sizeLimit
  }
}

/// The head of an answer whose body has been received in full.
public struct HTTPResponse: Sendable, Equatable {
  /// The status code, or 0 for a `file` URL.
  public var status: Int
  /// Where redirects led.
  public var effectiveURL: String
  /// The `Content-Type` field, parameters included.
  public var contentType: String?
  /// The number of body bytes handed over.
  public var size: Int64
}

/// How long a client waits and how often it tries.
public struct HTTPPolicy: Sendable {
  /// Attempts in all, the first one included.
  public var attempts = 6
  /// The wait before the second attempt; each further wait doubles, and a random half of it is taken off.
  public var firstDelay = Duration.milliseconds(500)
  /// The longest wait, also when the server asks for a longer one by `Retry-After`.
  public var longestDelay = Duration.seconds(60)
  public var connectTimeout = Duration.seconds(20)
  /// A transfer that stays below 1 byte a second for this long is given up and resumed.
  public var stallTimeout = Duration.seconds(30)

  public init() {}
}
