/// How bytes enter the store, and how the store knows later that they are still the same.
import EnvCore
import Hashing
import SafeFS
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import EnvStore

@Suite struct IngestTests {
  static let bytes = Array("some content".utf8)
  static let digest = Digest.sha256(of: bytes)

  /// Nothing has entered the store and nothing unfinished lies around.
  private func expectEmpty(_ store: Store) throws {
    #expect(try FileSystem.list(store.home.appending("blobs/sha256")).isEmpty)
    for name in try FileSystem.list(store.home.appending("tmp")) where !name.hasSuffix(".lock") {
      #expect(try FileSystem.list(store.home.appending("tmp").appending(name)).isEmpty)
    }
  }

  @Test func stored() throws {
    try withStore { store in
      let blob = try store.ingest(expecting: Self.digest, size: 12, object: "blob") { writer in
        for byte in Self.bytes { try writer.write([byte]) }
      }
      #expect(blob.digest == Self.digest)
      #expect(blob.size == 12)
      #expect(try FileSystem.readFile(blob.path) == Self.bytes)
      #expect(try store.ingest(expecting: Self.digest, object: "again") { _ in Issue.record("the blob is there already") } == blob)
      #expect(try store.ingest(object: "unannounced") { try $0.write(Self.bytes) } == blob)
      #expect(try store.blob(Self.digest, object: "blob") == blob)
      #expect(try store.readDocument(Self.digest, object: "blob") == Self.bytes)
    }
  }

  @Test func reset() throws {
    try withStore { store in
      let blob = try store.ingest(expecting: Self.digest, size: 12, object: "blob") { writer in
        try writer.write(Array("some".utf8))
        try writer.reset()
        #expect(writer.count == 0)
        try writer.write(Self.bytes)
      }
      #expect(try FileSystem.readFile(blob.path) == Self.bytes)
    }
  }

  @Test func wrongDigest() throws {
    try withStore { store in
      let chain = failure { _ = try store.ingest(expecting: Self.digest, object: "layer 1 of x") { try $0.write(Array("other".utf8)) } }
      #expect(chain?.exitCode == .verification)
      let actual = Digest.sha256(of: Array("other".utf8))
      #expect(chain?.summaries == ["layer 1 of x is damaged: expected \(Self.digest), found \(actual)"])
      try expectEmpty(store)
    }
  }

  @Test(arguments: [0, 11, 13]) func wrongSize(_ size: Int64) throws {
    try withStore { store in
      let chain = failure { _ = try store.ingest(expecting: Self.digest, size: size, object: "x") { try $0.write(Self.bytes) } }
      #expect(chain?.exitCode == .verification)
      #expect(chain?.summaries == ["x has 12 bytes, expected \(size)"])
      try expectEmpty(store)
    }
  }

  @Test("an endless body is refused when it is longer than announced") func endless() throws {
    try withStore { store in
      let piece = [UInt8](repeating: 0, count: 1000)
      var written = 0
      #expect(throws: StoreError.self) {
        _ = try store.ingest(expecting: Self.digest, size: 5000, object: "x") { writer in
          while true {
            try writer.write(piece)
            written += piece.count
          }
        }
      }
      #expect(written == 5000)
      try expectEmpty(store)
    }
  }

  @Test("an error of the source leaves nothing behind") func failingSource() throws {
    try withStore { store in
      #expect(throws: Errno.ioError) {
        _ = try store.ingest(expecting: Self.digest, object: "x") { writer in
          try writer.write(Self.bytes)
          throw Errno.ioError
        }
      }
      try expectEmpty(store)
    }
  }

  @Test("several threads do the work once") func together() throws {
    try withStore { store in
      let fills = Atomic(0)
      let blobs = try concurrentMap(Array(0..<8), width: 8) { _ in
        try store.ingest(expecting: Self.digest, object: "x") { writer in
          fills.add(1, ordering: .relaxed)
          try writer.write(Self.bytes)
        }
      }
      #expect(fills.load(ordering: .relaxed) == 1)
      #expect(Set(blobs).count == 1)
    }
  }

  @Test("who waits for a blob that another one fails to bring brings it") func takeOver() throws {
    try withStore { store in
      let fills = Atomic(0)
      let outcomes = try concurrentMap(Array(0..<4), width: 4) { _ in
        try? store.ingest(expecting: Self.digest, object: "x") { writer in
          let isFirst = fills.add(1, ordering: .relaxed).oldValue == 0
          try writer.write(isFirst ? Array("broken".utf8) : Self.bytes)
        }
      }
      #expect(outcomes.count { $0 == nil } == 1)
      #expect(fills.load(ordering: .relaxed) == 2)
    }
  }

  @Test("a changed byte is found, even when the modification time was set back") func changed() throws {
    try withStore { store in
      let blob = try store.ingest(Self.bytes, object: "x")
      try flipByte(blob.path, at: 3)
      for _ in 0..<2 {
        let chain = failure { _ = try store.blob(Self.digest, object: "layer 3") }
        #expect(chain?.exitCode == .verification)
        #expect(chain?.summaries.first?.hasPrefix("layer 3 is damaged: expected \(Self.digest), found sha256:") == true)
      }
      #expect(throws: StoreError.self) { _ = try store.readDocument(Self.digest, object: "x") }
      #expect(throws: StoreError.self) {
        _ = try store.ingest(expecting: Self.digest, object: "x") { _ in Issue.record("damage must be told, not covered") }
      }
    }
  }

  @Test("a blob that was only touched is proven again and keeps its place") func touched() throws {
    try withStore { store in
      let blob = try store.ingest(Self.bytes, object: "x")
      var folder = try RootDirectory(blob.path.removingLastComponent())
      try folder.setModified(RelativePath(Self.digest.hex), nanoseconds: 5)
      let seal = store.sealPath(Self.digest)
      let before = try FileSystem.readFile(seal)
      #expect(try store.blob(Self.digest, object: "x") == blob)
      #expect(try FileSystem.readFile(seal) != before)
      try FileSystem.removeFile(seal)
      #expect(try store.blob(Self.digest, object: "x") == blob)
      #expect(FileSystem.exists(seal))
    }
  }

  @Test("a document larger than its limit is refused before it fills the memory") func documentLimit() throws {
    try withStore { store in
      let blob = try store.ingest([UInt8](repeating: 1, count: 100_000), object: "x")
      #expect(throws: FileSystemError.self) { _ = try store.readDocument(blob.digest, limit: 99_999, object: "x") }
    }
  }
}
