/// What is asked of a server and what is known of its answer. Large bodies are not kept here: they stream past.

/// The methods envctl uses (RFC 9110, section 9.3; PATCH is RFC 5789).
public enum HTTPMethod: String, Sendable {
  case get = "GET"
  case head = "HEAD"
  case post = "POST"
  case put = "PUT"
  case patch = "PATCH"
  case delete = "DELETE"
}

/// The body of a request.
public enum HTTPBody: Sendable {
  case bytes([UInt8])
  /// `size` bytes from a reader that `open` makes anew for every attempt. The reader fills the span from its start and returns how many
  /// bytes it put there.
  case stream(size: Int64, open: @Sendable () throws -> (inout MutableRawSpan) throws -> Int)

  var size: Int64 {
    switch self {
    case .bytes(let bytes): Int64(bytes.count)
    case .stream(let size, _): size
    }
  }
}

/// Whom a server's certificate must come from, and who we are to it, beyond what the system trusts.
public struct TLSIdentity: Sendable, Hashable {
  /// Further authorities: certificates in PEM, one after the other.
  public var authorities: [UInt8]?
  /// PEM files of the client's own certificate and key.
  public var certificate: String?
  public var key: String?

  public init(authorities: [UInt8]? = nil, certificate: String? = nil, key: String? = nil) {
    self.authorities = authorities
    self.certificate = certificate
    self.key = key
  }
}

/// Knows the `Authorization` a server wants. Asked before every attempt, and once more when the server refuses with 401.
public protocol HTTPAuthorizer: Sendable {
  /// The field's value, or nil for none.
  func authorization() throws -> String?
  /// A new value after this refusal, or nil when there is no other.
  func authorization(after refusal: ErrorAnswer) throws -> String?
}

/// One request.
public struct HTTPRequest: Sendable {
  public var method: HTTPMethod
  /// An `http`, `https` or `file` URL.
  public var url: String
  /// Header fields to send, such as `Accept`. `Authorization` is not sent on to another host when a redirect leads there.
  public var headers: [(name: String, value: String)]
  public var body: HTTPBody?
  public var authorizer: (any HTTPAuthorizer)?
  public var tls: TLSIdentity?
  /// Whether the request may be sent on to where a redirect leads. Otherwise a redirect is `HTTPError.redirected`.
  public var followsRedirects = true
  /// The exact size the answer's body must have, in bytes, where it is known.
  public var expectedSize: Int64?
  /// The most bytes of body that are accepted.
  public var sizeLimit: Int64

  /// A request for `url`. `sizeLimit` is in bytes; the expected size, where given, is the tighter limit.
  public init(
    _ url: String, method: HTTPMethod = .get, headers: [(name: String, value: String)] = [], body: HTTPBody? = nil,
    authorizer: (any HTTPAuthorizer)? = nil, tls: TLSIdentity? = nil, expectedSize: Int64? = nil, sizeLimit: Int64 = 1 << 40
  ) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
    self.authorizer = authorizer
    self.tls = tls
    self.expectedSize = expectedSize
    self.sizeLimit = expectedSize.map { min($0, sizeLimit) } ?? sizeLimit
  }

  /// Whether the client may send it again by itself. A streamed body may have been taken in part; its sender knows where to go on.
  var isRepeatable: Bool {
    if case .stream = body { false } else { true }
  }

  /// Method and URL, fit for a message or a log.
  public var summary: String { "\(method.rawValue) \(redacted(url: url))" }
}

/// The header fields of an answer.
public struct HTTPHeaders: Sendable, Equatable {
  /// In the order they came, names in lowercase.
  public private(set) var fields: [Field] = []

  public struct Field: Sendable, Equatable {
    public let name: String
    public let value: String
  }

  public init(_ fields: [(name: String, value: String)] = []) {
    self.fields = fields.map { Field(name: $0.name.lowercased(), value: $0.value) }
  }

  /// The first field of this name, which is to be lowercase.
  public subscript(name: String) -> String? { fields.first { $0.name == name }?.value }

  /// All fields of this name, which is to be lowercase.
  public func all(_ name: String) -> [String] { fields.filter { $0.name == name }.map(\.value) }

  mutating func add(_ name: some StringProtocol, _ value: some StringProtocol) {
    // A server that sends fields without end fills no memory.
    guard fields.count < 256 else { return }
    fields.append(Field(name: name.lowercased(), value: String(value.prefix(16 << 10))))
  }
}

/// The head of an answer whose body has been received in full.
public struct HTTPResponse: Sendable, Equatable {
  /// The status code, or 0 for a `file` URL.
  public var status: Int
  /// Where redirects led.
  public var effectiveURL: String
  public var headers: HTTPHeaders
  /// The number of body bytes handed over.
  public var size: Int64

  public init(status: Int, effectiveURL: String, headers: HTTPHeaders, size: Int64) {
    self.status = status
    self.effectiveURL = effectiveURL
    self.headers = headers
    self.size = size
  }

  /// The `Content-Type` field, parameters included.
  public var contentType: String? { headers["content-type"] }
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
  /// A transfer that stays below 1000 bytes a second for this long is given up and resumed.
  public var stallTimeout = Duration.seconds(30)

  public init() {}
}
