/// The table of hostile registries and images.
import Archive
import EnvCore
import Hashing
import LoopbackHTTP
import OCI
import RegistryHarness
import TestSupport
import Testing

/// A registry made to do harm, and how a pull from it must end.
struct HostileCase: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let status: Int32
  /// What the message must contain.
  let expected: [String]
  let registry: @Sendable () throws -> ScriptedRegistry

  /// A whole registry.
  private static func registry(
    _ name: String, status: Int32 = 5, _ expected: String..., make: @escaping @Sendable () throws -> ScriptedRegistry
  ) -> HostileCase {
    HostileCase(testDescription: name, status: status, expected: expected, registry: make)
  }

  /// An image of one layer.
  private static func layer(
    _ name: String, _ expected: String..., make: @escaping @Sendable () throws -> ImageFixture.Layer
  ) -> HostileCase {
    HostileCase(testDescription: name, status: 5, expected: expected + ["layer 1"]) { try ScriptedRegistry(ImageFixture([make()])) }
  }

  /// An image of one layer of these entries.
  private static func entries(_ name: String, _ expected: String..., make: @escaping @Sendable () -> [TarItem]) -> HostileCase {
    HostileCase(testDescription: name, status: 5, expected: expected + ["layer 1"]) {
      try ScriptedRegistry(ImageFixture([try ImageFixture.Layer(make())]))
    }
  }

  /// A small image whose manifest is changed as text.
  private static func manifest(_ name: String, _ expected: String..., change: @escaping @Sendable (String) -> String) -> HostileCase {
    HostileCase(testDescription: name, status: 5, expected: expected) {
      let image = try ImageFixture.small()
      return try ScriptedRegistry(image, manifest: Array(change(String(decoding: image.manifest(), as: UTF8.self)).utf8))
    }
  }

  // MARK: Transfers

  static let transfers: [HostileCase] = [
    .registry("a layer of other bytes", "is damaged: expected", "layer 1") {
      let image = try ImageFixture.small()
      return try ScriptedRegistry(image) { request in
        request.path.hasSuffix(image.layers[0].descriptor.digest.hex) ? .ok([UInt8](repeating: 7, count: image.layers[0].blob.count)) : nil
      }
    },
    .registry("a manifest of other bytes", "is not what its digest says") {
      let image = try ImageFixture.small()
      let index = try CanonicalJSON.encode(ImageIndex(manifests: [image.descriptor()]))
      let (digest, other) = (try image.digest(), try ImageFixture([.init([.file("other")])]).manifest())
      return try ScriptedRegistry(documents: [index], blobs: []) { $0.path.hasSuffix(digest.hex) ? .ok(other) : nil }
    },
    .registry("a configuration of other bytes", "is damaged: expected", "the configuration of") {
      let image = try ImageFixture.small()
      let config = try image.config()
      let digest = Digest.sha256(of: config)
      return try ScriptedRegistry(image) { $0.path.hasSuffix(digest.hex) ? .ok([UInt8](repeating: 32, count: config.count)) : nil }
    },
    .registry("a body shorter than its descriptor", "layer 1", "bytes, expected") {
      var image = try ImageFixture.small()
      image.layers[0].descriptor.size += 1
      return try ScriptedRegistry(image)
    },
    .registry("a body longer than its descriptor", "layer 1", "larger than") {
      var image = try ImageFixture.small()
      image.layers[0].descriptor.size -= 1
      return try ScriptedRegistry(image)
    },
    .registry("an endless body", "layer 1", "larger than") {
      let image = try ImageFixture.small()
      return try ScriptedRegistry(image) { request in
        request.path.hasSuffix(image.layers[0].descriptor.digest.hex)
          ? .endless(head: Answer.head("200 OK", []), chunk: [UInt8](repeating: 1, count: 1 << 16)) : nil
      }
    },
    .registry("a manifest of 100 MB", "larger than the") {
      try ScriptedRegistry(documents: [Array("{\"a\":\"".utf8) + [UInt8](repeating: 97, count: 100 << 20) + Array("\"}".utf8)], blobs: [])
    },
    .registry("access that is never granted", status: 1, "access to", "was refused") {
      try ScriptedRegistry(.small()) { request in
        request.path.hasPrefix("/token")
          ? .ok(Array(#"{"token":"\#(request.index)"}"#.utf8))
          : .ok(
            [], headers: [#"WWW-Authenticate: Bearer realm="http://\#(request.headers["host"] ?? "")/token""#], status: "401 Unauthorized")
      }
    },
    .registry("a redirect to a file", status: 1, "layer 1") {
      let image = try ImageFixture.small()
      return try ScriptedRegistry(image) { request in
        request.path.hasSuffix(image.layers[0].descriptor.digest.hex)
          ? .ok([], headers: ["Location: file:///etc/passwd"], status: "302 Found") : nil
      }
    },
  ]

  // MARK: Documents

  static let documents: [HostileCase] = [
    .manifest("manifest and index at once", "image manifest and an index at once") {
      $0.replacing("{\"config\"", with: "{\"manifests\":[],\"config\"")
    },
    .manifest("a manifest that says it is an index", "index at once") {
      $0.replacing(MediaType.imageManifest.rawValue, with: MediaType.imageIndex.rawValue)
    },
    .manifest("an unknown digest algorithm", "digest algorithm 'md5'") { $0.replacing("sha256:", with: "md5:") },
    .manifest("a digest of path characters", "is not a digest") { $0.replacing("sha256:", with: "sha256:../../../../victim/") },
    .manifest("a digest in capitals", "is not a digest") { text in
      text.replacing(#/sha256:([0-9a-f]+)/#) { "sha256:" + $0.1.uppercased() }
    },
    .manifest("sizes that overflow", "which no blob has") { $0.replacing(#/"size":[0-9]+/#, with: "\"size\":4611686018427387904") },
    .manifest("a negative size", "which no blob has") { $0.replacing(#/"size":[0-9]+/#, with: "\"size\":-9223372036854775808") },
    .manifest("schema 1", "schema 1") { _ in #"{"schemaVersion":1,"fsLayers":[{"blobSum":"x"}],"history":[]}"# },
    .manifest("no JSON", "not a JSON document") { _ in "<html>Sign in to continue</html>" },
    .manifest("JSON of great depth", "cannot be used") { _ in
      String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)
    },
    .manifest("an artifact that is no image", "no image that can run") {
      $0.replacing(MediaType.imageConfig.rawValue, with: "application/vnd.example+json")
    },
    .manifest("a layer of an unknown kind", "no layer envctl can unpack") {
      $0.replacing(MediaType.layerTar.rawValue, with: "application/vnd.example.layer")
    },
    .registry("diffIDs of other tars", "uncompressed layer 1") {
      var image = try ImageFixture.small()
      image.layers[0].diffID = .sha256(of: [1])
      return try ScriptedRegistry(image)
    },
    .registry("diffIDs of other tars, and a folder the layer does not list", "uncompressed layer 1") {
      var image = ImageFixture([try ImageFixture.Layer([.file("a/b/c")])])
      image.layers[0].diffID = .sha256(of: [1])
      return try ScriptedRegistry(image)
    },
    .registry("fewer diffIDs than layers", "layers but its config names") {
      let image = try ImageFixture.small()
      var longer = image
      longer.layers.append(try ImageFixture.Layer([.file("more")]))
      let text = String(decoding: try image.manifest(), as: UTF8.self)
      let descriptor = String(decoding: try CanonicalJSON.encode(longer.layers[1].descriptor), as: UTF8.self)
      let manifest = text.replacing("\"layers\":[", with: "\"layers\":[\(descriptor),")
      return try ScriptedRegistry(image, manifest: Array(manifest.utf8))
    },
    .manifest("a configuration that is too large", "larger than") {
      $0.replacing(#/("config":\{[^}]*"size":)[0-9]+/#) { $0.1 + "5000000" }
    },
    .registry("an index that leads to another platform", status: 6, "has no image for") {
      let image = ImageFixture(try ImageFixture.small().layers, platform: Platform(os: "linux", architecture: "s390x"))
      var descriptor = try image.descriptor()
      descriptor.platform = .host
      let index = try CanonicalJSON.encode(ImageIndex(manifests: [descriptor]))
      return try ScriptedRegistry(documents: [image.manifest(), index], blobs: image.layers.map(\.blob) + [image.config()])
    },
  ]

  // MARK: Compressed streams

  private static func gzip(_ change: @escaping @Sendable ([UInt8]) throws -> [UInt8]) -> @Sendable () throws -> ImageFixture.Layer {
    {
      let plain = try ImageFixture.small().layers[0]
      return ImageFixture.Layer(tar: plain.blob, blob: try change(plain.gzipped().blob), mediaType: .layerGzip)
    }
  }

  /// A layer that is a few hundred kilobytes and claims to be much more.
  private static func bomb(_ script: String, _ type: MediaType) -> @Sendable () throws -> ImageFixture.Layer {
    { ImageFixture.Layer(tar: [], blob: try shell(script), mediaType: type) }
  }

  static let streams: [HostileCase] = [
    .layer("truncated gzip", "in the middle of its compressed stream", make: gzip { Array($0.dropLast(20)) }),
    .layer("gzip followed by garbage", "not a valid compressed stream", make: gzip { $0 + Array("garbage of some length".utf8) }),
    .layer(
      "gzip with a wrong checksum", "not a valid compressed stream", make: gzip { $0.dropLast(8) + [0, 0, 0, 0] + $0.suffix(4) }),
    .layer("no gzip at all", "not a valid compressed stream", make: gzip { _ in Array("neither gzip nor anything".utf8) }),
    .layer("an empty gzip layer", "in the middle of its compressed stream", make: gzip { _ in [] }),
    .layer("truncated zstd", "in the middle of its compressed stream") {
      let plain = try ImageFixture.small().layers[0]
      return ImageFixture.Layer(tar: plain.blob, blob: Array(try plain.zstandard().blob.dropLast(5)), mediaType: .layerZstd)
    },
    .layer("zstd with a window of 2 GiB", "not a valid compressed stream") {
      // Magic, a frame header with a window descriptor of 2^41 bytes and no content size (RFC 8878, section 3.1.1).
      ImageFixture.Layer(tar: [], blob: [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xf8] + [UInt8](repeating: 0, count: 64), mediaType: .layerZstd)
    },
    .layer(
      "a gzip bomb", "made to fill a disk", make: bomb("truncate -s 600M zeros; tar -cf - zeros | gzip -9 > out", .layerGzip)),
    .layer("a zstd bomb", "made to fill a disk", make: bomb("truncate -s 2G zeros; tar -cf - zeros | zstd -q > out", .layerZstd)),
    .layer("a sparse bomb", "made to fill a disk", make: bomb("truncate -s 1T zeros; tar -cSf out zeros", .layerTar)),
    .layer(
      "a bomb behind the end of the archive", "made to fill a disk", make: bomb("truncate -s 2G zeros; zstd -q < zeros > out", .layerZstd)),
  ]

  // MARK: Archives

  private static let manyFolders = String(repeating: String(repeating: "d", count: 100) + "/", count: 45)

  static let archives: [HostileCase] = [
    .entries("a path that climbs", "leads out of its root") { [.folder("a"), .file("a/../../../victim/file", "touched")] },
    .entries("a hardlink that climbs", "leads out of its root") { [.hardlink("link", to: "../../victim/file")] },
    .entries("a hardlink to itself", "hardlink") { [.file("a"), .hardlink("a", to: "a")] },
    .entries("a hardlink to a folder", "hardlink") { [.folder("a"), .hardlink("b", to: "a")] },
    .entries("a bare whiteout", "whiteout without a name") { [.file(".wh.")] },
    .entries("a whiteout of the folder above", "whiteout without a name") { [.folder("a"), .file("a/.wh...")] },
    .entries("a folder below a file", "/a/b cannot be made: Not a directory") { [.file("a"), .file("a/b")] },
    .entries("a name of 256 bytes", "longer than a file system allows") { [.file(String(repeating: "n", count: 256))] },
    .entries("a path of more than 4096 bytes", "longer than a file system allows") { [.file(manyFolders + "file")] },
    .entries("a name that moves the cursor", "leads out of its root", "\\u{1b}") { [.file("\u{1b}[2J/../../x")] },
    .layer("no tar at all", "layer 1") { ImageFixture.Layer(tar: Array(repeating: 0x41, count: 5000)) },
    .layer("a tar that ends in the middle", "layer 1") {
      ImageFixture.Layer(tar: Array(try tar([.file("a", String(repeating: "x", count: 5000))]).prefix(3000)))
    },
    .layer("a zip archive for a layer", "layer 1") {
      ImageFixture.Layer(
        tar: try shell(
          "/usr/bin/python3 -c 'import zipfile; z = zipfile.ZipFile(\"out\", \"w\"); z.writestr(\"a\", \"b\" * 2000); z.close()'"))
    },
  ]
}
