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
  private static let capacity = 1 << 18
  /// Room beyond what one refill may take, for `extend`.
  private static let reserve = 4096
  let storage = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity + reserve, alignment: 64)
  private let pull: Pull
  var start = 0
  private(set) var end = 0

  init(_ pull: @escaping Pull) { self.pull = pull }
  deinit { storage.deallocate() }

  var isEmpty: Bool { start == end }

  /// Pulls more when nothing is left; false at the end of the input.
  func refill() throws -> Bool {
    guard isEmpty else { return true }
    start = 0
    end = 0
    return try pull(atMost: Self.capacity) > 0
  }

  /// Pulls more behind what is left; false when nothing comes or the reserve is used up.
  func extend() throws -> Bool {
    if start > 0 {
      storage.copyMemory(from: UnsafeRawBufferPointer(rebasing: storage[start..<end]))
      (start, end) = (0, end - start)
    }
    return try pull(atMost: Self.capacity) > 0
  }

  private func pull(atMost limit: Int) throws -> Int {
    let room = UnsafeMutableRawBufferPointer(rebasing: storage[end..<min(storage.count, end + limit)])
    guard !room.isEmpty else { return 0 }
    var span = room.mutableBytes
    let count = try pull(&span)
    end += count
    return count
  }
}

/// RFC 1952 members, one after the other.
private final class GzipStream {
  private let input: InputBuffer
  private let object: String
  /// Allocated once, because the state holds ISA-L's 64 KiB window and must not move.
  private let state = UnsafeMutablePointer<inflate_state>.allocate(capacity: 1)
  /// The state before the call under way, to which a block header that was cut off leads back.
  private let before = UnsafeMutablePointer<inflate_state>.allocate(capacity: 1)
  /// Kept from call to call: ISA-L's own reading of headers, inside isal_inflate, forgets the flags of a header that comes in two pieces.
  private let header = UnsafeMutablePointer<isal_gzip_header>.allocate(capacity: 1)
  private var isBetweenMembers = true
  private var isInHeader = false
  private var members = 0

  init(object: String, _ pull: @escaping Pull) {
    self.object = object
    input = InputBuffer(pull)
  }
  deinit {
    state.deallocate()
    before.deallocate()
    header.deallocate()
  }

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
        if isInHeader {
          guard hasInput else { throw CompressionError.truncated(object: object) }
          try readHeader()
          continue
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
    state.pointee.crc_flag = UInt32(ISAL_GZIP_NO_HDR_VER)
    isal_gzip_header_init(header)
    isBetweenMembers = false
    isInHeader = true
    members += 1
  }

  /// Passes over the header as far as it has come.
  private func readHeader() throws {
    offerInput()
    let status = isal_read_gzip_header(state, header)
    guard status == ISAL_DECOMP_OK || status == ISAL_END_INPUT else { throw corrupt(status) }
    input.start = input.end - Int(state.pointee.avail_in)
    isInHeader = status == ISAL_END_INPUT
  }

  private func inflate(into output: UnsafeMutableRawBufferPointer) throws -> Int {
    before.update(from: state, count: 1)
    var status = call(output)
    // ISA-L takes a block header that the end of the input cuts in two for an invalid one when the missing bits, read as zeros, would
    // overrun its code table. With more input the same call, made again, tells the two apart.
    while status == ISAL_INVALID_BLOCK, state.pointee.avail_in == 0, try input.extend() {
      state.update(from: before, count: 1)
      status = call(output)
    }
    guard status == ISAL_DECOMP_OK || status == ISAL_END_INPUT else { throw corrupt(status) }
    input.start = input.end - Int(state.pointee.avail_in)
    // While output is left over inside ISA-L the member goes on, even if the input has been read.
    if state.pointee.block_state == ISAL_BLOCK_FINISH { isBetweenMembers = true }
    return output.count - Int(state.pointee.avail_out)
  }

  private func call(_ output: UnsafeMutableRawBufferPointer) -> CInt {
    offerInput()
    // Input and output stay valid for the one call they are used in.
    state.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
    state.pointee.avail_out = UInt32(clamping: output.count)
    return isal_inflate(state)
  }

  private func offerInput() {
    state.pointee.next_in = input.storage.baseAddress?.advanced(by: input.start).assumingMemoryBound(to: UInt8.self)
    state.pointee.avail_in = UInt32(input.end - input.start)
  }

  private func corrupt(_ status: CInt) -> CompressionError { .corrupt(object: object, reason: "gzip, ISA-L status \(status)") }
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
