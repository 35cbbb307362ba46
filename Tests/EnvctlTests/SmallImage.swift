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
  static func program(in folder: FilePath, architecture: String = Platform.host.architecture) throws -> Program {
    let layout = folder.appending("layout")
    try write(to: layout, scratch: folder.appending("scratch"), architecture: architecture)
    let program = Program(home: folder.appending("home"), folder: folder.appending("project"))
    try program.project("oci:\(layout)")
    return program
  }

  private static func write(to layout: FilePath, scratch: FilePath, architecture: String) throws {
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
    let layer = try store.ingest(diff, object: "layer")
    let config = ImageConfig(
      platform: Platform(os: "linux", architecture: architecture), created: nil, config: .init(command: ["/bin/sh"]),
      diffIDs: [layer.digest], history: [])
    let configBlob = try store.ingest(try CanonicalJSON.encode(config), object: "config")
    let manifest = ImageManifest(
      config: Descriptor(mediaType: .imageConfig, digest: configBlob.digest, size: configBlob.size),
      layers: [Descriptor(mediaType: .layerTar, digest: layer.digest, size: layer.size)])
    let manifestBlob = try store.ingest(try CanonicalJSON.encode(manifest), object: "manifest")
    guard let image = try store.image(manifestBlob.digest) else { return }
    try store.exportImage(image, to: layout, tag: nil)
  }
}
