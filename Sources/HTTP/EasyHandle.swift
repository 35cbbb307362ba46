/// One libcurl easy handle: its options, one transfer at a time, and what libcurl knows afterwards. Retrying is not its business.
import CLibCurl
import Glibc

/// Owns a `CURL *` and, with it, the connections libcurl keeps alive for the next transfer.
///
/// Unchecked: libcurl allows a handle on any thread as long as it is one at a time, and the client's pool lends it to one caller at a time.
final class EasyHandle: @unchecked Sendable {
  private let handle: UnsafeMutableRawPointer

  /// - Throws: `HTTPError.libraryUnusable`.
  init() throws(HTTPError) {
    if let reason = loadFailure { throw .libraryUnusable(reason: reason) }
    guard let handle = cc_easy_init() else { preconditionFailure("curl_easy_init: out of memory") }
    self.handle = handle
  }

  deinit { cc_easy_cleanup(handle) }

  /// Forgets all options of the transfer before; live connections stay.
  func reset(policy: HTTPPolicy) {
    cc_easy_reset(handle)
    set(CURLOPT_NOSIGNAL, 1)
    set(CURLOPT_FOLLOWLOCATION, 1)
    set(CURLOPT_MAXREDIRS, 10)
    set(CURLOPT_CONNECTTIMEOUT_MS, policy.connectTimeout.milliseconds)
    set(CURLOPT_LOW_SPEED_LIMIT, 1)
    set(CURLOPT_LOW_SPEED_TIME, max(1, policy.stallTimeout.milliseconds / 1000))
    set(CURLOPT_BUFFERSIZE, 256 * 1024)
    set(CURLOPT_PROTOCOLS_STR, "http,https,file")
    set(CURLOPT_USERAGENT, "envctl")
    // The curl program reads these two; the library leaves it to its user.
    for name in ["CURL_CA_BUNDLE", "SSL_CERT_FILE"] {
      guard let value = getenv(name), value.pointee != 0 else { continue }
      cc_set_string(handle, CURLOPT_CAINFO, value)
      break
    }
  }

  func set(_ option: CURLoption, _ value: Int) { cc_set_long(handle, option, value) }
  func set(_ option: CURLoption, _ value: String) { cc_set_string(handle, option, value) }

  /// Performs the transfer that the options describe, with `headers` as request fields and `receiver` taking what arrives.
  func perform(headers: [String], receiver: TransferReceiver) -> CURLcode {
    var list: UnsafeMutablePointer<curl_slist>?
    for header in headers { list = cc_slist_append(list, header) ?? list }
    defer { cc_slist_free_all(list) }
    cc_set_list(handle, CURLOPT_HTTPHEADER, list)
    receiver.handle = self
    defer { receiver.handle = nil }
    // libcurl calls back only inside curl_easy_perform, during which `receiver` is alive.
    let context = Unmanaged.passUnretained(receiver).toOpaque()
    cc_set_pointer(handle, CURLOPT_WRITEDATA, context)
    cc_set_function(handle, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
      guard let context else { return 0 }
      let span = UnsafeRawBufferPointer(start: bytes, count: size * count)
      return Unmanaged<TransferReceiver>.fromOpaque(context).takeUnretainedValue().receiveBody(span.bytes) ? size * count : 0
    }
    cc_set_pointer(handle, CURLOPT_HEADERDATA, context)
    cc_set_function(handle, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
      guard let context else { return 0 }
      let line = String(decoding: UnsafeRawBufferPointer(start: bytes, count: size * count), as: UTF8.self)
      Unmanaged<TransferReceiver>.fromOpaque(context).takeUnretainedValue().receiveHeader(line)
      return size * count
    }
    return cc_easy_perform(handle)
  }

  var status: Int {
    var value = 0
    cc_get_long(handle, CURLINFO_RESPONSE_CODE, &value)
    return value
  }

  /// Seconds the server asked to wait, from `Retry-After` in either of its forms; 0 when it did not.
  var retryAfter: Int64 {
    var value: curl_off_t = 0
    cc_get_offset(handle, CURLINFO_RETRY_AFTER, &value)
    return Int64(value)
  }

  var effectiveURL: String? { string(CURLINFO_EFFECTIVE_URL) }
  var contentType: String? { string(CURLINFO_CONTENT_TYPE) }

  private func string(_ info: CURLINFO) -> String? {
    var value: UnsafePointer<CChar>?
    cc_get_string(handle, info, &value)
    return value.map { String(cString: $0) }
  }
}

/// Why libcurl cannot be used. A global is initialised once, before any thread goes on, which is what loading wants.
private let loadFailure: String? = cc_load().map { String(cString: $0) }

extension Duration {
  /// Whole milliseconds, at least one.
  var milliseconds: Int { max(1, Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000)) }
}
