/// A layer's tar on its way to the files: hashed as it passes, side by side with the files, whose bytes are the tar's.
import EnvCore
import Hashing

/// Hands out the buffers of the tar and computes its digest. Used by one thread.
final class TarStream {
  /// pax(1), "ustar Interchange Format": an archive is a sequence of blocks of 512 bytes.
  private static let block = 512

  private let pipe: BytePipe
  private var hasher: SHA256Hasher? = SHA256Hasher()
  /// The buffer last handed out, whose bytes from `hashed` on are not in the digest yet.
  private var buffer: PipeBuffer?
  private var hashed = 0
  private var size = 0
  /// Whether zeros were handed out that are not in the tar.
  private(set) var isPadded = false

  init(_ pipe: BytePipe) { self.pipe = pipe }

  /// The next bytes of the tar; nil at its end.
  ///
  /// Programs in Go end a tar with the last file's bytes when its writer is not closed (`umoci insert` 0.4.7). Everything is there but the zeros
  /// that fill its last block, which libarchive waits for; they are handed out here and are no part of the digest.
  func next() throws -> PipeBuffer? {
    hashRest()
    buffer = try pipe.next()
    hashed = 0
    size += buffer?.count ?? 0
    guard buffer == nil, !isPadded, size % Self.block != 0 else { return buffer }
    isPadded = true
    return .zeros(Self.block - size % Self.block)
  }

  /// Adds bytes to a file's digest, and as many of those that wait to that of the tar.
  ///
  /// Which bytes those are does not matter, only that both digests get theirs in order; nearly always they are the file's own.
  func hash(_ bytes: RawSpan, into file: inout SHA256Hasher) {
    guard let waiting = buffer, var tar = hasher.take() else { return file.update(bytes) }
    let end = min(hashed + bytes.byteCount, waiting.count)
    waiting.withBytes(hashed..<end) { SHA256Hasher.update(&tar, $0, &file, bytes) }
    hashed = end
    hasher = consume tar
  }

  /// Reads on to the end, since what follows the archive belongs to the digest. The digest of the whole; asked for once.
  func finish() throws -> Digest {
    while try next() != nil {}
    guard let digest = hasher.take()?.finish() else { preconditionFailure("a stream is finished once") }
    return digest
  }

  private func hashRest() {
    guard let rest = buffer.take() else { return }
    rest.withBytes(hashed..<rest.count) { hasher?.update($0) }
  }
}
