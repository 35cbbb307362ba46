/// The one pass over a layer: source → SHA-256 of the blob → inflate → SHA-256 of the tar → files, its stages on threads of their own.
import Compression
import EnvCore
import Hashing
import OCI
import SafeFS
import Synchronization
import SystemPackage

/// Hands a layer's blob over, piece by piece and in order; the receiver throws when nothing more is wanted.
public typealias LayerSource = @Sendable (_ receive: (RawSpan) throws -> Void) throws -> Void

/// What one pass brought about.
struct LayerPass {
  /// The extraction's error, when the files could not be made; the blob was read to its end all the same.
  var failure: (any Error)?
  var blob: Digest
  /// Digest of the uncompressed tar; nil when it was not read to its end.
  var tar: Digest?
}

/// One layer on its way. The calling thread hashes the blob, keeps it where that is wanted, and inflates; the source has a thread of its own,
/// and so have the files, which are hashed one by one together with the tar. Memory is that of the two pipes, whatever the layer's size.
struct LayerPipeline {
  let compression: LayerCompression
  let object: String
  /// The most bytes the tar and its files may have.
  let limit: Int64
  /// Whether the blob is wanted even if its files cannot be made now.
  let isBlobKept: Bool

  /// A layer may claim anything, and deflate reaches 1:1032. Real layers stay below 1:50; what goes beyond 1:250 fills disks.
  static func limit(blobSize: Int64) -> Int64 { 256 << 20 + 250 * min(blobSize, 1 << 40) }

  /// Runs the pass.
  ///
  /// - Parameters:
  ///   - keep: Takes the blob's bytes as they come.
  ///   - files: Makes the files from the tar, on another thread. It need not read on to the end.
  ///   - progress: Bytes of the blob, as they are taken.
  /// - Throws: What the source or `keep` throws. An error of the content is in the result, beside the digest that usually explains it.
  func run(
    from source: @escaping LayerSource, keep: @escaping (RawSpan) throws -> Void, progress: @escaping @Sendable (Int64) -> Void,
    files: @escaping @Sendable (TarStream) throws -> Void
  ) throws -> LayerPass {
    let (compressed, plain) = (BytePipe(slots: 4), BytePipe(slots: 8))
    let fetching = Thread {
      do {
        try source { try compressed.write($0) }
        compressed.finish()
      } catch {
        compressed.finish(throwing: error)
      }
    }
    let made = Mutex<MadeFiles>(MadeFiles())
    let making = Thread { [self] in
      let result = makeFiles(from: plain, files)
      made.withLock { $0 = result }
    }
    let blob = BlobTap(compressed, progress: progress, keep: keep)
    var failure = inflate(from: blob, into: plain)
    // `inflate` has ended the stream, so the files end as well.
    making.join()
    let files = made.withLock { $0 }
    // The reader's error explains more than the writer's, who only saw it go.
    if failure == nil || failure is PipeClosed { failure = files.failure }
    let sourceFailure = failure is LayerNeedsLower && !isBlobKept ? nil : blob.drain()
    compressed.cancel()
    fetching.join()
    if let sourceFailure { throw sourceFailure }
    return LayerPass(failure: failure, blob: blob.digest(), tar: files.tar)
  }

  /// Passes the tar on until its end, or until the error that it returns.
  private func inflate(from blob: BlobTap, into plain: BytePipe) -> (any Error)? {
    do {
      let pull: Pull =
        switch compression {
        case .uncompressed: { try blob.read(into: &$0) }
        case .gzip: try decompressing(.gzip, object: object) { try blob.read(into: &$0) }
        case .zstd: try decompressing(.zstd, object: object) { try blob.read(into: &$0) }
        }
      var count: Int64 = 0
      while true {
        let piece = try plain.fill(pull)
        if piece == 0 { break }
        count += Int64(piece)
        guard count <= limit else { throw StoreError.decompressionBomb(object: object, limit: limit) }
      }
      plain.finish()
      return nil
    } catch {
      plain.finish(throwing: error)
      return error
    }
  }

  /// What came of the files, and the digest of their tar, where that was read to its end.
  private struct MadeFiles {
    var failure: (any Error)?
    var tar: Digest?
  }

  private func makeFiles(from plain: BytePipe, _ files: (TarStream) throws -> Void) -> MadeFiles {
    let stream = TarStream(plain)
    do {
      var needsLower: LayerNeedsLower?
      do {
        try files(stream)
      } catch let error as LayerNeedsLower where isBlobKept {
        // Nothing is wrong with the tar, and a later pass will rely on its digest.
        needsLower = error
      }
      return MadeFiles(failure: needsLower, tar: try stream.finish())
    } catch {
      plain.cancel()
      return MadeFiles(failure: error)
    }
  }
}

/// The blob as it passes: hashed, and kept where that is wanted.
private final class BlobTap {
  private let pipe: BytePipe
  private let progress: (Int64) -> Void
  private let keep: (RawSpan) throws -> Void
  private var hasher = HashState()
  /// An error of the source or of keeping, which ends the pass.
  private var failure: (any Error)?

  init(_ pipe: BytePipe, progress: @escaping (Int64) -> Void, keep: @escaping (RawSpan) throws -> Void) {
    self.pipe = pipe
    self.progress = progress
    self.keep = keep
  }

  func read(into span: inout MutableRawSpan) throws -> Int {
    do {
      let count = try pipe.read(into: &span)
      let bytes = span.bytes.extracting(first: count)
      hasher.update(bytes)
      try keep(bytes)
      progress(Int64(count))
      return count
    } catch {
      failure = error
      throw error
    }
  }

  /// Reads what the decompressor left, so that the digest covers the whole blob. What the source or keeping threw, then or before.
  func drain() -> (any Error)? {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    do {
      while failure == nil {
        var bytes = buffer.mutableSpan
        var span = bytes.mutableBytes
        if try read(into: &span) == 0 { break }
      }
    } catch {}  // `read` has noted it.
    return failure
  }

  func digest() -> Digest { hasher.digest() }
}

/// A hasher inside a class: a non-copyable value can be consumed only once, so the digest is remembered.
private struct HashState: ~Copyable {
  private var hasher: SHA256Hasher? = SHA256Hasher()
  private var result: Digest?

  mutating func update(_ bytes: RawSpan) { hasher?.update(bytes) }

  mutating func digest() -> Digest {
    if let result { return result }
    guard let finished = hasher.take()?.finish() else { preconditionFailure("a hasher is consumed once") }
    result = finished
    return finished
  }
}
