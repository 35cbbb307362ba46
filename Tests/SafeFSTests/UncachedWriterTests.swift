/// Writing past the page cache: every byte arrives, whatever the lengths and whether or not the file system can do it.
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import SafeFS

@Suite struct UncachedWriterTests {
  private static let piece = UncachedWriter.bufferSize

  @Test(
    "content is the same for every length around the buffer's", arguments: [0, 1, 4095, 4096, piece - 1, piece, piece + 1, 3 * piece + 513])
  func lengths(_ count: Int) throws {
    let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 12) }
    try withTemporaryFolder { folder in
      let path = folder.appending("file")
      let writer = UncachedWriter(try OwnedDescriptor.create(path))
      var (offset, turn) = (0, 0)
      // Pieces of uneven lengths, some larger than the buffer.
      let steps = [1, 511, 70_000, 2 * Self.piece + 3]
      while offset < count {
        let end = min(count, offset + steps[turn % steps.count])
        try writer.write(bytes.span.bytes.extracting(offset..<end))
        (offset, turn) = (end, turn + 1)
      }
      let file = try writer.finish()
      #expect(try file.status().size == count)
      // The flag is off again: the rest of a file need not be aligned.
      try file.write(([1, 2, 3] as [UInt8]).span.bytes)
      #expect(try FileSystem.readFile(path) == bytes + [1, 2, 3])
    }
  }

  @Test("a file system without O_DIRECT gets the same bytes") func withoutDirect() throws {
    // Files of proc accept no such flag, and a pipe has no blocks.
    var ends: [CInt] = [0, 0]
    try #require(pipe(&ends) == 0)
    let (reader, output) = (ends[0], ends[1])
    defer { close(reader) }
    let writer = UncachedWriter(OwnedDescriptor(owning: output, path: "pipe"))
    try writer.write(([9, 8, 7] as [UInt8]).span.bytes)
    let file = try writer.finish()
    var received = [UInt8](repeating: 0, count: 8)
    #expect(read(reader, &received, 8) == 3)
    #expect(received.prefix(3) == [9, 8, 7])
    withExtendedLifetime(file) {}
  }

  @Test("a disk that is full is told, by a write or at the end, and again when asked again") func fullDisk() throws {
    let writer = UncachedWriter(try OwnedDescriptor.open("/dev/full", O_WRONLY, mode: 0))
    let bytes = [UInt8](repeating: 1, count: Self.piece)
    let failure = #expect(throws: FileSystemError.self) {
      // The error is met on another thread; the buffers are full long before the hundredth.
      for _ in 0..<100 { try writer.write(bytes.span.bytes) }
    }
    #expect(failure?.errno == .noSpace)
    #expect(throws: FileSystemError.self) { _ = try writer.finish() }
    let short = UncachedWriter(try OwnedDescriptor.open("/dev/full", O_WRONLY, mode: 0))
    try short.write(([1, 2, 3] as [UInt8]).span.bytes)
    #expect(throws: FileSystemError.self) { _ = try short.finish() }
  }
}
