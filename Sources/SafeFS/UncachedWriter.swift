/// Writing past the page cache: what a store keeps for later must not push out what the machine works with now.
import CLinux
import Glibc

/// Fills a new file with `O_DIRECT` (open(2)) from an aligned buffer, and through the page cache where the file system has no such thing.
///
/// A gigabyte written the usual way takes a gigabyte of memory from everything that was cached, and costs the processor a copy into pages
/// that are touched for the first time; on a virtual machine that copy alone can be slower than the disk.
public struct UncachedWriter: ~Copyable {
  private let file: OwnedDescriptor
  private let buffer = AlignedBuffer()
  private var filled = 0
  private var isDirect: Bool

  /// Takes over a file that was opened for writing and is empty.
  public init(_ file: consuming OwnedDescriptor) {
    isDirect = Self.setDirect(true, file.rawValue)
    self.file = file
  }

  /// Appends bytes.
  public mutating func write(_ bytes: RawSpan) throws(FileSystemError) {
    var rest = bytes
    while rest.byteCount > 0 {
      let count = min(rest.byteCount, AlignedBuffer.size - filled)
      let target = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[filled..<filled + count])
      rest.withUnsafeBytes { target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
      filled += count
      if filled == AlignedBuffer.size { try flush() }
      rest = rest.extracting(droppingFirst: count)
    }
  }

  /// Writes the rest and gives the file back. It is not synced.
  public consuming func finish() throws(FileSystemError) -> OwnedDescriptor {
    // The end of a file is seldom a whole number of blocks.
    leaveDirect()
    try flush()
    return file
  }

  private mutating func flush() throws(FileSystemError) {
    var written = 0
    while written < filled {
      let rest = UnsafeRawBufferPointer(rebasing: buffer.bytes[written..<filled])
      let raw = file.rawValue
      do {
        written += try check("write", file.path) { Glibc.write(raw, rest.baseAddress, rest.count) }
      } catch  where error.errno == .invalidArgument && isDirect {
        // Some file systems accept the flag and refuse the call, and after a short write the position is no block's.
        leaveDirect()
      }
    }
    filled = 0
  }

  private mutating func leaveDirect() {
    if isDirect { _ = Self.setDirect(false, file.rawValue) }
    isDirect = false
  }

  private static func setDirect(_ isDirect: Bool, _ file: CInt) -> Bool {
    let flags = fcntl(file, F_GETFL)
    return flags >= 0 && fcntl(file, F_SETFL, isDirect ? flags | cl_o_direct : flags & ~cl_o_direct) == 0
  }
}

/// Memory at an address that every disk accepts.
final class AlignedBuffer {
  /// Bytes written at once; a multiple of every logical block size.
  static let size = 1 << 20

  let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: AlignedBuffer.size, alignment: 4096)
  deinit { bytes.deallocate() }
}
