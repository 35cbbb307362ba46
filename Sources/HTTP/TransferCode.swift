/// libcurl's result codes, read for two questions: is another attempt worth it, and what should the user look at.
import CLibCurl

struct TransferCode: Equatable {
  let rawValue: Int32

  init(rawValue: Int32) { self.rawValue = rawValue }
  init(_ code: CURLcode) { self.rawValue = Int32(bitPattern: code.rawValue) }

  private func isAny(of codes: CURLcode...) -> Bool { codes.contains { Int32(bitPattern: $0.rawValue) == rawValue } }

  var isSuccess: Bool { isAny(of: CURLE_OK) }

  /// Whether the server closed the connection, which it may do once it has answered.
  var isBrokenConnection: Bool { isAny(of: CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_WRITE_ERROR) }

  var reason: String { String(cString: cc_easy_strerror(CURLcode(UInt32(bitPattern: rawValue)))) }

  /// Failures of the path to the server, which another attempt may not meet again.
  var isTransient: Bool {
    isAny(
      of: CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT, CURLE_PARTIAL_FILE, CURLE_OPERATION_TIMEDOUT, CURLE_GOT_NOTHING,
      CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_SSL_CONNECT_ERROR, CURLE_HTTP2, CURLE_HTTP2_STREAM)
  }

  /// Whether the server's certificate was not accepted.
  var isUntrusted: Bool { isAny(of: CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR) }

  var hint: String? {
    if isAny(of: CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT, CURLE_OPERATION_TIMEDOUT) {
      return "is the network up, and do https_proxy and no_proxy fit it?"
    }
    if isAny(of: CURLE_COULDNT_RESOLVE_PROXY) { return "the proxy named by https_proxy or http_proxy is not known" }
    if isUntrusted {
      return "the certificate is not trusted: SSL_CERT_FILE may name a CA bundle that has its issuer"
    }
    if isAny(of: CURLE_UNSUPPORTED_PROTOCOL, CURLE_URL_MALFORMAT) { return "only http, https and file URLs are fetched" }
    return nil
  }
}
