/// Image layouts on disk: ours and other people's, as folders and as archives.
import EnvCore
import Hashing
import OCI
import SafeFS
import SystemPackage
import TestSupport
import Testing

@testable import EnvStore

@Suite struct OCILayoutTests {
  static let items: [TarItem] = [.folder("d", mode: 0o1777), .file("d/a", "x", mode: 0o4755, uid: 5), .symlink("l", to: "d/a")]

  private func read(_ text: String, into store: Store, platform: Platform = .host) throws -> StoredImage {
    let reference = try #require(LayoutReference(parsing: text))
    return try store.importImage(reference, platform: platform) { _, _ in }
  }

  /// A layout folder with one tagged image, and that image.
  private func withLayout(_ body: (_ folder: FilePath, _ layout: FilePath, _ image: StoredImage) throws -> Void) throws {
    try withTemporaryFolder { folder in
      let source = try Store(home: folder.appending("source"))
      let image = try source.addImage([try LayerBlob(Self.items), try LayerBlob([.file("top")])])
      let layout = folder.appending("layout")
      try source.exportImage(image, to: layout, tag: "v1")
      try body(folder, layout, image)
    }
  }

  @Test("what is exported is imported again, as a folder and as an archive", .needs(.tool("tar")))
  func roundTrip() throws {
    try withLayout { folder, layout, image in
      let archive = folder.appending("layout.tar")
      try Tool.run("tar", "-C", layout.string, "-cf", archive.string, ".")
      for text in ["oci:\(layout)", "oci:\(layout):v1", "oci-archive:\(archive)", "oci-archive:\(archive):v1"] {
        let store = try Store(home: folder.appending("home-" + FileSystem.uniqueSuffix()))
        let found = try read(text, into: store)
        #expect(found.manifestDigest == image.manifestDigest, "\(text)")
        #expect(found.layers == image.layers)
        #expect(try store.recordedImages().map(\.manifest) == [image.manifestDigest])
      }
    }
  }

  @Test("tags choose; the same export twice changes nothing") func tags() throws {
    try withLayout { folder, layout, image in
      let store = try Store(home: folder.appending("source"))
      try store.exportImage(image, to: layout, tag: "v1")
      let other = try store.addImage([try LayerBlob([.file("other")])])
      try store.exportImage(other, to: layout, tag: "v2")
      let target = try Store(home: folder.appending("home"))
      #expect(try read("oci:\(layout):v1", into: target).manifestDigest == image.manifestDigest)
      #expect(try read("oci:\(layout):v2", into: target).manifestDigest == other.manifestDigest)
      let several = failure { _ = try read("oci:\(layout)", into: target) }
      #expect(several?.summaries.first?.contains("it holds several images; name one: v1, v2") == true)
      let unknown = failure { _ = try read("oci:\(layout):v3", into: target) }
      #expect(unknown?.summaries.first?.contains("it has no tag 'v3', only v1, v2") == true)
      #expect(unknown?.exitCode == .verification)
    }
  }

  @Test("an index is followed to the platform") func platforms() throws {
    try withLayout { folder, layout, image in
      let arm = Platform(os: "linux", architecture: "arm64")
      let amd = Platform(os: "linux", architecture: "amd64")
      let source = try Store(home: folder.appending("source"))
      let other = try source.addImage([try LayerBlob([.file("arm")])], platform: arm)
      try source.exportImage(other, to: layout, tag: "arm")
      let entries = [(image, amd), (other, arm)].map { image, platform in
        Descriptor(mediaType: .imageManifest, digest: image.manifestDigest, size: image.manifestSize, platform: platform)
      }
      let inner = try CanonicalJSON.encode(ImageIndex(manifests: entries))
      let digest = Digest.sha256(of: inner)
      try FileSystem.writeAtomically(inner, to: layout.appending("blobs/sha256").appending(digest.hex))
      let outer = ImageIndex(manifests: [Descriptor(mediaType: .imageIndex, digest: digest, size: Int64(inner.count))])
      try FileSystem.writeAtomically(try CanonicalJSON.encode(outer), to: layout.appending("index.json"))
      let target = try Store(home: folder.appending("home"))
      #expect(try read("oci:\(layout)", into: target, platform: amd).manifestDigest == image.manifestDigest)
      #expect(try read("oci:\(layout)", into: target, platform: arm).manifestDigest == other.manifestDigest)
      let missing = failure { _ = try read("oci:\(layout)", into: target, platform: Platform(os: "linux", architecture: "riscv64")) }
      #expect(missing?.summaries.first?.contains("no image for linux/riscv64, only for linux/amd64, linux/arm64") == true)
    }
  }

  @Test("a damaged or missing blob is named", arguments: ["layer", "config", "manifest"]) func damage(_ part: String) throws {
    try withLayout { folder, layout, image in
      let digest =
        switch part {
        case "layer": image.layers[1].descriptor.digest
        case "config": image.manifest.config.digest
        default: image.manifestDigest
        }
      let file = layout.appending("blobs/sha256").appending(digest.hex)
      try flipByte(file, at: 5)
      let store = try Store(home: folder.appending("home"))
      let damaged = failure { _ = try read("oci:\(layout)", into: store) }
      #expect(damaged?.summaries.first?.contains("is damaged: expected \(digest), found sha256:") == true)
      #expect(damaged?.exitCode == .verification)
      try FileSystem.removeFile(file)
      let missing = failure { _ = try read("oci:\(layout)", into: store) }
      #expect(missing?.summaries.first?.contains("(\(digest)) is missing") == true)
      #expect(try store.recordedImages().isEmpty)
    }
  }

  @Test("a document that is a manifest and an index at once is refused") func ambiguous() throws {
    try withLayout { folder, layout, _ in
      let index = layout.appending("index.json")
      let text = String(decoding: try FileSystem.readFile(index), as: UTF8.self)
      try FileSystem.writeAtomically(Array(text.dropLast().utf8) + Array(#","layers":[]}"#.utf8), to: index)
      let chain = failure { _ = try read("oci:\(layout)", into: try Store(home: folder.appending("home"))) }
      #expect(chain?.summaries.first?.contains("an image manifest and an index at once") == true)
      #expect(chain?.exitCode == .verification)
    }
  }

  @Test func nothingThere() throws {
    try withStore { store in
      for text in ["oci:/nowhere", "oci-archive:/nowhere.tar"] {
        #expect(throws: StoreError.self) { _ = try read(text, into: store) }
      }
    }
  }

  /// What lies below `root`, without the root itself.
  private func records(_ root: FilePath) throws -> [FileRecord] {
    var records: [FileRecord] = []
    _ = try TreeScan.records(root, digest: { _ in nil }) { records.append($0) }
    return records.filter { !$0.path.isEmpty }
  }

  @Test(
    "other people's tools take our layouts, and umoci unpacks the same tree",
    .needs(.root, .tool("umoci"), .tool("skopeo")))
  func witnesses() throws {
    try withLayout { folder, layout, image in
      let copy = folder.appending("copy")
      let copied = try Tool.run("skopeo", "copy", "--quiet", "oci:\(layout):v1", "oci:\(copy):v1")
      #expect(copied.status == 0, "\(copied.text)")
      let store = try Store(home: folder.appending("home"))
      // skopeo compresses layers on the way, so the manifest is another one; what the layers hold and the config are not.
      let found = try read("oci:\(copy):v1", into: store)
      #expect(found.manifest.config.digest == image.manifest.config.digest)
      #expect(found.layers.map(\.diffID) == image.layers.map(\.diffID))
      #expect(found.layers.allSatisfy { $0.descriptor.mediaType == .layerGzip })
      let bundle = folder.appending("bundle")
      let unpacked = try Tool.run("umoci", "unpack", "--image", "\(layout):v1", bundle.string)
      #expect(unpacked.status == 0, "\(unpacked.text)")
      var expected: [FileRecord] = []
      for layer in try store.materialise(found).layers {
        expected += try records(layer.root)
      }
      let witness = try records(bundle.appending("rootfs"))
      #expect(witness == expected.sorted { $0.path < $1.path })
    }
  }
}

@Suite struct FileManifestTests {
  static let records: [FileRecord] = ["", "a b", "a\nb", "#x", "a=b\\", "\u{e9}", "e\u{301}", "./x", "tab\t"].enumerated().map {
    index, path in
    FileRecord(
      path: path, kind: index == 0 ? .directory : .file, permissions: 0o4755, uid: 1, gid: 4_294_967_294, size: Int64(index) << 33,
      modified: [0, -1, -1_500_000_000, 1_234_567_890_123_456_789][index % 4], linkCount: 2, digest: .sha256(of: [UInt8(index)]),
      linkTarget: index == 3 ? "to here=\\ " : nil, device: index == 4 ? "1,300" : nil,
      extendedAttributes: index == 5 ? ["user.a=b c": "00ff", "user.empty": ""] : [:])
  }

  @Test("odd names, old times and attributes survive") func roundTrip() throws {
    let bytes = FileManifest(records: Self.records).bytes
    #expect(bytes.split(separator: 10).count == Self.records.count + 1, "a line a file")
    let read = try #require(FileManifest(bytes))
    #expect(read.records == Self.records)
    #expect(read.records.map { Array($0.path.utf8) } == Self.records.map { Array($0.path.utf8) })
  }

  @Test(
    "what is not understood is refused",
    arguments: [
      "", "x", "#mtree\n./a type=what", "#mtree\n./a mode=9", "#mtree\n./a word", "#mtree\n./a\\0 type=file", "#mtree\n./a \u{e9}=1",
      "#mtree\n./a time=9223372036854775807.000000000", "#mtree\n./a sha256digest=00",
    ]) func refused(_ text: String)
  { #expect(FileManifest(Array(text.utf8)) == nil) }
}

@Suite struct LayoutReferenceTests {
  @Test(
    arguments: [
      ("oci:a", "oci", "a", nil), ("oci:/a/b:v1", "oci", "/a/b", "v1"), ("oci-archive:x.tar:v1", "oci-archive", "x.tar", "v1"),
      ("oci:../a", "oci", "../a", nil),
    ] as [(String, String, String, String?)]) func parsed(_ text: String, _ form: String, _ path: String, _ tag: String?) throws
  {
    let reference = try #require(LayoutReference(parsing: text))
    #expect(reference.form.rawValue == form)
    #expect(reference.path.string == path)
    #expect(reference.tag == tag)
    #expect(reference.description == text)
  }

  @Test(arguments: ["", "oci:", "docker:x", "a", "oci", ":a", "oci::v1"]) func refused(_ text: String) {
    #expect(LayoutReference(parsing: text) == nil)
  }
}
