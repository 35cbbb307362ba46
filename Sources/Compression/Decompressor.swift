/// Decompression of layer blobs: gzip over ISA-L, zstd over libzstd. It pulls compressed bytes and is pulled for plain ones.
import CISAL
import CZstd
import EnvCore

/// Fills a span from its start and returns how many bytes it put there; 0 at the end.
public typealias Pull = (inout MutableRawSpan) throws -> Int

/// The compressions a layer blob may have.
public enum Compression: Sendable { case gzip, zstd }

/// The plain bytes of `compressed`, as a further pull.
///
/// Several gzip members or zstd frames in a row are one stream. A stream that ends inside a member, or that is followed by anything
/// else, is an error: what came before must not pass for the whole.
public func decompressing(_ compression: Compression, object: String, _ compressed: @escaping Pull) throws(CompressionError) -> Pull {
  switch compression {
  case .gzip:
    let stream = GzipStream(object: object, compressed)
    return { try stream.read(into: &$0) }
  case .zstd:
    let stream = try ZstdStream(object: object, compressed)
    return { try stream.read(into: &$0) }
  }
}

/// The compressed bytes that have been pulled and not yet consumed.
private final class InputBuffer {
  let storage = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 64)
  private let pull: Pull
  var start = 0
  private(set) var end = 0

  init(_ pull: @escaping Pull) { self.pull = pull }
  deinit { storage.deallocate() }

  var isEmpty: Bool { start == end }

  /// Pulls more when nothing is left; false at the end of the input.
  func refill() throws -> Bool {
    guard isEmpty else { return true }
    var span = storage.mutableBytes
    start = 0
    end = try pull(&span)
    return end > 0
  }
}

/// RFC 1952 members, one after the other.
private final class GzipStream {
  private let input: InputBuffer
  private let object: String
  /// Allocated once, because the state holds ISA-L's 64 KiB window and must not move.
  private let state = UnsafeMutablePointer<inflate_state>.allocate(capacity: 1)
  private var isBetweenMembers = true
  private var members = 0

  init(object: String, _ pull: @escaping Pull) {
    self.object = object
    input = InputBuffer(pull)
  }
  deinit { state.deallocate() }

  func read(into span: inout MutableRawSpan) throws -> Int {
    try span.withUnsafeMutableBytes { output in
      while true {
        let hasInput = try input.refill()
        if isBetweenMembers {
          guard hasInput else {
            guard members > 0 else { throw CompressionError.truncated(object: object) }
            return 0
          }
          beginMember()
        }
        let count = try inflate(into: output)
        if count > 0 { return count }
        // Output may still be held back when the input has been read to its end; only when there is none is the member cut off.
        guard hasInput || isBetweenMembers else { throw CompressionError.truncated(object: object) }
      }
    }
  }

  private func beginMember() {
    isal_inflate_init(state)
    state.pointee.crc_flag = UInt32(ISAL_GZIP)
    isBetweenMembers = false
    members += 1
  }

  private func inflate(into output: UnsafeMutableRawBufferPointer) throws -> Int {
    // Both pointers stay valid for the one call they are used in.
    state.pointee.next_in = input.storage.baseAddress?.advanced(by: input.start).assumingMemoryBound(to: UInt8.self)
    state.pointee.avail_in = UInt32(input.end - input.start)
    state.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
    state.pointee.avail_out = UInt32(clamping: output.count)
    let status = isal_inflate(state)
    guard status == ISAL_DECOMP_OK || status == ISAL_END_INPUT else {
      throw CompressionError.corrupt(object: object, reason: "gzip, ISA-L status \(status)")
    }
    input.start = input.end - Int(state.pointee.avail_in)
    // While output is left over inside ISA-L the member goes on, even if the input has been read.
    if state.pointee.block_state == ISAL_BLOCK_FINISH { isBetweenMembers = true }
    return output.count - Int(state.pointee.avail_out)
  }
}

/// RFC 8878 frames, one after the other.
private final class ZstdStream {
  private let input: InputBuffer
  private let object: String
  private let stream: OpaquePointer
  private var isBetweenFrames = true
  private var frames = 0

  init(object: String, _ pull: @escaping Pull) throws(CompressionError) {
    guard let stream = ZSTD_createDStream() else { throw .outOfMemory }
    self.stream = stream
    self.object = object
    input = InputBuffer(pull)
    // Bounds the memory a frame may ask for: 128 MiB is the largest window RFC 8878 asks decoders to support by default.
    _ = ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, 27)
  }
  deinit { ZSTD_freeDStream(stream) }

  func read(into span: inout MutableRawSpan) throws -> Int {
    try span.withUnsafeMutableBytes { bytes in
      var output = ZSTD_outBuffer(dst: bytes.baseAddress, size: bytes.count, pos: 0)
      while output.pos == 0 {
        let hasInput = try input.refill()
        if isBetweenFrames {
          guard hasInput else {
            guard frames > 0 else { throw CompressionError.truncated(object: object) }
            return 0
          }
          frames += 1
        }
        var source = ZSTD_inBuffer(src: input.storage.baseAddress, size: input.end, pos: input.start)
        let status = ZSTD_decompressStream(stream, &output, &source)
        if ZSTD_isError(status) != 0 {
          throw CompressionError.corrupt(object: object, reason: "zstd, " + String(cString: ZSTD_getErrorName(status)))
        }
        input.start = source.pos
        isBetweenFrames = status == 0
        // As with gzip: output may be left when the input is not.
        guard hasInput || isBetweenFrames || output.pos > 0 else { throw CompressionError.truncated(object: object) }
      }
      return output.pos
    }
  }
}

/// Why a compressed stream cannot be read.
public enum CompressionError: Diagnostic, Equatable {
  case corrupt(object: String, reason: String)
  case truncated(object: String)
  case outOfMemory

  public var summary: String {
    switch self {
    case .corrupt(let object, let reason): "\(object) is not a valid compressed stream (\(reason))"
    case .truncated(let object): "\(object) ends in the middle of its compressed stream"
    case .outOfMemory: "out of memory while decompressing"
    }
  }
  public var exitCode: ExitCode {
    if case .outOfMemory = self { .failed } else { .verification }
  }
}
