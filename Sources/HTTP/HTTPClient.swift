/// The client: redirects, retries, resumption and limits around libcurl transfers. It blocks; callers bring their own threads.
import CLibCurl
import EnvCore
import Glibc
import Synchronization

/// Fetches over HTTP, HTTPS and from `file` URLs. Proxies come from the environment (`https_proxy`, `http_proxy`, `no_proxy`),
/// trusted CAs from the system or the file that `CURL_CA_BUNDLE` or `SSL_CERT_FILE` names.
///
/// Safe to use from several threads; each transfer in flight has a handle of its own.
public final class HTTPClient: Sendable {
  private let policy: HTTPPolicy
  private let idle = Mutex<[EasyHandle]>([])

  public init(policy: HTTPPolicy = HTTPPolicy()) { self.policy = policy }

  /// Streams the body of `request` into `body`, in order and each byte once, however often the transfer had to be resumed.
  ///
  /// A transfer that breaks off continues where it stopped (RFC 9110, section 14) when another attempt is left. Blocks until done.
  /// - Throws: `HTTPError`, or what `body` throws.
  @discardableResult
  public func download(_ request: HTTPRequest, into body: (RawSpan) throws -> Void) throws -> HTTPResponse {
    let handle = try idle.withLock { $0.popLast() } ?? EasyHandle()
    defer { idle.withLock { $0.append(handle) } }
    return try withoutActuallyEscaping(body) { body in
      let receiver = TransferReceiver(request: request, sink: body)
      var attempt = 1
      while true {
        do {
          return try transfer(request, receiver, handle)
        } catch let failure as TransientFailure {
          guard attempt < policy.attempts else { throw failure.error }
          wait(before: attempt, atLeast: failure.retryAfter)
          attempt += 1
        }
      }
    }
  }

  /// The whole body of `request`, which its `sizeLimit` keeps within memory.
  public func get(_ request: HTTPRequest) throws -> (response: HTTPResponse, body: [UInt8]) {
    var bytes: [UInt8] = []
    let response = try download(request) { span in
      span.withUnsafeBytes { bytes.append(contentsOf: $0) }
    }
    return (response, bytes)
  }

  private func transfer(_ request: HTTPRequest, _ receiver: TransferReceiver, _ handle: EasyHandle) throws -> HTTPResponse {
    handle.reset(policy: policy)
    handle.set(CURLOPT_URL, request.url)
    // A redirect may not leave encryption once it was asked for.
    handle.set(CURLOPT_REDIR_PROTOCOLS_STR, request.url.hasPrefix("https:") ? "https" : "http,https")
    var headers = request.headers.map { "\($0.name): \($0.value)" }
    if receiver.delivered > 0 {
      handle.set(CURLOPT_RANGE, "\(receiver.delivered)-")
      if let tag = receiver.entityTag { headers.append("If-Range: \(tag)") }
    }
    receiver.beginAttempt()
    let code = handle.perform(headers: headers, receiver: receiver)
    if let failure = receiver.failure { throw failure }
    try checkOutcome(of: request, code: code, handle: handle, received: receiver.delivered)
    return HTTPResponse(
      status: handle.status, effectiveURL: handle.effectiveURL ?? request.url, contentType: handle.contentType, size: receiver.delivered)
  }

  private func checkOutcome(of request: HTTPRequest, code: CURLcode, handle: EasyHandle, received: Int64) throws {
    let url = redacted(url: request.url)
    guard code == CURLE_OK else {
      let error = HTTPError.transferFailed(
        url: url, code: TransferCode(code).rawValue, reason: String(cString: cc_easy_strerror(code)))
      throw TransferCode(code).isTransient ? TransientFailure(error: error, retryAfter: 0) : error
    }
    let status = handle.status
    guard isSuccess(status) else {
      let error = HTTPError.status(url: url, status: status)
      guard status == 429 || (500..<600).contains(status) || status == 408 else { throw error }
      throw TransientFailure(error: error, retryAfter: handle.retryAfter)
    }
    if let expected = request.expectedSize, received < expected {
      throw TransientFailure(error: HTTPError.truncated(url: url, received: received, expected: expected), retryAfter: 0)
    }
  }

  /// Exponential back-off with jitter, so that many clients cut off together do not come back together.
  private func wait(before attempt: Int, atLeast retryAfter: Int64) {
    let exponential = policy.firstDelay * (1 << min(attempt - 1, 10))
    let jittered = exponential * Double.random(in: 0.5...1)
    let delay = min(policy.longestDelay, max(jittered, .seconds(retryAfter)))
    usleep(UInt32(clamping: delay.milliseconds * 1000))
  }
}

/// An error that another attempt may not meet; never leaves the client.
private struct TransientFailure: Error {
  let error: any Error
  /// Seconds.
  let retryAfter: Int64
}
