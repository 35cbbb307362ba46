/// The bytes of a model or of a member inside one, at any offset, without holding more of them than a window.
import EnvCore
import Glibc
import SafeFS
import SystemPackage

/// Bytes that can be read at any offset: a file, a part of one, or an array.
struct ByteSource {
  /// Bytes.
  let size: Int64
  private let fetch: (_ offset: Int64, _ count: Int) throws -> [UInt8]

  init(_ bytes: [UInt8]) {
    size = Int64(bytes.count)
    fetch = { offset, count in Array(bytes[Int(offset)..<min(bytes.count, Int(offset) + count)]) }
  }

  /// A regular file; a final symbolic link is followed.
  ///
  /// - Throws: `ModelError.notAFile`, `FileSystemError`.
  init(file path: FilePath) throws {
    let file = try OpenFile(path)
    size = file.size
    fetch = { try file.read(at: $0, $1) }
  }

  private init(size: Int64, fetch: @escaping (Int64, Int) throws -> [UInt8]) {
    self.size = size
    self.fetch = fetch
  }

  /// Up to `count` bytes from `offset`; fewer at the end only.
  func bytes(at offset: Int64, _ count: Int) throws -> [UInt8] {
    guard offset >= 0, offset < size, count > 0 else { return [] }
    return try fetch(offset, Int(min(Int64(count), size - offset)))
  }

  /// The part from `offset`, as far as it exists.
  func slice(from offset: Int64, size wanted: Int64 = .max) -> ByteSource {
    let start = min(max(0, offset), size)
    return ByteSource(size: max(0, min(wanted, size - start))) { [fetch] in try fetch(start + $0, $1) }
  }
}

/// An open file, owned by the closures that read it.
private final class OpenFile {
  private let descriptor: OwnedDescriptor
  let size: Int64

  init(_ path: FilePath) throws {
    // Without O_NONBLOCK a FIFO in the place of a file would be waited for.
    descriptor = try OwnedDescriptor.open(path, O_RDONLY | O_NONBLOCK, mode: 0)
    let status = try descriptor.status()
    guard status.kind == .file else { throw ModelError.notAFile(path: path, kind: "\(status.kind)") }
    size = status.size
  }

  /// Fewer bytes when the file became shorter meanwhile.
  func read(at offset: Int64, _ count: Int) throws -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      var piece = [UInt8](repeating: 0, count: count - bytes.count)
      var span = piece.mutableSpan
      var raw = span.mutableBytes
      let read = try descriptor.read(into: &raw, at: offset + Int64(bytes.count))
      if read == count { return piece }
      if read == 0 { break }
      bytes += piece[..<read]
    }
    return bytes
  }
}

/// Reads a source from its beginning to its end through a window of 64 KiB.
struct ByteCursor {
  private let source: ByteSource
  private var window: [UInt8] = []
  private var windowStart: Int64 = 0
  /// Bytes from the beginning of the source.
  private(set) var offset: Int64

  init(_ source: ByteSource, at offset: Int64 = 0) {
    self.source = source
    self.offset = offset
  }

  var remaining: Int64 { source.size - offset }

  /// The next byte; nil at the end.
  mutating func next() throws -> UInt8? {
    guard try fill() else { return nil }
    defer { offset += 1 }
    return window[Int(offset - windowStart)]
  }

  /// The next `count` bytes; nil when fewer are left.
  mutating func take(_ count: Int) throws -> ArraySlice<UInt8>? {
    guard Int64(count) <= remaining else { return nil }
    if count == 0 { return [] }
    let isInWindow = offset >= windowStart && offset + Int64(count) <= windowStart + Int64(window.count)
    if !isInWindow { try load(max(count, Self.windowSize)) }
    let start = Int(offset - windowStart)
    guard start + count <= window.count else { return nil }
    offset += Int64(count)
    return window[start..<start + count]
  }

  /// Passes over `count` bytes without reading them; false when fewer are left.
  mutating func skip(_ count: Int64) -> Bool {
    guard count >= 0, count <= remaining else { return false }
    offset += count
    return true
  }

  /// The bytes up to the next newline, which is passed over, or nil when none comes. Of a long line only the first `limit` bytes are kept.
  mutating func line(keeping limit: Int) throws -> (bytes: [UInt8], isWhole: Bool)? {
    var kept: [UInt8] = []
    var isWhole = true
    while try fill() {
      let rest = window[Int(offset - windowStart)...]
      let end = rest.firstIndex(of: UInt8(ascii: "\n"))
      let piece = rest[..<(end ?? rest.endIndex)]
      isWhole = isWhole && kept.count + piece.count <= limit
      kept += piece.prefix(limit - kept.count)
      offset += Int64(piece.count)
      guard end == nil else {
        offset += 1
        return (kept, isWhole)
      }
    }
    return nil
  }

  private static let windowSize = 1 << 16

  /// Makes sure that the byte at `offset` is in the window; false at the end.
  private mutating func fill() throws -> Bool {
    if offset >= windowStart, offset < windowStart + Int64(window.count) { return true }
    try load(Self.windowSize)
    return !window.isEmpty
  }

  private mutating func load(_ count: Int) throws {
    window = try source.bytes(at: offset, count)
    windowStart = offset
  }
}
