/// Writing past the page cache: what a store keeps for later must not push out what the machine works with now.
import CLinux
import EnvCore
import Glibc

/// Fills a new file with `O_DIRECT` (open(2)) from aligned buffers, and through the page cache where the file system has no such thing.
///
/// A gigabyte written the usual way takes a gigabyte of memory from everything that was cached, and costs the processor a copy into pages
/// that are touched for the first time; on a virtual machine that copy alone can be slower than the disk. A direct write waits for the
/// disk instead, so it has a thread of its own, and the caller fills the next buffer meanwhile.
public final class UncachedWriter {
  /// Bytes written at once; a multiple of every logical block size.
  static let bufferSize = 1 << 20

  private let buffers = BytePipe(slots: 2, slotSize: UncachedWriter.bufferSize)
  private let output: DirectOutput
  private let thread: EnvCore.Thread
  private var isJoined = false

  /// Takes over a file that was opened for writing and is empty.
  public init(_ file: consuming OwnedDescriptor) {
    let (output, buffers) = (DirectOutput(file), buffers)
    self.output = output
    thread = EnvCore.Thread { output.write(buffers) }
  }

  deinit { join() }

  /// Appends bytes. An error may be that of an earlier call's bytes.
  public func write(_ bytes: RawSpan) throws(FileSystemError) {
    do {
      try buffers.write(bytes)
    } catch {
      // The pipe is closed when the thread has met an error, and only then.
      join()
      try output.rethrow()
      preconditionFailure("a pipe was closed without an error")
    }
  }

  /// Writes the rest and gives the file back; call it once. It is not synced.
  public func finish() throws(FileSystemError) -> OwnedDescriptor {
    join()
    try output.rethrow()
    guard let file = output.file.take() else { preconditionFailure("a file is finished once") }
    return file
  }

  private func join() {
    guard !isJoined else { return }
    isJoined = true
    buffers.finish()
    thread.join()
  }
}

/// The file, and the thread's work on it.
///
/// Unchecked: it is the thread's until that is joined, and its owner's from then on.
private final class DirectOutput: @unchecked Sendable {
  var file: OwnedDescriptor?
  private var failure: FileSystemError?
  private var isDirect: Bool

  init(_ file: consuming OwnedDescriptor) {
    isDirect = Self.setDirect(true, file.rawValue)
    self.file = consume file
  }

  func rethrow() throws(FileSystemError) {
    if let failure { throw failure }
  }

  /// Writes all that the pipe brings.
  func write(_ buffers: BytePipe) {
    do {
      try buffers.readAll { try write($0) }
      leaveDirect()
    } catch {
      failure = error as? FileSystemError
      buffers.cancel()
    }
  }

  private func write(_ bytes: RawSpan) throws(FileSystemError) {
    guard let raw = file?.rawValue, let path = file?.path else { preconditionFailure("the file was given back") }
    // The end of a file is seldom a whole number of blocks.
    if bytes.byteCount < UncachedWriter.bufferSize { leaveDirect() }
    var written = 0
    while written < bytes.byteCount {
      do {
        let rest = bytes.extracting(droppingFirst: written)
        written += try check("write", path) { rest.withUnsafeBytes { Glibc.write(raw, $0.baseAddress, $0.count) } }
      } catch  where error.errno == .invalidArgument && isDirect {
        // Some file systems accept the flag and refuse the call, and after a short write the position is no block's.
        leaveDirect()
      }
    }
  }

  private func leaveDirect() {
    if isDirect, let raw = file?.rawValue { _ = Self.setDirect(false, raw) }
    isDirect = false
  }

  private static func setDirect(_ isDirect: Bool, _ file: CInt) -> Bool {
    let flags = fcntl(file, F_GETFL)
    return flags >= 0 && fcntl(file, F_SETFL, isDirect ? flags | cl_o_direct : flags & ~cl_o_direct) == 0
  }
}
