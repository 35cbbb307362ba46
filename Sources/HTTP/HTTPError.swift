/// Why a transfer failed. Credentials in a URL never reach the message.
import EnvCore

/// A failed transfer. `request` is the method and the redacted URL.
public enum HTTPError: Diagnostic, Equatable {
  /// libcurl is not installed, or not in a version that works.
  case libraryUnusable(reason: String)
  /// The server could not be reached, or the transfer broke off and could not be resumed.
  case transferFailed(request: String, code: Int32, reason: String)
  /// The server answered with a status that is not success.
  case status(request: String, status: Int, answer: ErrorAnswer)
  /// The server sends a request elsewhere that may not go there.
  case redirected(request: String, location: String)
  /// More bytes arrived than the request allows.
  case tooLarge(request: String, limit: Int64)
  /// The body ended before the size that was expected.
  case truncated(request: String, received: Int64, expected: Int64)
  /// The server's answer to a request for the rest of a body does not continue what was received.
  case changedDuringTransfer(request: String)

  /// Whether the server's certificate was not accepted.
  public var isUntrustedCertificate: Bool {
    if case .transferFailed(_, let code, _) = self { TransferCode(rawValue: code).isUntrusted } else { false }
  }

  public var summary: String {
    switch self {
    case .libraryUnusable(let reason): "libcurl cannot be loaded: \(reason)"
    case .transferFailed(let request, _, let reason): "\(request): \(reason)"
    case .status(let request, let status, _): "\(request): the server answered \(status)"
    case .redirected(let request, let location): "\(request): the server redirects to '\(location)', where this request may not go"
    case .tooLarge(let request, let limit): "\(request): the body is larger than the \(limit) bytes allowed"
    case .truncated(let request, let received, let expected): "\(request): the body ended after \(received) of \(expected) bytes"
    case .changedDuringTransfer(let request): "\(request): the resource changed while it was being fetched"
    }
  }

  public var hint: String? {
    switch self {
    case .libraryUnusable: "fetching needs libcurl 4: on Debian, install libcurl4"
    case .transferFailed(_, let code, _): TransferCode(rawValue: code).hint
    case .status(_, let status, _):
      switch status {
      case 401, 403: "the server wants credentials, or forbids this resource"
      case 407: "the proxy wants credentials: see https_proxy and http_proxy"
      case 404, 410: "the resource is gone or the base URL is wrong"
      case 429: "the server limits the rate: try again later"
      default: nil
      }
    case .redirected: "name that host itself, if it is to be trusted"
    case .tooLarge, .truncated: nil
    case .changedDuringTransfer: "run the command again"
    }
  }

  public var exitCode: ExitCode {
    if case .libraryUnusable = self { .host } else { .failed }
  }
}

/// What came with a status that is not success.
public struct ErrorAnswer: Sendable, Equatable {
  public let headers: HTTPHeaders
  /// The beginning of the body, at most 64 KiB.
  public let body: [UInt8]

  public init(headers: HTTPHeaders = HTTPHeaders(), body: [UInt8] = []) {
    self.headers = headers
    self.body = body
  }
}

/// The URL without what may be secret, its user information and its query (which signs the URL where storage is rented), fit for a
/// message or a log.
public func redacted(url: String) -> String {
  guard let scheme = url.firstRange(of: "://") else { return url }
  var rest = url[scheme.upperBound...]
  var query = ""
  if let mark = rest.firstIndex(of: "?") {
    rest = rest[..<mark]
    query = "?…"
  }
  let authority = rest.prefix { $0 != "/" && $0 != "#" }
  guard let at = authority.lastIndex(of: "@") else { return url[..<scheme.upperBound] + rest + query }
  return url[..<scheme.upperBound] + "***" + rest[at...] + query
}
