/// Reading of tar, ar and zip archives over libarchive. It yields entries and bytes; what they mean is for the floors above.
import CLibArchive
import EnvCore
import Glibc

/// The container formats a reader may recognise. A layer is asked for as tar and nothing else, so that no other parser ever sees it.
public enum ArchiveFormat: Sendable { case tar, ar, zip }

/// A sequential reader. Compression filters xz, zstd, gzip and bzip2 are recognised where `filters` allows them.
public struct ArchiveReader: ~Copyable {
  private let handle: OpaquePointer
  /// Keeps the pull closure alive as long as libarchive may call it.
  private let source: PullSource?
  private let object: String
  private let names: NameConversion

  /// Opens a file on disk. Zip archives need this form, because their directory stands at the end.
  public init(opening path: String, format: ArchiveFormat, filters: Bool = false, object: String? = nil) throws(ArchiveError) {
    let object = object ?? path
    handle = try Self.opened(format, filters: filters, object: object) { la_read_open_filename($0, path, 1 << 18) }
    source = nil
    self.object = object
    names = NameConversion(format)
  }

  /// Reads from `pull`, which fills the span from its start and returns how many bytes it put there; 0 ends the archive.
  ///
  /// An error thrown by `pull` comes out of the call that needed the bytes, unchanged.
  public init(
    format: ArchiveFormat, filters: Bool = false, object: String, pull: @escaping (inout MutableRawSpan) throws -> Int
  ) throws {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 4096)
    let source = PullSource(freeing: buffer) {
      var span = buffer.mutableBytes
      return UnsafeRawBufferPointer(rebasing: buffer[..<(try pull(&span))])
    }
    try self.init(format: format, filters: filters, object: object, source)
  }

  /// Reads from the buffers of a pipe, in place: the bytes `readData` hands out are the buffer's, which is held until the next is asked for.
  ///
  /// An error thrown by `next` comes out of the call that needed the bytes, unchanged.
  public init(format: ArchiveFormat, object: String, buffers next: @escaping () throws -> PipeBuffer?) throws {
    var held: PipeBuffer?
    let source = PullSource {
      held = try next()
      return held?.bytes ?? UnsafeRawBufferPointer(start: nil, count: 0)
    }
    try self.init(format: format, filters: false, object: object, source)
  }

  private init(format: ArchiveFormat, filters: Bool, object: String, _ source: PullSource) throws {
    // `source` is retained by this value and outlives the handle, which is freed in deinit before its properties go.
    let context = Unmanaged.passUnretained(source).toOpaque()
    do {
      handle = try Self.opened(format, filters: filters, object: object) {
        la_read_open($0, context) { _, context, block in
          guard let context, let block else { return -1 }
          return Unmanaged<PullSource>.fromOpaque(context).takeUnretainedValue().next(into: block)
        }
      }
    } catch {
      throw source.error ?? error
    }
    self.source = source
    self.object = object
    names = NameConversion(format)
  }

  deinit { la_read_free(handle) }

  /// The next entry, or nil at the end of the archive.
  public mutating func next() throws -> ArchiveEntry? {
    var pointer: OpaquePointer?
    let status = names.whileReading { la_read_next_header(handle, &pointer) }
    if let pulled = source?.error { throw pulled }
    switch status {
    case ARCHIVE_EOF: return nil
    case ARCHIVE_OK: break
    case ARCHIVE_WARN where Self.isOfCharset(handle): break
    default: throw Self.failure(handle, object: object, action: "read")
    }
    guard let pointer else { throw Self.failure(handle, object: object, action: "read") }
    return try entry(pointer)
  }

  /// Calls `body` with the content of the current entry, piece by piece; holes of sparse files are filled with zeros.
  public mutating func readData(_ body: (RawSpan) throws -> Void) throws {
    var end: Int64 = 0
    while true {
      var block: UnsafeRawPointer?
      var count = 0
      var offset: Int64 = 0
      let status = la_read_data_block(handle, &block, &count, &offset)
      if let pulled = source?.error { throw pulled }
      if status == ARCHIVE_EOF {
        if offset > end { try Self.fill(offset - end, body) }
        return
      }
      guard status == ARCHIVE_OK else { throw Self.failure(handle, object: object, action: "read") }
      if offset > end { try Self.fill(offset - end, body) }
      // The block belongs to libarchive until the next call on the handle; the span ends before.
      try body(UnsafeRawBufferPointer(start: block, count: count).bytes)
      end = offset + Int64(count)
    }
  }

  /// The whole content of the current entry, which must not be longer than `limit` bytes.
  public mutating func readAll(limit: Int) throws -> [UInt8] {
    var bytes: [UInt8] = []
    let object = object
    try readData { span in
      guard bytes.count + span.byteCount <= limit else { throw ArchiveError.tooLarge(object: object, limit: limit) }
      span.withUnsafeBytes { bytes.append(contentsOf: $0) }
    }
    return bytes
  }

  private static func fill(_ count: Int64, _ body: (RawSpan) throws -> Void) throws {
    let zeros = [UInt8](repeating: 0, count: Int(min(count, 1 << 16)))
    var left = count
    while left > 0 {
      let piece = Int(min(left, Int64(zeros.count)))
      try body(zeros.span.bytes.extracting(first: piece))
      left -= Int64(piece)
    }
  }

  private static func opened(
    _ format: ArchiveFormat, filters: Bool, object: String, _ open: (OpaquePointer) -> CInt
  ) throws(ArchiveError) -> OpaquePointer {
    if let loadFailure { throw .libraryUnusable(reason: loadFailure) }
    guard let handle = la_read_new() else { throw .outOfMemory }
    switch format {
    case .tar: la_read_support_format_tar(handle)
    case .ar: la_read_support_format_ar(handle)
    case .zip: la_read_support_format_zip_seekable(handle)
    }
    if filters {
      la_read_support_filter_xz(handle)
      la_read_support_filter_zstd(handle)
      la_read_support_filter_gzip(handle)
      la_read_support_filter_bzip2(handle)
    }
    let status = open(handle)
    guard status == ARCHIVE_OK else {
      defer { la_read_free(handle) }
      throw failure(handle, object: object, action: "open")
    }
    return handle
  }

  private func entry(_ pointer: OpaquePointer) throws(ArchiveError) -> ArchiveEntry {
    guard let name = la_entry_pathname(pointer) else { throw .malformed(object: object, action: "read", reason: "an entry has no name") }
    guard let path = Self.text(name) else { throw .unreadableName(object: object) }
    let kind = try kind(pointer, path: path)
    return ArchiveEntry(
      path: path, kind: kind, permissions: UInt32(la_entry_perm(pointer)),
      uid: try identifier(la_entry_uid(pointer), path), gid: try identifier(la_entry_gid(pointer), path),
      size: kind == .file ? max(0, la_entry_size(pointer)) : 0,
      modified: try time(pointer, path),
      extendedAttributes: Self.extendedAttributes(pointer))
  }

  private func kind(_ pointer: OpaquePointer, path: String) throws(ArchiveError) -> ArchiveEntry.Kind {
    if let target = la_entry_hardlink(pointer) {
      guard let target = Self.text(target) else { throw .unreadableTarget(object: object, path: path) }
      return .hardlink(target: target)
    }
    switch la_entry_filetype(pointer) & Glibc.S_IFMT {
    case Glibc.S_IFREG: return .file
    case Glibc.S_IFDIR: return .directory
    case Glibc.S_IFLNK:
      // symlink(2) makes no link to an empty name, and libarchive gives none for it.
      guard let target = la_entry_symlink(pointer), target.pointee != 0 else { throw .missingTarget(object: object, path: path) }
      guard let target = Self.text(target) else { throw .unreadableTarget(object: object, path: path) }
      return .symlink(target: target)
    case Glibc.S_IFCHR:
      return .characterDevice(
        major: try deviceNumber(la_entry_rdevmajor(pointer), path), minor: try deviceNumber(la_entry_rdevminor(pointer), path))
    case Glibc.S_IFBLK:
      return .blockDevice(
        major: try deviceNumber(la_entry_rdevmajor(pointer), path), minor: try deviceNumber(la_entry_rdevminor(pointer), path))
    case Glibc.S_IFIFO: return .fifo
    default: throw .unknownKind(object: object, path: path)
    }
  }

  private func identifier(_ value: Int64, _ path: String) throws(ArchiveError) -> UInt32 {
    // 2^32-1 means "unchanged" to chown, so it is no owner a file may have.
    guard value >= 0, value < UInt32.max else { throw .invalidOwner(object: object, path: path, value: value) }
    return UInt32(value)
  }

  /// Linux device numbers have 12 and 20 bits; anything larger is no device and would not fit a ustar header either.
  private func deviceNumber(_ value: dev_t, _ path: String) throws(ArchiveError) -> UInt32 {
    guard value < 1 << 20 else { throw .invalidNumber(object: object, path: path, what: "the device number \(value)") }
    return UInt32(value)
  }

  private func time(_ pointer: OpaquePointer, _ path: String) throws(ArchiveError) -> Int64 {
    let seconds = Int64(la_entry_mtime(pointer))
    guard seconds.magnitude < 9_000_000_000 else { throw .invalidNumber(object: object, path: path, what: "the time \(seconds)") }
    return seconds * 1_000_000_000 + Int64(la_entry_mtime_nsec(pointer))
  }

  private static func extendedAttributes(_ pointer: OpaquePointer) -> [String: [UInt8]] {
    guard la_entry_xattr_reset(pointer) > 0 else { return [:] }
    var attributes: [String: [UInt8]] = [:]
    var name: UnsafePointer<CChar>?
    var value: UnsafeRawPointer?
    var count = 0
    while la_entry_xattr_next(pointer, &name, &value, &count) == ARCHIVE_OK {
      guard let name = text(name) else { continue }
      attributes[name] = [UInt8](UnsafeRawBufferPointer(start: value, count: count))
    }
    return attributes
  }

  private static func text(_ pointer: UnsafePointer<CChar>?) -> String? { pointer.flatMap { String(validatingCString: $0) } }

  /// Whether a warning says no more than that a name is not of the locale's charset, which ours is not meant to be (see `NameConversion`).
  ///
  /// Any other is about a header that contradicts itself, and other programs may make another file of it.
  private static func isOfCharset(_ handle: OpaquePointer) -> Bool {
    la_error_string(handle).map { String(cString: $0).contains("can't be converted from") } ?? false
  }

  private static func failure(_ handle: OpaquePointer, object: String, action: String) -> ArchiveError {
    let reason = la_error_string(handle).map { String(cString: $0) } ?? "unknown error"
    return .malformed(object: object, action: action, reason: reason)
  }
}

/// Why libarchive cannot be used. A global is initialised once, before any thread goes on, which is what loading wants.
private let loadFailure: String? = la_load().map { String(cString: $0) }

/// How libarchive treats names: it converts them to the charset of the thread's locale.
///
/// To UTF-8 it also composes characters (NFC), so that two files of a layer may become one. In the C locale the conversion fails for
/// everything but ASCII, and libarchive's tar reader then keeps the bytes as they are, which is what a layer needs. Its zip reader
/// has no such way back.
private enum NameConversion {
  case verbatim, utf8

  init(_ format: ArchiveFormat) { self = format == .zip ? .utf8 : .verbatim }

  func whileReading<Value>(_ body: () -> Value) -> Value {
    let previous = uselocale(self == .utf8 ? Self.utf8Locale : Self.cLocale)
    defer { uselocale(previous) }
    return body()
  }

  // Both are built into glibc, made once and never freed or changed.
  nonisolated(unsafe) private static let utf8Locale = newlocale(1 << LC_CTYPE, "C.UTF-8", nil)
  nonisolated(unsafe) private static let cLocale = newlocale(1 << LC_CTYPE, "C", nil)
}

/// Feeds libarchive from a Swift closure and keeps the error the closure threw.
private final class PullSource {
  private let next: () throws -> UnsafeRawBufferPointer
  private let buffer: UnsafeMutableRawBufferPointer?
  private(set) var error: (any Error)?

  /// - Parameters:
  ///   - buffer: Freed with the source.
  ///   - next: The next bytes, which stay valid until it is called again; none at the end.
  init(freeing buffer: UnsafeMutableRawBufferPointer? = nil, _ next: @escaping () throws -> UnsafeRawBufferPointer) {
    self.next = next
    self.buffer = buffer
  }
  deinit { buffer?.deallocate() }

  func next(into block: UnsafeMutablePointer<UnsafeRawPointer?>) -> Int {
    do {
      let bytes = try next()
      block.pointee = bytes.baseAddress
      return bytes.count
    } catch {
      self.error = error
      return -1
    }
  }
}

/// Why an archive cannot be read or written.
public enum ArchiveError: Diagnostic, Equatable {
  /// libarchive is not installed, or not in a version that works.
  case libraryUnusable(reason: String)
  case malformed(object: String, action: String, reason: String)
  case unreadableName(object: String)
  /// The target of a link is not UTF-8.
  case unreadableTarget(object: String, path: String)
  /// A link whose target is empty, or for which libarchive gives none.
  case missingTarget(object: String, path: String)
  case unknownKind(object: String, path: String)
  case invalidOwner(object: String, path: String, value: Int64)
  case invalidNumber(object: String, path: String, what: String)
  case tooLarge(object: String, limit: Int)
  case sizeMismatch(path: String, expected: Int64, actual: Int64)
  case outOfMemory

  public var summary: String {
    switch self {
    case .libraryUnusable(let reason): "libarchive cannot be loaded: \(reason)"
    case .malformed(let object, let action, let reason): "cannot \(action) \(object): \(reason)"
    case .unreadableName(let object): "\(object) holds a file name that is not UTF-8"
    case .unreadableTarget(let object, let path): "\(object) holds the link '\(path)', whose target is not UTF-8"
    case .missingTarget(let object, let path): "\(object) holds the link '\(path)', whose target is empty or unreadable"
    case .unknownKind(let object, let path): "\(object) holds '\(path)', which is no kind of file envctl knows"
    case .invalidOwner(let object, let path, let value): "\(object) gives '\(path)' the owner \(value), which is no user or group id"
    case .invalidNumber(let object, let path, let what): "\(object) gives '\(path)' \(what), which no file can have"
    case .tooLarge(let object, let limit): "an entry of \(object) is larger than \(ByteCount(limit))"
    case .sizeMismatch(let path, let expected, let actual): "'\(path)' was announced with \(expected) bytes but has \(actual)"
    case .outOfMemory: "out of memory while opening an archive"
    }
  }
  public var hint: String? {
    if case .libraryUnusable = self { "archives are read with libarchive 13: on Debian, install libarchive13" } else { nil }
  }
  public var exitCode: ExitCode {
    switch self {
    case .libraryUnusable: .host
    case .outOfMemory: .failed
    default: .verification
    }
  }
}
