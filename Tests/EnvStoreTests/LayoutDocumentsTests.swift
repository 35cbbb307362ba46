/// Reading a layout in place: which entry is the image, and what its small blobs hold.
import EnvCore
import Hashing
import OCI
import SafeFS
import SystemPackage
import TestSupport
import Testing

@testable import EnvStore

@Suite struct LayoutDocumentsTests {
  /// A layout with these entries, whose blobs are their own names, as a folder and as an archive.
  private func withLayout(_ entries: [Descriptor], _ body: (LayoutDocuments) throws -> Void) throws {
    try withTemporaryFolder { folder in
      let layout = folder.appending("layout")
      try FileSystem.createDirectories(layout.appending("blobs/sha256"))
      for index in entries.indices {
        try FileSystem.writeAtomically(Self.content(index), to: layout.appending("blobs/sha256").appending(Self.digest(index).hex))
      }
      try FileSystem.writeAtomically(try CanonicalJSON.encode(ImageIndex(manifests: entries)), to: layout.appending("index.json"))
      try body(LayoutDocuments(LayoutReference(form: .folder, path: layout, tag: nil)))
      guard Tool.path("tar") != nil else { return }
      let archive = folder.appending("layout.tar")
      try Tool.run("tar", "-C", layout.string, "-cf", archive.string, ".")
      try body(LayoutDocuments(LayoutReference(form: .archive, path: archive, tag: nil)))
    }
  }

  private static func content(_ index: Int) -> [UInt8] { Array("document \(index)".utf8) }
  private static func digest(_ index: Int) -> Digest { .sha256(of: content(index)) }

  private func entry(_ index: Int, _ annotations: [String: String]? = nil, artifactType: String? = nil) -> Descriptor {
    var entry = Descriptor(mediaType: .imageManifest, digest: Self.digest(index), size: 10, annotations: annotations)
    entry.artifactType = artifactType
    return entry
  }

  @Test func whatLiesThereBecauseOfAnImageIsNone() throws {
    let hex = Self.digest(0).hex
    let others = [
      entry(1, [Descriptor.tagAnnotation: "sha256-\(hex).sig"]), entry(2, [Descriptor.tagAnnotation: "sha256-\(hex)"]),
      entry(3, ["kind": "dev.cosignproject.cosign/sigs"]), entry(4, ["kind": "dev.cosignproject.cosign/atts"]),
      entry(5, artifactType: "application/vnd.dev.sigstore.bundle.v0.3+json"),
    ]
    try withLayout(others + [entry(0)]) { layout in
      let image = try layout.image()
      #expect(image.digest == Self.digest(0))
    }
    try withLayout(others) { layout in
      #expect(failure { _ = try layout.image() }?.summaries.first?.contains("it is empty") == true)
    }
    // Names that only look alike are images.
    for tag in ["sha256-", "sha256-abc", "sha512-\(hex).sig", "v1"] {
      try withLayout([entry(0), entry(1, [Descriptor.tagAnnotation: tag])]) { layout in
        #expect(failure { _ = try layout.image() }?.summaries.first?.contains("name one: \(tag)") == true, "\(tag)")
      }
    }
    try withLayout([entry(0, ["kind": "dev.cosignproject.cosign/image"]), entry(1, ["kind": "dev.cosignproject.cosign/sigs"])]) {
      let image = try $0.image()
      #expect(image.digest == Self.digest(0))
    }
  }

  @Test func documents() throws {
    try withLayout([entry(0), entry(1)]) { layout in
      let whole = try layout.document(Self.digest(1))
      #expect(whole == Self.content(1))
      let bounded = try layout.document(Self.digest(1), limit: 10)
      #expect(bounded == Self.content(1))
      let missing = try layout.document(Self.digest(7))
      #expect(missing == nil)
      let long = failure { _ = try layout.document(Self.digest(1), limit: 9) }
      #expect(long?.summaries.first?.contains("at most 9 bytes") == true)
      #expect(long?.exitCode == .verification)
    }
  }

  @Test func aDamagedDocumentIsRefused() throws {
    try withLayout([entry(0)]) { layout in
      guard layout.reference.form == .folder else { return }
      let blobs = layout.reference.path.appending("blobs/sha256")
      try FileSystem.writeAtomically([1], to: blobs.appending(Self.digest(0).hex))
      #expect(failure { _ = try layout.document(Self.digest(0)) }?.exitCode == .verification)
      try FileSystem.removeFile(blobs.appending(Self.digest(0).hex))
      try FileSystem.createDirectories(blobs.appending(Self.digest(0).hex))
      #expect(failure { _ = try layout.document(Self.digest(0)) }?.exitCode == .verification)
    }
  }

  @Test func noLayout() throws {
    try withTemporaryFolder { folder in
      for form in [LayoutReference.Form.folder, .archive] {
        let reference = LayoutReference(form: form, path: folder.appending("missing"), tag: nil)
        #expect(failure { _ = try LayoutDocuments(reference) }?.exitCode == .verification)
      }
    }
  }
}
