/// The pipe between two stages: every size around its slots, both ends slow, both ends failing.
import Glibc
import Synchronization
import Testing

@testable import EnvCore

@Suite struct BytePipeTests {
  private struct Broken: Error, Equatable {}

  private static func bytes(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 / 256) } }

  /// Everything the pipe delivers, in reads of `piece` bytes.
  private static func drain(_ pipe: BytePipe, piece: Int = 1000, pause: useconds_t = 0) throws -> [UInt8] {
    var all: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: piece)
    while true {
      if pause > 0 { usleep(pause) }
      var bytes = buffer.mutableSpan
      var span = bytes.mutableBytes
      let count = try pipe.read(into: &span)
      if count == 0 { return all }
      all += buffer[..<count]
    }
  }

  /// Writes on a thread of its own while `body` reads.
  private func writing<Value>(_ pipe: BytePipe, _ write: @escaping @Sendable () -> Void, _ body: () throws -> Value) rethrows -> Value {
    let thread = Thread(write)
    defer { thread.join() }
    return try body()
  }

  @Test(arguments: [0, 1, 15, 16, 17, 31, 32, 33, 47, 48, 49, 64, 1000], [1, 7, 16, 17, 1000])
  func everySizeAroundTheSlots(total: Int, piece: Int) throws {
    let pipe = BytePipe(slots: 3, slotSize: 16)
    let sent = Self.bytes(total)
    let received = try writing(
      pipe,
      {
        for start in stride(from: 0, to: total, by: piece) { try? pipe.write(sent[start..<min(total, start + piece)].span.bytes) }
        pipe.finish()
      }
    ) { try Self.drain(pipe, piece: piece) }
    #expect(received == sent)
  }

  @Test(arguments: [(0, 200), (200, 0)] as [(useconds_t, useconds_t)]) func oneEndIsSlow(writer: useconds_t, reader: useconds_t) throws {
    let pipe = BytePipe(slots: 2, slotSize: 64)
    let sent = Self.bytes(10_000)
    let received = try writing(
      pipe,
      {
        for start in stride(from: 0, to: sent.count, by: 50) {
          if writer > 0 { usleep(writer) }
          try? pipe.write(sent[start..<start + 50].span.bytes)
        }
        pipe.finish()
      }
    ) { try Self.drain(pipe, piece: 77, pause: reader) }
    #expect(received == sent)
  }

  @Test func aFullPipeStopsTheWriter() throws {
    let pipe = BytePipe(slots: 2, slotSize: 10)
    let written = Written()
    let received = try writing(
      pipe,
      {
        for byte in 0..<100 {
          try? pipe.write([UInt8(byte)].span.bytes)
          written.count.add(1, ordering: .relaxed)
        }
        pipe.finish()
      }
    ) {
      usleep(50_000)
      // Both slots are full; the next byte waits.
      #expect(written.count.load(ordering: .relaxed) == 20)
      return try Self.drain(pipe)
    }
    #expect(received == (0..<100).map { UInt8($0) })
  }

  @Test func theReaderMeetsTheWritersErrorAfterTheBytes() throws {
    let pipe = BytePipe(slots: 2, slotSize: 10)
    writing(
      pipe,
      {
        try? pipe.write(Self.bytes(25).span.bytes)
        pipe.finish(throwing: Broken())
        // Only the first ending counts.
        pipe.finish()
      }
    ) {
      var received: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 7)
      #expect(throws: Broken.self) {
        while true {
          var bytes = buffer.mutableSpan
          var span = bytes.mutableBytes
          let count = try pipe.read(into: &span)
          if count == 0 { break }
          received += buffer[..<count]
        }
      }
      #expect(received == Self.bytes(25))
    }
  }

  @Test func aWriterThatWaitsIsToldThatTheReaderHasGone() throws {
    let pipe = BytePipe(slots: 2, slotSize: 10)
    let outcome = Outcome()
    writing(
      pipe,
      {
        do { try pipe.write(Self.bytes(1000).span.bytes) } catch { outcome.error.withLock { $0 = error } }
        pipe.finish(throwing: PipeClosed())
      }
    ) {
      usleep(20_000)
      pipe.cancel()
    }
    #expect(outcome.error.withLock { $0 } is PipeClosed)
  }

  @Test func aCancelledPipeTakesNothingMore() {
    let pipe = BytePipe(slots: 2, slotSize: 10)
    pipe.cancel()
    #expect(throws: PipeClosed.self) { try pipe.write([1].span.bytes) }
    pipe.finish()
  }

  @Test func whatTheFillerThrowsComesOutAndLosesNothing() throws {
    let pipe = BytePipe(slots: 2, slotSize: 10)
    try pipe.write(Self.bytes(4).span.bytes)
    #expect(throws: Broken.self) { try pipe.fill { _ in throw Broken() } }
    try pipe.write(Self.bytes(3).span.bytes)
    pipe.finish()
    #expect(try Self.drain(pipe) == Self.bytes(4) + Self.bytes(3))
  }

  @Test(arguments: [0, 1, 15, 16, 17, 48, 1000]) func wholeBuffersInPlace(total: Int) throws {
    let pipe = BytePipe(slots: 3, slotSize: 16)
    let sent = Self.bytes(total)
    var (received, lengths): ([UInt8], [Int]) = ([], [])
    try writing(
      pipe,
      {
        try? pipe.write(sent.span.bytes)
        pipe.finish()
      },
      {
        try pipe.readAll { bytes in
          lengths.append(bytes.byteCount)
          bytes.withUnsafeBytes { received += $0 }
        }
      })
    #expect(received == sent)
    #expect(lengths.dropLast().allSatisfy { $0 == 16 })
    #expect(lengths.count == (total + 15) / 16)
  }

  @Test func anErrorComesAfterTheBuffersBeforeIt() throws {
    let pipe = BytePipe(slots: 3, slotSize: 16)
    try pipe.write(Self.bytes(20).span.bytes)
    pipe.finish(throwing: Broken())
    var count = 0
    #expect(throws: Broken.self) { try pipe.readAll { count += $0.byteCount } }
    #expect(count == 20)
  }
}

/// What the writer's thread tells.
private final class Written: Sendable {
  let count = Atomic<Int>(0)
}

private final class Outcome: Sendable {
  let error = Mutex<(any Error)?>(nil)
}
