/// The body of a request on its way to the server.
import CLibCurl

/// Hands the body to libcurl's callbacks. Used by one thread, inside one transfer.
final class UploadSource {
  let size: Int64
  /// What the reader threw; libcurl itself only sees an aborted transfer.
  private(set) var failure: (any Error)?

  private let body: HTTPBody
  private var reader: (inout MutableRawSpan) throws -> Int

  init(_ body: HTTPBody) throws {
    self.body = body
    size = body.size
    reader = try Self.open(body)
  }

  /// How many bytes were put at the start of the buffer; 0 ends the body.
  func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    do {
      var span = buffer.mutableBytes
      return try reader(&span)
    } catch {
      failure = error
      return Int(CURL_READFUNC_ABORT)
    }
  }

  /// Begins anew, when a redirect asks for the body a second time.
  func rewind() -> Bool {
    do {
      reader = try Self.open(body)
      return true
    } catch {
      failure = error
      return false
    }
  }

  private static func open(_ body: HTTPBody) throws -> (inout MutableRawSpan) throws -> Int {
    switch body {
    case .stream(_, let open): return try open()
    case .bytes(let bytes):
      var rest = bytes[...]
      return { span in
        let piece = rest.prefix(span.byteCount)
        span.withUnsafeMutableBytes { $0.copyBytes(from: piece) }
        rest = rest.dropFirst(piece.count)
        return piece.count
      }
    }
  }
}
