/// A bounded pipe of bytes between two threads of this process: what one stage of a pipeline hands the next, and how it learns of its end.
import Glibc

/// The reader of a pipe has gone; what the writer still has is not wanted.
public struct PipeClosed: Error {
  public init() {}
}

/// A ring of buffers with one writer and one reader, each on a thread of its own. A full ring stops the writer, an empty one the reader, so
/// that memory stays what it is however long the stream is.
///
/// Unchecked: the lock guards the indices, and a slot belongs to the writer or to the reader alone, by them.
public final class BytePipe: @unchecked Sendable {
  private let slotSize: Int
  private let slotCount: Int
  private let storage: UnsafeMutableRawBufferPointer
  private let counts: UnsafeMutablePointer<Int>
  private let lock: UnsafeMutablePointer<pthread_mutex_t>
  private let changed: UnsafeMutablePointer<pthread_cond_t>

  // Guarded by the lock.
  private var written = 0
  private var taken = 0
  private var isFinished = false
  private var failure: (any Error)?
  private var isCancelled = false

  /// Of the writer alone: how much of its slot is filled, and whether it has ended.
  private var filled = 0
  private var isEnded = false
  /// Of the reader alone: how many buffers it was handed, given back or not.
  private var handed = 0
  /// Of the reader alone: what `read` has not consumed of the buffer it is in the middle of.
  private var rest: UnsafeRawBufferPointer?

  /// A pipe that holds up to `slots` buffers of `slotSize` bytes.
  public init(slots: Int = 8, slotSize: Int = 256 << 10) {
    self.slotCount = slots
    self.slotSize = slotSize
    storage = .allocate(byteCount: slots * slotSize, alignment: 4096)
    counts = .allocate(capacity: slots)
    counts.initialize(repeating: 0, count: slots)
    lock = .allocate(capacity: 1)
    pthread_mutex_init(lock, nil)
    changed = .allocate(capacity: 1)
    pthread_cond_init(changed, nil)
  }

  deinit {
    pthread_cond_destroy(changed)
    changed.deallocate()
    pthread_mutex_destroy(lock)
    lock.deallocate()
    counts.deallocate()
    storage.deallocate()
  }

  // MARK: The writer

  /// Lets `body` put bytes into the free rest of a buffer, from its start, and say how many. A buffer is passed on once it is full, so
  /// that the reader is woken for a good deal of work and not for every piece.
  ///
  /// - Throws: `PipeClosed` when the reader has gone, or what `body` throws.
  /// - Returns: What `body` returned.
  public func fill(_ body: (inout MutableRawSpan) throws -> Int) throws -> Int {
    if filled == 0 { try waitForSlot() }
    let start = written % slotCount * slotSize
    // The slot is the writer's until `written` grows.
    var span = UnsafeMutableRawBufferPointer(rebasing: storage[start + filled..<start + slotSize]).mutableBytes
    let count = try body(&span)
    filled += count
    if filled == slotSize { passOn() }
    return count
  }

  private func waitForSlot() throws {
    pthread_mutex_lock(lock)
    while written - taken == slotCount, !isCancelled { pthread_cond_wait(changed, lock) }
    let isCancelled = isCancelled
    pthread_mutex_unlock(lock)
    if isCancelled { throw PipeClosed() }
  }

  private func passOn() {
    guard filled > 0 else { return }
    counts[written % slotCount] = filled
    filled = 0
    pthread_mutex_lock(lock)
    written += 1
    pthread_cond_signal(changed)
    pthread_mutex_unlock(lock)
  }

  /// Passes bytes on.
  public func write(_ bytes: RawSpan) throws {
    var rest = bytes
    while rest.byteCount > 0 {
      let count = try fill { span in
        let count = min(span.byteCount, rest.byteCount)
        span.withUnsafeMutableBytes { target in rest.withUnsafeBytes { target.copyMemory(from: .init(rebasing: $0[..<count])) } }
        return count
      }
      rest = rest.extracting(droppingFirst: count)
    }
  }

  /// Ends the stream, well or with an error that the reader then meets.
  ///
  /// Called by the writer, and only the first call counts.
  public func finish(throwing error: (any Error)? = nil) {
    if !isEnded { passOn() }
    isEnded = true
    pthread_mutex_lock(lock)
    if !isFinished {
      isFinished = true
      failure = error
    }
    pthread_cond_signal(changed)
    pthread_mutex_unlock(lock)
  }

  // MARK: The reader

  /// The oldest buffer that was not handed over yet, or nil at the end. All but the last are full.
  ///
  /// It is the reader's as long as the value lives, and no other's. Buffers are let go in the order in which they came. A reader uses
  /// this or `read`, not both.
  /// - Throws: The error the writer ended with, once everything before it was handed over.
  public func next() throws -> PipeBuffer? { try hand().map { PipeBuffer($0, of: self) } }

  /// Fills the span from its start and returns how many bytes it put there; 0 at the end.
  ///
  /// - Throws: As `next`.
  public func read(into span: inout MutableRawSpan) throws -> Int {
    guard let bytes = try rest ?? hand() else { return 0 }
    let count = min(bytes.count, span.byteCount)
    span.withUnsafeMutableBytes { $0.copyMemory(from: .init(rebasing: bytes[..<count])) }
    rest = count < bytes.count ? UnsafeRawBufferPointer(rebasing: bytes[count...]) : nil
    if rest == nil { giveBack() }
    return count
  }

  /// Calls `body` with one buffer after the other, in place and without a copy, until the end.
  ///
  /// Each begins at a multiple of the slot's size from a page's start, as direct writes want it (open(2), O_DIRECT).
  /// - Throws: As `next`, or what `body` throws.
  public func readAll(_ body: (RawSpan) throws -> Void) throws {
    while let buffer = try next() { try buffer.withBytes(0..<buffer.count, body) }
  }

  private func hand() throws -> UnsafeRawBufferPointer? {
    pthread_mutex_lock(lock)
    while written == handed, !isFinished { pthread_cond_wait(changed, lock) }
    let (isEmpty, slot, failure) = (written == handed, handed % slotCount, failure)
    pthread_mutex_unlock(lock)
    if isEmpty {
      if let failure { throw failure }
      return nil
    }
    handed += 1
    return UnsafeRawBufferPointer(rebasing: storage[slot * slotSize..<slot * slotSize + counts[slot]])
  }

  fileprivate func giveBack() {
    pthread_mutex_lock(lock)
    taken += 1
    pthread_cond_signal(changed)
    pthread_mutex_unlock(lock)
  }

  /// Tells the writer that nothing more is wanted.
  public func cancel() {
    pthread_mutex_lock(lock)
    isCancelled = true
    pthread_cond_signal(changed)
    pthread_mutex_unlock(lock)
  }
}

/// A buffer of a pipe in the hands of its reader, who gives it back by letting it go.
public final class PipeBuffer {
  /// For C; valid as long as this value lives.
  public let bytes: UnsafeRawBufferPointer
  private let pipe: BytePipe?

  fileprivate init(_ bytes: UnsafeRawBufferPointer, of pipe: BytePipe?) {
    self.bytes = bytes
    self.pipe = pipe
  }

  deinit { pipe?.giveBack() }

  /// Never written to.
  nonisolated(unsafe) private static let zeroBlock: UnsafeRawBufferPointer = {
    let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 512, alignment: 16)
    block.initializeMemory(as: UInt8.self, repeating: 0)
    return UnsafeRawBufferPointer(block)
  }()

  /// Zeros that were in no pipe, 512 at most.
  public static func zeros(_ count: Int) -> PipeBuffer { PipeBuffer(UnsafeRawBufferPointer(rebasing: zeroBlock[..<count]), of: nil) }

  public var count: Int { bytes.count }

  /// Calls `body` with the bytes of a range.
  public func withBytes<Value>(_ range: Range<Int>, _ body: (RawSpan) throws -> Value) rethrows -> Value {
    try body(UnsafeRawBufferPointer(rebasing: bytes[range]).bytes)
  }
}
