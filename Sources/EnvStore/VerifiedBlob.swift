/// Blobs: how bytes get into the store and how they are proven again later.
import EnvCore
import Glibc
import Hashing
import SafeFS
import SystemPackage

/// Content whose digest has been proven. Only the store makes one.
public struct VerifiedBlob: Sendable, Hashable {
  public let digest: Digest
  /// Bytes.
  public let size: Int64
  public let path: FilePath

  fileprivate init(digest: Digest, size: Int64, path: FilePath) {
    self.digest = digest
    self.size = size
    self.path = path
  }
}

/// Takes the bytes of one blob on their way to the disk, hashing them as they pass.
public struct BlobWriter: ~Copyable {
  private var file: OwnedDescriptor
  private var hasher = SHA256Hasher()
  private let limit: Int64?
  private let object: String
  /// Bytes written so far.
  public private(set) var count: Int64 = 0

  fileprivate init(_ path: FilePath, limit: Int64?, object: String) throws {
    file = try OwnedDescriptor.create(path, mode: 0o444)
    self.limit = limit
    self.object = object
  }

  /// Appends bytes. More than were announced are refused at once, so that an endless body fills no disk.
  public mutating func write(_ bytes: RawSpan) throws {
    count += Int64(bytes.byteCount)
    if let limit, count > limit { throw StoreError.sizeMismatch(object: object, expected: limit, actual: count) }
    hasher.update(bytes)
    try file.write(bytes)
  }

  public mutating func write(_ bytes: [UInt8]) throws { try write(bytes.span.bytes) }

  /// Begins anew, for a source that cannot go on where it stopped.
  public mutating func reset() throws {
    try file.truncate()
    hasher = SHA256Hasher()
    count = 0
  }

  fileprivate consuming func finish() throws -> Digest {
    try file.sync()
    return hasher.finish()
  }
}

/// A blob on its way to the disk whose digest somebody else computes. Unless it is committed, nothing of it stays.
final class PendingBlob {
  private let store: Store
  private let path: FilePath
  /// A compressed blob is unpacked as it comes and seldom read again.
  private var file: UncachedWriter?
  private let size: Int64
  private let object: String
  private var count: Int64 = 0

  fileprivate init(store: Store, path: FilePath, size: Int64, object: String) throws {
    self.store = store
    self.path = path
    self.size = size
    self.object = object
    file = UncachedWriter(try OwnedDescriptor.create(path, mode: 0o444))
  }

  deinit { try? FileSystem.removeFile(path) }  // Gone already when it was committed; else the next command sweeps up what stays.

  /// Appends bytes. More than were announced are refused at once, so that an endless body fills no disk.
  func write(_ bytes: RawSpan) throws {
    count += Int64(bytes.byteCount)
    guard count <= size else { throw StoreError.sizeMismatch(object: object, expected: size, actual: count) }
    try file?.write(bytes)
  }

  /// Enters the store under the digest of the bytes written.
  func commit(_ digest: Digest) throws {
    guard count == size else { throw StoreError.sizeMismatch(object: object, expected: size, actual: count) }
    try file.take()?.finish().sync()
    _ = try store.enter(path, as: digest, size: count)
  }
}

extension Store {
  /// Puts a blob into the store: temporary file, hash while streaming, fsync, rename.
  ///
  /// With an expected digest, a blob that is there already is returned without calling `fill`, and two callers at once do the work once.
  /// - Parameters:
  ///   - size: Bytes the blob must have, where that is known.
  ///   - object: What the blob is, for messages.
  /// - Throws: `StoreError.digestMismatch` and `.sizeMismatch` when the bytes are not those expected; then nothing has entered the store.
  public func ingest(
    expecting expected: Digest? = nil, size: Int64? = nil, object: String, _ fill: (inout BlobWriter) throws -> Void
  ) throws -> VerifiedBlob {
    guard let expected else { return try write(expecting: nil, size: size, object: object, fill) }
    if let present = try blob(expected, object: object) {
      // Whether a document is acceptable must not depend on what the store happens to hold.
      if let size, present.size != size { throw StoreError.sizeMismatch(object: object, expected: size, actual: present.size) }
      return present
    }
    return try withLock("blob-" + expected.hex) {
      if let present = try blob(expected, object: object) { return present }
      return try write(expecting: expected, size: size, object: object, fill)
    }
  }

  /// Stores a document held in memory.
  public func ingest(_ bytes: [UInt8], object: String) throws -> VerifiedBlob {
    try ingest(expecting: .sha256(of: bytes), size: Int64(bytes.count), object: object) { try $0.write(bytes) }
  }

  /// The blob of this digest, proven: by its seal, or by reading it when the seal does not fit the file any more.
  ///
  /// - Throws: `StoreError.digestMismatch` when the file's content is not that of the digest.
  public func blob(_ digest: Digest, object: String) throws -> VerifiedBlob? {
    let path = blobPath(digest)
    guard let status = try FileSystem.status(path) else { return nil }
    let seal = Seal(status)
    if try readSeal(digest) != seal {
      try prove(digest, at: path, object: object)
      // The seal taken before the reading: a change during it will not fit.
      try write(seal, of: digest)
    }
    return VerifiedBlob(digest: digest, size: status.size, path: path)
  }

  /// The content of a small document, read and hashed in one go, whatever the seal says.
  public func readDocument(_ digest: Digest, limit: Int = 4 << 20, object: String) throws -> [UInt8]? {
    let path = blobPath(digest)
    guard FileSystem.exists(path) else { return nil }
    let bytes = try FileSystem.readFile(path, limit: limit)
    let actual = Digest.sha256(of: bytes)
    guard actual == digest else { throw StoreError.digestMismatch(object: object, expected: digest, actual: actual, path: path) }
    return bytes
  }

  /// Reads a blob's file from end to end and compares its digest.
  func prove(_ digest: Digest, at path: FilePath, object: String) throws {
    let actual = try Digest.sha256(ofFile: path)
    guard actual == digest else { throw StoreError.digestMismatch(object: object, expected: digest, actual: actual, path: path) }
  }

  /// Removes a blob; one that is not there is no error.
  public func removeBlob(_ digest: Digest) throws {
    try FileSystem.removeFile(sealPath(digest))
    try FileSystem.removeTree(blobPath(digest))  // A tree, because damage may have put a folder there.
  }

  private func write(
    expecting expected: Digest?, size: Int64?, object: String, _ fill: (inout BlobWriter) throws -> Void
  ) throws -> VerifiedBlob {
    let temporary = try temporaryPath("blob")
    do {
      var writer = try BlobWriter(temporary, limit: size, object: object)
      try fill(&writer)
      let count = writer.count
      if let size, count != size { throw StoreError.sizeMismatch(object: object, expected: size, actual: count) }
      let actual = try writer.finish()
      if let expected, actual != expected {
        throw StoreError.digestMismatch(object: object, expected: expected, actual: actual, path: nil)
      }
      return try enter(temporary, as: actual, size: count)
    } catch {
      try? FileSystem.removeFile(temporary)  // The next command sweeps up what stays; the first error is the one to tell.
      throw error
    }
  }

  /// Gives finished, synced content its name.
  fileprivate func enter(_ temporary: FilePath, as digest: Digest, size: Int64) throws -> VerifiedBlob {
    try FileSystem.rename(temporary, to: blobPath(digest))
    try FileSystem.syncDirectory(home.appending("blobs/sha256"))
    if let status = try FileSystem.status(blobPath(digest)) { try write(Seal(status), of: digest) }
    return VerifiedBlob(digest: digest, size: size, path: blobPath(digest))
  }

  /// Begins a blob whose bytes are hashed by whoever passes them on.
  func beginBlob(size: Int64, object: String) throws -> PendingBlob {
    try PendingBlob(store: self, path: try temporaryPath("blob"), size: size, object: object)
  }

  /// A lost or torn seal costs one more reading of the blob and nothing else, so it is not fsynced.
  private func write(_ seal: Seal, of digest: Digest) throws {
    let temporary = try temporaryPath("seal")
    do {
      let file = try OwnedDescriptor.create(temporary)
      try file.write(Array(seal.text.utf8).span.bytes)
    }
    try FileSystem.rename(temporary, to: sealPath(digest))
  }

  private func readSeal(_ digest: Digest) throws -> Seal? {
    let path = sealPath(digest)
    guard FileSystem.exists(path) else { return nil }
    return Seal(text: String(decoding: try FileSystem.readFile(path, limit: 200), as: UTF8.self))
  }
}

/// The identity of a file's inode when its content was proven.
///
/// Any later write changes `ctime`, which no program can set, so an unchanged seal means unchanged content for everything short of a
/// failing disk or somebody writing to the raw device. `envctl verify` reads every byte and trusts no seal.
struct Seal: Equatable {
  let text: String

  init(_ status: FileStatus) { text = "\(status.inode) \(status.size) \(status.modified) \(status.changed)\n" }
  init(text: String) { self.text = text }
}

extension Digest {
  /// The SHA-256 digest of a file's content, which is read piece by piece.
  ///
  /// - Parameter followingLink: A final symbolic link is an error unless it is to be followed.
  public static func sha256(ofFile path: FilePath, followingLink: Bool = false) throws -> Digest {
    let file = try followingLink ? OwnedDescriptor.open(path, O_RDONLY | O_NONBLOCK, mode: 0) : OwnedDescriptor.read(path)
    var hasher = SHA256Hasher()
    // Pieces that stay in the processor's cache.
    try file.forEachChunk(of: 1 << 17) { hasher.update($0) }
    return hasher.finish()
  }
}
