/// Reading a part of a file whose end is not the file's: a member of an archive, a range.
import CLinux
import Glibc

extension OwnedDescriptor {
  /// Reads up to `limit` bytes, or the span's length where that is less; 0 at the end of the file.
  public borrowing func read(into span: inout MutableRawSpan, atMost limit: Int) throws(FileSystemError) -> Int {
    let raw = rawValue
    return try check("read", path) { span.withUnsafeMutableBytes { Glibc.read(raw, $0.baseAddress, min(limit, $0.count)) } }
  }
}
