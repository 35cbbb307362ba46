/// From blobs to unpacked layers: digests on the way, the work done once, and proof that nobody changed a file since.
import EnvCore
import Glibc
import Hashing
import OCI
import SafeFS
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import EnvStore

@Suite(.needs(.root))
struct MaterialiseTests {
  static let items: [TarItem] = [
    .folder("bin"), .file("bin/tool", "tool content", mode: 0o755), .symlink("bin/link", to: "tool"), .folder("etc"),
    .file("etc/odd name\n=#", "x"), .hardlink("etc/hard", to: "bin/tool"), .folder("lib"), .file("lib/file", "y"), .file(".wh.gone"),
    .other("null", .characterDevice(major: 1, minor: 3)),
  ]

  /// An image whose upper layer holds `items` and hides something of the lower one.
  private func addImage(to store: Store) throws -> StoredImage {
    try store.addImage([try LayerBlob([.file("gone")]), try LayerBlob(Self.items)])
  }

  @Test("gzip and zstd layers become the same tree", .needs(.tool("gzip"), .tool("zstd")))
  func compressions() throws {
    let plain = try LayerBlob(Self.items)
    let expected = try withLayer(plain) { try lines($0) }
    for (tool, type, suffix) in [("gzip", MediaType.layerGzip, ".gz"), ("zstd", .layerZstd, ".zst"), ("gzip", .dockerLayerGzip, ".gz")] {
      var layer = plain
      layer.mediaType = type
      layer.bytes = try withTemporaryFolder { folder in
        let file = folder.appending("tar")
        try FileSystem.writeAtomically(plain.bytes, to: file)
        try Tool.run(tool, "-q", file.string)
        return try FileSystem.readFile(folder.appending("tar" + suffix))
      }
      let found = try withLayer(layer) { try lines($0) }
      #expect(found == expected, "\(type)")
    }
  }

  @Test("a second time nothing is done") func twice() throws {
    try withStore { store in
      let image = try store.addImage([try LayerBlob(Self.items), try LayerBlob([.file("top")])])
      let first = try store.materialise(image)
      #expect(first.unpacked == 2)
      let stamps = try first.layers.map { try FileSystem.status($0.root)?.inode }
      let second = try store.materialise(image)
      #expect(second.unpacked == 0)
      #expect(second.layers == first.layers)
      #expect(try second.layers.map { try FileSystem.status($0.root)?.inode } == stamps)
      #expect(first.layers.map(\.diffID) == image.layers.map(\.diffID), "lowest first")
      #expect(try openDescriptors(below: store.home).allSatisfy { $0.hasSuffix(".lock") })
    }
  }

  @Test("several at once unpack once") func together() throws {
    try withStore { store in
      let image = try store.addImage([try LayerBlob(Self.items)])
      let counts = try concurrentMap(Array(0..<4), width: 4) { _ in try store.materialise(image).unpacked }
      #expect(counts.reduce(0, +) == 1)
    }
  }

  @Test("a layer listed twice is mounted once, at its upper place") func repeated() throws {
    try withStore { store in
      let a = try LayerBlob([.file("a")])
      let b = try LayerBlob([.file("b")])
      let result = try store.materialise(try store.addImage([a, b, a]))
      #expect(result.layers.map(\.diffID) == [b.diffID, a.diffID])
      #expect(result.unpacked == 2)
    }
  }

  @Test("an opaque root hides every layer below, from the mount and from the layers above") func opaqueRoot() throws {
    try withStore { store in
      let (lower, opaque) = (try LayerBlob([.file("x", "x")]), try LayerBlob([.file(".wh..wh..opq"), .file("y")]))
      let image = try store.addImage([lower, opaque, try LayerBlob([.file("z")])])
      let first = try store.materialise(image)
      #expect(first.layers.map(\.diffID) == image.layers.dropFirst().map(\.diffID))
      #expect(first.unpacked == 2, "of those that are shown")
      let (proof, unpacked) = try store.prepare(image)
      #expect(proof.layers == first.layers)
      #expect(unpacked == 0)
      try proof.wait()
      let linking = try store.addImage([lower, opaque, try LayerBlob([.hardlink("a", to: "x")])])
      let chain = failure { _ = try store.materialise(linking) }
      #expect(chain?.summaries.first?.hasSuffix("which neither this layer nor one below it holds") == true, "\(chain?.summaries ?? [])")
    }
  }

  @Test("progress counts every byte of the tar") func progress() throws {
    try withStore { store in
      let layer = try LayerBlob(Self.items)
      let total = Atomic<Int64>(0)
      let image = try store.addImage([layer])
      _ = try store.materialise(image) { total.add($0, ordering: .relaxed) }
      #expect(total.load(ordering: .relaxed) == Int64(layer.bytes.count))
    }
  }

  // MARK: - What does not fit its digests

  /// What materialising an image of `layer` says; nothing may stay behind.
  private func refusal(_ layer: LayerBlob, damaging damage: (Store, StoredImage) throws -> Void = { _, _ in }) throws -> DiagnosticChain {
    try withStore { store in
      let image = try store.addImage([layer])
      try damage(store, image)
      let chain = failure { _ = try store.materialise(image) }
      #expect(try FileSystem.list(store.home.appending("layers")).isEmpty)
      for name in try FileSystem.list(store.home.appending("tmp")) where !name.hasSuffix(".lock") {
        #expect(try FileSystem.list(store.home.appending("tmp").appending(name)).isEmpty)
      }
      return try #require(chain)
    }
  }

  @Test func wrongDiffID() throws {
    var layer = try LayerBlob(Self.items)
    let actual = layer.diffID
    layer.diffID = .sha256(of: [1])
    let chain = try refusal(layer)
    #expect(chain.exitCode == .verification)
    #expect(chain.summaries.first?.hasPrefix("uncompressed layer 1 of image ") == true)
    #expect(chain.summaries.first?.hasSuffix("is damaged: expected \(layer.diffID), found \(actual)") == true)
  }

  @Test("a damaged blob is named by its digests, whatever the parser stumbled over", arguments: [0, 257, 600, 5000])
  func damagedBlob(_ offset: Int) throws {
    let layer = try LayerBlob(Self.items)
    let chain = try refusal(layer) { store, image in
      try flipByte(store.blobPath(image.layers[0].descriptor.digest), at: offset)
    }
    #expect(chain.exitCode == .verification)
    #expect(chain.summaries.first?.contains("is damaged: expected \(layer.diffID), found") == true, "\(chain.summaries)")
  }

  @Test func missingBlob() throws {
    let layer = try LayerBlob(Self.items)
    let chain = try refusal(layer) { store, _ in try store.removeBlob(layer.diffID) }
    #expect(chain.exitCode == .verification)
    #expect(chain.summaries.first?.contains("is missing") == true)
  }

  @Test("archives that end too early or are none", arguments: ["truncated", "garbage", "empty", "gzip"])
  func malformed(_ kind: String) throws {
    let bytes = try tar(Self.items)
    let damaged: [UInt8] =
      switch kind {
      case "truncated": Array(bytes[..<700])
      case "garbage": (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ 7) }
      case "gzip": [0x1f, 0x8b, 8, 0]
      default: []
      }
    var layer = LayerBlob(tarBytes: damaged)
    if kind == "gzip" { layer.mediaType = .layerGzip }
    let chain = try refusal(layer)
    #expect(chain.exitCode == .verification)
    #expect(chain.summaries.first?.hasPrefix("layer 1 of image ") == true)
    #expect(chain.summaries.count == 2, "the cause is kept: \(chain.summaries)")
  }

  @Test func unknownMediaType() throws {
    var layer = try LayerBlob(Self.items)
    layer.mediaType = MediaType(rawValue: "application/x-encrypted")
    #expect(try refusal(layer).summaries.first?.contains("application/x-encrypted") == true)
  }

  // MARK: - Files at rest

  struct Change: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let expected: String
    let make: @Sendable (FilePath) throws -> Void
  }

  static let changes: [Change] = [
    Change(testDescription: "one byte, time set back", expected: "/bin/tool: content expected sha256:") {
      try flipByte($0.appending("bin/tool"), at: 2)
    },
    Change(testDescription: "chmod", expected: "/bin/tool: mode expected 755, found 777") {
      try FileSystem.setPermissions($0.appending("bin/tool"), 0o777)
    },
    Change(testDescription: "chmod of the root", expected: "/: mode expected 755, found 700") {
      try FileSystem.setPermissions($0, 0o700)
    },
    Change(testDescription: "chown", expected: "/etc/odd name\n=#: owner expected 0:0, found 9:0") { root in
      var root = try RootDirectory(root)
      try root.setAttributes(
        RelativePath("etc/odd name\n=#"), FileAttributes(permissions: 0o644, uid: 9, gid: 0, modified: 1_000_000_000_000_000_000),
        isSymlink: false)
    },
    Change(testDescription: "extra file", expected: "/etc/new is unexpected") {
      try FileSystem.writeAtomically([1], to: $0.appending("etc/new"))
    },
    Change(testDescription: "removed file", expected: "/etc/odd name\n=# is missing") {
      try FileSystem.removeFile($0.appending("etc/odd name\n=#"))
    },
    Change(testDescription: "whiteout removed", expected: "/gone is missing") { try FileSystem.removeFile($0.appending("gone")) },
    Change(testDescription: "link elsewhere", expected: "/bin/link: link target expected tool, found /bin/sh") { root in
      var folder = try RootDirectory(root)
      try folder.remove(RelativePath("bin/link"))
      try folder.makeSymlink(RelativePath("bin/link"), target: "/bin/sh")
    },
    Change(testDescription: "file replaced by a FIFO", expected: "/etc/odd name\n=#: type expected file, found fifo") { root in
      var folder = try RootDirectory(root)
      try folder.remove(RelativePath("etc/odd name\n=#"))
      try folder.makeNode(RelativePath("etc/odd name\n=#"), kind: .fifo, major: 0, minor: 0)
    },
    Change(testDescription: "attribute added", expected: "/bin/tool: extended attributes expected , found user.x=6100") { root in
      var folder = try RootDirectory(root)
      try folder.setExtendedAttribute(RelativePath("bin/tool"), name: "user.x", value: [0x61, 0])
    },
    Change(testDescription: "everything removed", expected: "/ is missing") { try FileSystem.removeTree($0) },
  ]

  @Test(arguments: changes)
  func changed(_ change: Change) throws {
    try withStore { store in
      let image = try addImage(to: store)
      let layer = try store.materialise(image).layers[1]
      try change.make(layer.root)
      let chain = try #require(failure { _ = try store.materialise(image) })
      #expect(chain.summaries.first?.contains(change.expected) == true, "\(chain.summaries)")
      #expect(chain.summaries.first?.contains(layer.diffID.description) == true)
      #expect(chain.exitCode == .verification)
      // Seen by a full verification too, which can put it right.
      #expect(try !store.verify(repairing: false) { _ in }.findings.isEmpty)
      let report = try store.verify(repairing: true) { _ in }
      #expect(report.findings.allSatisfy { $0.isDropped && $0.object == "layer \(layer.diffID)" })
      #expect(try store.materialise(image).unpacked == 1)
      #expect(try store.verify(repairing: false) { _ in }.findings.isEmpty)
    }
  }

  @Test("a layer that was only touched is read once and proven for good") func touched() throws {
    try withStore { store in
      let image = try addImage(to: store)
      let layer = try store.materialise(image).layers[1]
      try FileSystem.setPermissions(layer.root.appending("bin/tool"), 0o755)  // Changes the ctime alone.
      let stamp = store.layerPath(layer.diffID).appending("stamp")
      let before = try FileSystem.readFile(stamp)
      #expect(try store.materialise(image).unpacked == 0)
      #expect(try FileSystem.readFile(stamp) != before)
    }
  }

  @Test("a name that is not UTF-8 is told as a change and can be repaired") func strangeName() throws {
    try withStore { store in
      let image = try addImage(to: store)
      let layer = try store.materialise(image).layers[1]
      let name: [CChar] = Array("\(layer.root)/bin/".utf8CString.dropLast()) + [-1, 97, 0]
      try #require(creat(name, 0o644) >= 0)
      let chain = failure { _ = try store.materialise(image) }
      #expect(chain?.summaries.first?.contains("/bin/\u{fffd}a is unexpected") == true, "\(chain?.summaries ?? [])")
      _ = try store.verify(repairing: true) { _ in }
      #expect(try store.materialise(image).unpacked == 1)
    }
  }
  @Test("a layer whose files cannot even be named is a finding like any other") func deepLayer() throws {
    try withStore { store in
      let image = try addImage(to: store)
      let layers = try store.materialise(image).layers
      var root = try RootDirectory(layers[1].root)
      let top = try RelativePath(ExtractionTests.deepFolder)
      try root.makeDirectory(top)
      try root.makeSymlink(RelativePath("s"), target: top.string)
      try root.makeDirectory(RelativePath("s/\(ExtractionTests.longName)/\(ExtractionTests.longName)"))
      try FileSystem.removeFile(layers[0].root.appending("gone"))
      let report = try store.verify(repairing: true) { _ in }
      #expect(report.layers == 2)
      #expect(report.findings.contains { $0.object == "layer \(layers[0].diffID)" && $0.path == "/gone" })
      let deep = try #require(report.findings.first { $0.object == "layer \(layers[1].diffID)" })
      #expect(deep.property.hasSuffix("is longer than a file system allows"), "\(deep.property)")
      #expect(report.findings.allSatisfy { $0.isDropped })
      #expect(try store.materialise(image).unpacked == 2)
      #expect(try store.verify(repairing: false) { _ in }.findings.isEmpty)
    }
  }
}
