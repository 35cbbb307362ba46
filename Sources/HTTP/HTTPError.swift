/// Why a transfer failed. Credentials in a URL never reach the message.
import EnvCore

/// A failed transfer. URLs are redacted before they are stored.
public enum HTTPError: Diagnostic, Equatable {
  /// libcurl is not installed, or not in a version that works.
  case libraryUnusable(reason: String)
  /// The server could not be reached, or the transfer broke off and could not be resumed.
  case transferFailed(url: String, code: Int32, reason: String)
  /// The server answered with a status that is not success.
  case status(url: String, status: Int)
  /// More bytes arrived than the request allows.
  case tooLarge(url: String, limit: Int64)
  /// The body ended before the size that was expected.
  case truncated(url: String, received: Int64, expected: Int64)
  /// The server's answer to a request for the rest of a body does not continue what was received.
  case changedDuringTransfer(url: String)

  public var summary: String {
    switch self {
    case .libraryUnusable(let reason): "libcurl cannot be loaded: \(reason)"
    case .transferFailed(let url, _, let reason): "GET \(url): \(reason)"
    case .status(let url, let status): "GET \(url): the server answered \(status)"
    case .tooLarge(let url, let limit): "GET \(url): the body is larger than the \(limit) bytes allowed"
    case .truncated(let url, let received, let expected): "GET \(url): the body ended after \(received) of \(expected) bytes"
    case .changedDuringTransfer(let url): "GET \(url): the resource changed while it was being fetched"
    }
  }

  public var hint: String? {
    switch self {
    case .libraryUnusable: "fetching needs libcurl 4: on Debian, install libcurl4"
    case .transferFailed(_, let code, _): TransferCode(rawValue: code).hint
    case .status(_, let status):
      switch status {
      case 401, 403: "the server wants credentials, or forbids this resource"
      case 407: "the proxy wants credentials: see https_proxy and http_proxy"
      case 404, 410: "the resource is gone or the base URL is wrong"
      case 429: "the server limits the rate: try again later"
      default: nil
      }
    case .tooLarge, .truncated: nil
    case .changedDuringTransfer: "run the command again"
    }
  }

  public var exitCode: ExitCode {
    if case .libraryUnusable = self { .host } else { .failed }
  }
}

/// The URL with its user information replaced, fit for a message or a log.
public func redacted(url: String) -> String {
  guard let scheme = url.firstRange(of: "://") else { return url }
  let rest = url[scheme.upperBound...]
  let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
  guard let at = authority.lastIndex(of: "@") else { return url }
  return url[..<scheme.upperBound] + "***" + rest[at...]
}
