/// Reading of a part of a file: a member of an archive, a range, a piece anywhere in it.
import CLinux
import Glibc

extension OwnedDescriptor {
  /// Reads up to `limit` bytes, or the span's length where that is less; 0 at the end of the file.
  public borrowing func read(into span: inout MutableRawSpan, atMost limit: Int) throws(FileSystemError) -> Int {
    let raw = rawValue
    return try check("read", path) { span.withUnsafeMutableBytes { Glibc.read(raw, $0.baseAddress, min(limit, $0.count)) } }
  }

  /// What can be read now, at most `limit` bytes, waited for when there is nothing yet; empty at the end of the file.
  public borrowing func readPiece(atMost limit: Int) throws(FileSystemError) -> [UInt8] {
    let raw = rawValue
    var bytes = [UInt8](repeating: 0, count: limit)
    let count = try check("read", path) { Glibc.read(raw, &bytes, limit) }
    return Array(bytes[..<count])
  }
}

extension OwnedDescriptor {
  /// Reads up to the span's length from `offset`, wherever the descriptor stands; 0 at the end of the file.
  public borrowing func read(into span: inout MutableRawSpan, at offset: Int64) throws(FileSystemError) -> Int {
    let raw = rawValue
    return try check("pread", path) { span.withUnsafeMutableBytes { Glibc.pread(raw, $0.baseAddress, $0.count, off_t(offset)) } }
  }
}
