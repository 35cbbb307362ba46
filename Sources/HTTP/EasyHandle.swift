/// One libcurl easy handle: its options, one transfer at a time, and what libcurl knows afterwards. Retrying is not its business.
import CLibCurl
import Glibc

/// Owns a `CURL *` and, with it, the connections libcurl keeps alive for the next transfer.
///
/// Unchecked: libcurl allows a handle on any thread as long as it is one at a time, and the client's pool lends it to one caller at a time.
final class EasyHandle: @unchecked Sendable {
  private let handle: UnsafeMutableRawPointer
  /// Where libcurl writes what went wrong; it has to outlive the handle's transfers.
  private let errorBuffer = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))

  /// - Throws: `HTTPError.libraryUnusable`.
  init() throws(HTTPError) {
    if let reason = loadFailure { throw .libraryUnusable(reason: reason) }
    guard let handle = cc_easy_init() else { preconditionFailure("curl_easy_init: out of memory") }
    self.handle = handle
  }

  deinit {
    cc_easy_cleanup(handle)
    errorBuffer.deallocate()
  }

  /// Forgets all options of the transfer before; live connections stay.
  func reset(policy: HTTPPolicy) {
    cc_easy_reset(handle)
    errorBuffer.pointee = 0
    cc_set_pointer(handle, CURLOPT_ERRORBUFFER, errorBuffer)
    set(CURLOPT_NOSIGNAL, 1)
    set(CURLOPT_FOLLOWLOCATION, 1)
    set(CURLOPT_MAXREDIRS, 10)
    set(CURLOPT_CONNECTTIMEOUT_MS, policy.connectTimeout.milliseconds)
    // Bytes a second: what comes more slowly for so long would take days.
    set(CURLOPT_LOW_SPEED_LIMIT, 1000)
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

  func set(_ tls: TLSIdentity) {
    // The folder of the system's authorities stays in force beside them.
    if let authorities = tls.authorities {
      var bytes = authorities
      bytes.withUnsafeMutableBytes { buffer in
        var blob = curl_blob(data: buffer.baseAddress, len: buffer.count, flags: UInt32(CURL_BLOB_COPY))
        // libcurl copies the bytes before it returns.
        withUnsafeMutablePointer(to: &blob) { _ = cc_set_pointer(handle, CURLOPT_CAINFO_BLOB, $0) }
      }
    }
    if let certificate = tls.certificate { set(CURLOPT_SSLCERT, certificate) }
    if let key = tls.key { set(CURLOPT_SSLKEY, key) }
  }

  /// Performs the transfer that the options describe, with `headers` as request fields and `receiver` taking what arrives.
  func perform(_ method: HTTPMethod, headers: [String], body: UploadSource?, receiver: TransferReceiver) -> CURLcode {
    var list: UnsafeMutablePointer<curl_slist>?
    // Without the wait for a 100, which many servers never send.
    for header in headers + (body == nil ? [] : ["Expect:"]) { list = cc_slist_append(list, header) ?? list }
    defer { cc_slist_free_all(list) }
    cc_set_list(handle, CURLOPT_HTTPHEADER, list)
    set(method, hasBody: body != nil)
    if let body { offer(body) }
    defer { withExtendedLifetime(body) {} }
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

  /// What libcurl has to say about the transfer that failed.
  var errorText: String? { errorBuffer.pointee == 0 ? nil : String(cString: errorBuffer) }

  private func set(_ method: HTTPMethod, hasBody: Bool) {
    switch method {
    case .get where !hasBody: break
    case .head: set(CURLOPT_NOBODY, 1)
    default:
      // An upload of no bytes, so that a POST without a body says `Content-Length: 0`.
      set(CURLOPT_UPLOAD, 1)
      set(CURLOPT_CUSTOMREQUEST, method.rawValue)
      if !hasBody { cc_set_offset(handle, CURLOPT_INFILESIZE_LARGE, 0) }
    }
  }

  /// libcurl reads the body only inside curl_easy_perform, during which `body` is alive.
  private func offer(_ body: UploadSource) {
    cc_set_offset(handle, CURLOPT_INFILESIZE_LARGE, curl_off_t(body.size))
    let context = Unmanaged.passUnretained(body).toOpaque()
    cc_set_pointer(handle, CURLOPT_READDATA, context)
    cc_set_function(handle, CURLOPT_READFUNCTION) { bytes, size, count, context in
      guard let context, let bytes else { return Int(CURL_READFUNC_ABORT) }
      return Unmanaged<UploadSource>.fromOpaque(context).takeUnretainedValue()
        .read(into: UnsafeMutableRawBufferPointer(start: bytes, count: size * count))
    }
    cc_set_pointer(handle, CURLOPT_SEEKDATA, context)
    cc_set_seek_function(handle) { context, offset, origin in
      guard let context else { return CURL_SEEKFUNC_FAIL }
      let isRewound = offset == 0 && origin == SEEK_SET && Unmanaged<UploadSource>.fromOpaque(context).takeUnretainedValue().rewind()
      return isRewound ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL
    }
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
