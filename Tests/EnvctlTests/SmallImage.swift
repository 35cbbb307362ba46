/// A small image in an OCI layout, built in code: busybox and the folders a container needs.
import Archive
import EnvCore
import EnvStore
import OCI
import SafeFS
import SystemPackage
import TestSupport

enum SmallImage {
  /// A program whose project names a fresh layout in `folder`.
  static func program(in folder: FilePath, architecture: String = Platform.host.architecture, more: [TarItem] = []) throws -> Program {
    let layout = folder.appending("layout")
    try write(to: layout, scratch: folder.appending("scratch"), architecture: architecture, more: more)
    let program = Program(home: folder.appending("home"), folder: folder.appending("project"))
    try program.project("oci:\(layout)")
    return program
  }

  /// Writes the image; `more` becomes a second layer.
  static func write(
    to layout: FilePath, scratch: FilePath, architecture: String = Platform.host.architecture, variables: [String]? = nil,
    more: [TarItem] = []
  ) throws {
    let busybox = try FileSystem.readFile("/bin/busybox", limit: 16 << 20)
    let binary = TarItem(
      ArchiveEntry(
        path: "bin/busybox", kind: .file, permissions: 0o755, size: Int64(busybox.count), modified: 1_000_000_000_000_000_000),
      content: busybox)
    let folders = ["bin", "dev", "etc", "proc", "sys", "tmp", "workspace"].map { TarItem.folder($0) }
    let store = try Store(home: scratch)
    let diff = try tar(
      folders + [
        binary, .symlink("bin/sh", to: "busybox"), .symlink("bin/sleep", to: "busybox"), .file("etc/passwd", "root:x:0:0:root:/:/bin/sh\n"),
      ])
    let layers = try [diff] + (more.isEmpty ? [] : [tar(more)])
    let blobs = try layers.map { try store.ingest($0, object: "layer") }
    let config = ImageConfig(
      platform: Platform(os: "linux", architecture: architecture), created: nil,
      config: .init(environment: variables, command: ["/bin/sh"]),
      diffIDs: blobs.map(\.digest), history: [])
    let configBlob = try store.ingest(try CanonicalJSON.encode(config), object: "config")
    let manifest = ImageManifest(
      config: Descriptor(mediaType: .imageConfig, digest: configBlob.digest, size: configBlob.size),
      layers: blobs.map { Descriptor(mediaType: .layerTar, digest: $0.digest, size: $0.size) })
    let manifestBlob = try store.ingest(try CanonicalJSON.encode(manifest), object: "manifest")
    guard let image = try store.image(manifestBlob.digest) else { return }
    try store.exportImage(image, to: layout, tag: nil)
  }
}
