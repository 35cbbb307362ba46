/// What one request has received so far, over all its attempts: the part of the body already handed over, and the validator that ties the rest to it.

/// Takes headers and body from libcurl's callbacks. Used by one thread, inside one `HTTPClient.download`.
final class TransferReceiver {
  var handle: EasyHandle?
  /// Bytes handed to the sink, over all attempts.
  private(set) var delivered: Int64 = 0
  /// The entity tag of the first answer; only a strong one proves that two answers carry the same bytes (RFC 9110, section 8.8.1).
  private(set) var entityTag: String?
  /// What the sink or a check threw; libcurl itself only sees an aborted transfer.
  private(set) var failure: (any Error)?

  private let request: HTTPRequest
  private let sink: (RawSpan) throws -> Void
  /// The fields of the answer that counts: the last one of the attempt.
  private(set) var headers = HTTPHeaders()
  /// The beginning of a body that came with an error.
  private(set) var errorBody: [UInt8] = []
  private var toSkip: Int64 = 0
  private var bodyHasBegun = false
  private var errorBytes = 0

  init(request: HTTPRequest, sink: @escaping (RawSpan) throws -> Void) {
    self.request = request
    self.sink = sink
  }

  func beginAttempt() {
    headers = HTTPHeaders()
    errorBody = []
    toSkip = 0
    errorBytes = 0
    bodyHasBegun = false
  }

  func receiveHeader(_ line: String) {
    // Each answer on the way (redirects, proxies) has a head of its own; only the last one counts.
    if line.hasPrefix("HTTP/") { return headers = HTTPHeaders() }
    guard let colon = line.firstIndex(of: ":") else { return }
    let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }.prefix { !$0.isNewline }
    headers.add(line[..<colon], value)
  }

  private var attemptTag: String? { headers["etag"].flatMap { $0.hasPrefix("W/") ? nil : $0 } }
  private var rangeStart: Int64? { headers["content-range"].flatMap { Int64($0.drop { !$0.isNumber }.prefix { $0.isNumber }) } }

  /// Whether the transfer should go on.
  func receiveBody(_ bytes: RawSpan) -> Bool {
    do {
      if !bodyHasBegun { try beginBody() }
      // The body of an error is not what was asked for; the status decides once the transfer is over.
      guard isSuccess(handle?.status ?? 0) else {
        bytes.withUnsafeBytes { errorBody.append(contentsOf: $0.prefix(max(0, (64 << 10) - errorBody.count))) }
        // Nobody reads an error of this length.
        errorBytes += bytes.byteCount
        return errorBytes < 8 << 20
      }
      try deliver(bytes)
      return true
    } catch {
      failure = error
      return false
    }
  }

  private func beginBody() throws(HTTPError) {
    bodyHasBegun = true
    let status = handle?.status ?? 0
    guard isSuccess(status) else { return }
    if delivered == 0 {
      entityTag = attemptTag
      return
    }
    if let entityTag, let attemptTag, entityTag != attemptTag { throw .changedDuringTransfer(request: request.summary) }
    if status == 206 {
      guard rangeStart == delivered else { throw .changedDuringTransfer(request: request.summary) }
    } else {
      // A server without ranges sends all of it again.
      toSkip = delivered
    }
  }

  private func deliver(_ bytes: RawSpan) throws {
    let skipped = Int(min(Int64(bytes.byteCount), toSkip))
    toSkip -= Int64(skipped)
    let rest = bytes.extracting(droppingFirst: skipped)
    guard rest.byteCount > 0 else { return }
    guard delivered + Int64(rest.byteCount) <= request.sizeLimit else {
      throw HTTPError.tooLarge(request: request.summary, limit: request.sizeLimit)
    }
    try sink(rest)
    delivered += Int64(rest.byteCount)
  }
}

/// 0 is what a `file` URL has.
func isSuccess(_ status: Int) -> Bool { status == 0 || (200..<300).contains(status) }
