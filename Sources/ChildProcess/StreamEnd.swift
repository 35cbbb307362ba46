/// One end of a child's standard stream in this process, closed exactly once when it is ours.
import Glibc

/// A descriptor that is closed with its owner, unless it was only borrowed.
struct StreamEnd: ~Copyable {
  let descriptor: CInt
  private let isOwned: Bool

  init(owning descriptor: CInt) {
    self.descriptor = descriptor
    self.isOwned = true
  }

  init(borrowing descriptor: CInt) {
    self.descriptor = descriptor
    self.isOwned = false
  }

  deinit {
    if isOwned { close(descriptor) }
  }

  /// Up to 64 KiB that are there to read now. Empty at the end of the stream.
  func readChunk() -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 65536) { buffer, count in
      var result: Int
      repeat { result = read(descriptor, buffer.baseAddress, buffer.count) } while result < 0 && errno == EINTR
      count = max(0, result)
    }
  }
}

/// Both ends of a stream while the child is being started.
struct ChildStream: ~Copyable {
  let childEnd: StreamEnd
  private var parentEnd: StreamEnd?

  init(childEnd: consuming StreamEnd, parentEnd: consuming StreamEnd?) {
    self.childEnd = childEnd
    self.parentEnd = parentEnd
  }

  /// Our end; the child's is closed here, because it has its own copy.
  consuming func takeParentEnd() -> StreamEnd? { parentEnd.take() }
}
