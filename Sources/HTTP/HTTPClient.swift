/// The client: redirects, retries, resumption and limits around libcurl transfers. It blocks; callers bring their own threads.
import CLibCurl
import EnvCore
import Glibc
import Synchronization

/// Talks HTTP/1.1 and HTTP/2, with and without TLS, and reads `file` URLs. Proxies come from the environment (`https_proxy`,
/// `http_proxy`, `no_proxy`), trusted CAs from the system or the file that `CURL_CA_BUNDLE` or `SSL_CERT_FILE` names.
///
/// Safe to use from several threads; each transfer in flight has a handle of its own.
public final class HTTPClient: Sendable {
  /// Bytes; an attempt that has brought so many is no failed one.
  private static let progress: Int64 = 1 << 16

  private let policy: HTTPPolicy
  private let idle = Mutex<[EasyHandle]>([])

  public init(policy: HTTPPolicy = HTTPPolicy()) { self.policy = policy }

  /// Streams the body of the answer into `body`, in order and each byte once, however often the transfer had to be resumed.
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
      var authorization = try request.authorizer?.authorization()
      // Where the last renewal was: one that brought no byte further is the last.
      var renewedAt: Int64?
      while true {
        let deliveredBefore = receiver.delivered
        do {
          return try transfer(request, authorization, receiver, handle)
        } catch let failure as TransientFailure {
          // A connection that is cut again and again gets there, as long as each brings something.
          if receiver.delivered - deliveredBefore >= Self.progress { attempt = 1 }
          guard attempt < policy.attempts, request.isRepeatable else { throw failure.error }
          wait(before: attempt, atLeast: failure.retryAfter)
          attempt += 1
        } catch HTTPError.status(let summary, 401, let answer) {
          // A refusal by another host, to which a redirect led, says nothing about what this one wants.
          let isOwn = authority(of: handle.effectiveURL ?? request.url) == authority(of: request.url)
          guard isOwn, renewedAt != receiver.delivered, let renewed = try request.authorizer?.authorization(after: answer) else {
            throw HTTPError.status(request: summary, status: 401, answer: answer)
          }
          authorization = renewed
          renewedAt = receiver.delivered
        }
      }
    }
  }

  /// The whole body of the answer, which the request's `sizeLimit` keeps within memory.
  public func get(_ request: HTTPRequest) throws -> (response: HTTPResponse, body: [UInt8]) {
    var bytes: [UInt8] = []
    let response = try download(request) { span in
      span.withUnsafeBytes { bytes.append(contentsOf: $0) }
    }
    return (response, bytes)
  }

  private func transfer(
    _ request: HTTPRequest, _ authorization: String?, _ receiver: TransferReceiver, _ handle: EasyHandle
  ) throws -> HTTPResponse {
    handle.reset(policy: policy)
    handle.set(CURLOPT_URL, request.url)
    // A redirect may not leave encryption once it was asked for, and never leads into the file system.
    handle.set(CURLOPT_REDIR_PROTOCOLS_STR, request.url.hasPrefix("https:") ? "https" : "http,https")
    if !request.followsRedirects { handle.set(CURLOPT_FOLLOWLOCATION, 0) }
    if let tls = request.tls { handle.set(tls) }
    var headers = request.headers.map { "\($0.name): \($0.value)" }
    // libcurl sends it to the host of the URL alone, whatever host a redirect leads to.
    if let authorization { headers.append("Authorization: \(authorization)") }
    if receiver.delivered > 0 {
      handle.set(CURLOPT_RANGE, "\(receiver.delivered)-")
      if let tag = receiver.entityTag { headers.append("If-Range: \(tag)") }
    }
    receiver.beginAttempt()
    let source = try request.body.map { try UploadSource($0) }
    let code = handle.perform(request.method, headers: headers, body: source, receiver: receiver)
    if let failure = receiver.failure ?? source?.failure { throw failure }
    try checkOutcome(of: request, code: code, handle: handle, receiver: receiver)
    return HTTPResponse(
      status: handle.status, effectiveURL: handle.effectiveURL ?? request.url, headers: receiver.headers, size: receiver.delivered)
  }

  private func checkOutcome(of request: HTTPRequest, code: CURLcode, handle: EasyHandle, receiver: TransferReceiver) throws {
    let status = handle.status
    let code = TransferCode(code)
    // A server may refuse a body before it has been sent; then its answer says more than the broken transfer.
    let isRefusal = request.body != nil && code.isBrokenConnection && status >= 400
    guard code.isSuccess || isRefusal else {
      let reason = handle.errorText ?? code.reason
      let error = HTTPError.transferFailed(request: request.summary, code: code.rawValue, reason: reason)
      // A server that speaks no TLS will not speak it the next time.
      throw code.isTransient && !reason.contains("wrong version number") ? TransientFailure(error: error, retryAfter: 0) : error
    }
    // The server has no byte beyond what was received, so what was received is all there is (RFC 9110, section 15.5.17).
    if status == 416, let expected = request.expectedSize, receiver.delivered > 0 {
      throw HTTPError.truncated(request: request.summary, received: receiver.delivered, expected: expected)
    }
    if !request.followsRedirects, (300..<400).contains(status), let location = receiver.headers["location"] {
      throw HTTPError.redirected(request: request.summary, location: String(redacted(url: location).prefix(200)))
    }
    guard isSuccess(status) else {
      let answer = ErrorAnswer(headers: receiver.headers, body: receiver.errorBody)
      let error = HTTPError.status(request: request.summary, status: status, answer: answer)
      guard status == 429 || (500..<600).contains(status) || status == 408 else { throw error }
      throw TransientFailure(error: error, retryAfter: handle.retryAfter)
    }
    if let expected = request.expectedSize, receiver.delivered < expected {
      let error = HTTPError.truncated(request: request.summary, received: receiver.delivered, expected: expected)
      // An answer that kept the length it stated is whole, and the next one would be the same.
      throw receiver.headers["content-length"] == nil ? TransientFailure(error: error, retryAfter: 0) : error
    }
  }

  /// Exponential back-off with jitter, so that many clients cut off together do not come back together.
  private func wait(before attempt: Int, atLeast retryAfter: Int64) {
    let exponential = policy.firstDelay * (1 << min(attempt - 1, 10))
    let jittered = exponential * Double.random(in: 0.5...1)
    let asked = retryAfter > 0 ? .seconds(min(retryAfter, 1 << 20)) + policy.firstDelay * Double.random(in: 0...1) : Duration.zero
    let delay = min(policy.longestDelay, max(jittered, asked))
    usleep(UInt32(clamping: delay.milliseconds * 1000))
  }
}

/// `host[:port]` with the scheme, by which credentials are kept apart.
private func authority(of url: String) -> Substring {
  guard let scheme = url.firstRange(of: "://") else { return "" }
  let end = url[scheme.upperBound...].firstIndex { "/?#".contains($0) } ?? url.endIndex
  return url[..<end]
}

/// An error that another attempt may not meet; never leaves the client.
private struct TransientFailure: Error {
  let error: any Error
  /// Seconds.
  let retryAfter: Int64
}
