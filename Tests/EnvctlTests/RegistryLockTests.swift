/// Locks of images in a real registry: what is fetched, what moves, what an upgrade says, and which mirror is asked.
import EnvCore
import EnvRegistry
import Hashing
import OCI
import SafeFS
import SystemPackage
import TestSupport
import Testing

extension EnvctlTests {
  @Suite(.needs(.root, .tool("runc"), .tool("busybox", package: "busybox-static"), .tool("docker-registry"), .tool("skopeo")))
  struct RegistryLockTests {
    /// A registry with one image, and a project that names it by tag.
    private struct Scene {
      var program: Program
      let registry: LocalRegistry
      let folder: FilePath
      let reference: ImageReference

      init(in folder: FilePath, variables: [String] = ["CUDA_VERSION=11.7.1", "NV_CUDNN_VERSION=8.4.1.50-1+cuda11.6"]) throws {
        self.folder = folder
        registry = try LocalRegistry(in: folder.appending("registry"))
        reference = try ImageReference(parsing: "\(registry.address)/team/model:1.0")
        program = Program(home: folder.appending("home"), folder: folder.appending("project"))
        program.variables = ["ENVCTL_INSECURE_REGISTRIES": registry.address]
        try publish(reference, variables: variables)
        try program.project("\(reference)")
      }

      func publish(
        _ reference: ImageReference, architecture: String = Platform.host.architecture, variables: [String] = [], more: [TarItem] = [],
        options: [String] = []
      ) throws {
        let layout = folder.appending("layout-" + FileSystem.uniqueSuffix())
        try SmallImage.write(
          to: layout, scratch: folder.appending("scratch"), architecture: architecture, variables: variables, more: more)
        let copied = try Tool.run(
          "skopeo",
          ["--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false"] + options + ["oci:\(layout)", "docker://\(reference)"])
        try #require(copied.status == 0, "\(copied.text)")
      }

      func digest(_ tag: String = "1.0") throws -> Digest {
        try registry.client.resolve(ImageReference(registry: reference.registry, repository: reference.repository, tag: tag)).digest
      }

      func lock() throws -> JSON {
        try JSON(String(decoding: FileSystem.readFile(program.folder.appending("envctl.lock")), as: UTF8.self))
      }
    }

    @Test func onlyDocumentsAreFetched() throws {
      try withTemporaryFolder { folder in
        let scene = try Scene(in: folder)
        // A tag alone is refused by the rules; the lock that is wanted all the same records it.
        let refused = try scene.program("lock")
        #expect(refused.status == 4)
        #expect(refused.errors.contains("[EC103]") && refused.errors.contains("--allow-unpinned"), "\(refused.errors)")
        #expect(!FileSystem.exists(scene.program.folder.appending("envctl.lock")))
        let written = try scene.program("lock", "--allow-unpinned")
        #expect(written.status == 0, "\(written.errors)")
        #expect(try scene.lock()["allowedUnpinned"].items.map(\.string) == ["EC103"])
        let digest = try scene.digest()
        #expect(written.output.hasPrefix("wrote envctl.lock: \(scene.reference)\n\(Platform.host) \(digest) (1 layers, "))
        #expect(written.output.hasSuffix("facts: CUDA 11.7.1, cuDNN 8.4.1.50, driver ≥ 450.80.02\n"))
        let image = try scene.lock()["images"][Platform.host.description]
        #expect(image["manifest"]["digest"].string == digest.description)
        #expect(try scene.lock()["resolved"].string == "\(scene.reference)")
        let layer = try #require(image["layers"].items.first?["digest"].string)
        let blobs = try FileSystem.list(scene.program.home.appending("blobs/sha256"))
        #expect(blobs.contains(digest.hex))
        #expect(!blobs.contains(String(layer.dropFirst("sha256:".count))))
        // Locked, the image comes up, and the next time without its registry.
        #expect(try scene.program("run", "--", "/bin/sh", "-c", "echo up").output == "up\n")
        var offline = scene.program
        offline.wrapper = ["unshare", "--net"]
        #expect(try offline("run", "--", "/bin/sh", "-c", "echo again").output == "again\n")
        #expect(try offline("lock", "--check").status == 0)
        #expect(try offline("lock", "--check", "--remote").status == 1)
      }
    }

    @Test("a digest beside the tag does not hide that the tag has moved") func movedTagBesideADigest() throws {
      try withTemporaryFolder { folder in
        let scene = try Scene(in: folder)
        let old = try scene.digest()
        try scene.program.project("\(scene.reference)@\(old)")
        try #require(scene.program("lock").status == 0)
        #expect(try scene.program("lock", "--check", "--remote").status == 0)
        try scene.publish(scene.reference, variables: ["CUDA_VERSION=11.8.0"])
        let moved = try scene.program("lock", "--check", "--remote")
        #expect(moved.status == 4)
        #expect(moved.errors.contains("\(scene.reference) has moved: locked as \(old), now \(try scene.digest())\n"), "\(moved.errors)")
        #expect(moved.errors.contains("envctl.yaml names the old digest too"))
      }
    }

    @Test("what is locked by an index starts from an archive of its image, without the registry") func archiveWithoutIndex() throws {
      try withTemporaryFolder { folder in
        let scene = try Scene(in: folder)
        let manifest = try scene.registry.client.resolve(scene.reference)
        let index = ImageIndex(manifests: [
          Descriptor(mediaType: manifest.mediaType, digest: manifest.digest, size: manifest.size, platform: .host)
        ])
        let named = ImageReference(registry: scene.reference.registry, repository: scene.reference.repository, tag: "all")
        try scene.registry.client.pushManifest(try CanonicalJSON.encode(index), mediaType: .imageIndex, to: named)
        let digest = try scene.digest("all")
        try scene.program.project("\(scene.reference.name)@\(digest)")
        try #require(scene.program("lock").status == 0)
        try #require(scene.program("run", "--", "/bin/sh", "-c", "true").status == 0)
        let archive = folder.appending("image.tar").string
        try #require(scene.program("image", "save", "\(manifest.digest)", "--output", archive).status == 0)
        let other = Program(home: folder.appending("other"), folder: scene.program.folder)
        try #require(other("image", "load", archive).status == 0)
        let run = try other("run", "--", "/bin/sh", "-c", "echo started")
        #expect(run.status == 0 && run.output == "started\n", "\(run.errors)")
      }
    }

    @Test func movedTag() throws {
      try withTemporaryFolder { folder in
        let scene = try Scene(in: folder)
        try #require(scene.program("lock", "--allow-unpinned").status == 0)
        try #require(scene.program("run", "--", "/bin/sh", "-c", "true").status == 0)
        let old = try scene.digest()
        let unmoved = try scene.program("lock", "--check", "--remote")
        #expect(unmoved.status == 0, "\(unmoved.errors)")
        #expect(unmoved.output.hasSuffix("\n\(scene.reference): unchanged\n"))
        try scene.publish(
          scene.reference, variables: ["CUDA_VERSION=11.8.0"],
          more: [.file("usr/lib/python3/dist-packages/numpy-1.26.4.dist-info/METADATA", "Name: numpy\nVersion: 1.26.4\n")])
        let new = try scene.digest()
        try #require(new != old)
        #expect(try scene.program("lock", "--check").status == 0)
        let moved = try scene.program("lock", "--check", "--remote")
        #expect(moved.status == 4)
        #expect(moved.output.isEmpty)
        #expect(moved.errors.contains("error: \(scene.reference) has moved: locked as \(old), now \(new)\n"))
        // The lock holds on to what it locks.
        #expect(try scene.program("lock").output.contains("\(old)"))
        let kept = try scene.program("run", "--", "/bin/sh", "-c", "echo $CUDA_VERSION")
        #expect(kept.output == "11.7.1\n", "\(kept.errors)")
        // An upgrade resolves the tag again, so it has to be allowed again.
        #expect(try scene.program("lock", "--upgrade").status == 4)
        let upgrade = try scene.program("lock", "--upgrade", "--allow-unpinned")
        #expect(upgrade.status == 0, "\(upgrade.errors)")
        #expect(upgrade.output.hasPrefix("\(Platform.host): \(old) → \(new)\n  layers shared: 1, "))
        for line in [
          "  layers new: 1, ", "  CUDA: 11.7.1 → 11.8.0", "  cuDNN: 8.4.1.50 → none", "  env CUDA_VERSION: 11.7.1 → 11.8.0",
          "  packages that differ: 1\n    python numpy: none → 1.26.4\n",
        ] { #expect(upgrade.output.contains(line), "\(line) in \(upgrade.output)") }
        #expect(try scene.program("lock", "--check", "--remote").status == 0)
        #expect(try scene.program("run", "--", "/bin/sh", "-c", "echo $CUDA_VERSION").output == "11.8.0\n")
      }
    }

    @Test func everyPlatformFromOneIndex() throws {
      try withTemporaryFolder { folder in
        let scene = try Scene(in: folder)
        let other = Platform.host.architecture == "arm64" ? "amd64" : "arm64"
        try scene.publish(try ImageReference(parsing: "\(scene.reference.name):other"), architecture: other)
        let entries = try [("1.0", Platform.host.architecture), ("other", other)].map { tag, architecture in
          var entry = try scene.registry.client.resolve(try ImageReference(parsing: "\(scene.reference.name):\(tag)"))
          entry.platform = Platform(os: "linux", architecture: architecture)
          return entry
        }
        let index = try CanonicalJSON.encode(ImageIndex(manifests: entries))
        let reference = try ImageReference(parsing: "\(scene.reference.name):both")
        try scene.registry.client.pushManifest(index, mediaType: .imageIndex, to: reference)
        try scene.program.project("\(reference)")
        try #require(scene.program("lock", "--allow-unpinned").status == 0)
        #expect(try scene.lock()["index"].string == "\(Digest.sha256(of: index))")
        try scene.program.project("\(reference)", "platforms: [\(Platform.host), linux/\(other)]\n")
        #expect(try scene.program("lock", "--check").status == 4)
        // The tag moves on; the platform that is missing still comes from the locked index.
        try scene.publish(reference)
        let added = try scene.program("lock")
        #expect(added.status == 0, "\(added.errors)")
        #expect(try scene.lock()["index"].string == "\(Digest.sha256(of: index))")
        let images = try scene.lock()["images"]
        for entry in entries {
          #expect(images[try #require(entry.platform).description]["manifest"]["digest"].string == "\(entry.digest)")
        }
        #expect(try scene.program("lock", "--check", "--remote").status == 4)
        try scene.program.project("\(reference)", "platforms: [linux/riscv64]\n")
        let lacking = try scene.program("lock")
        #expect(lacking.status == 6)
        #expect(lacking.errors.contains("has no image for linux/riscv64, only for linux/amd64, linux/arm64"))
      }
    }

    @Test func tripleFromTheMirrorThatHasIt() throws {
      try withTemporaryFolder { folder in
        var scene = try Scene(in: folder)
        let tag = "2.6.0-gpu-cuda11.7-cudnn8.4-trt8.4"
        try scene.publish(try ImageReference(parsing: "\(scene.registry.address)/mirror/paddle:\(tag)"))
        let published =
          "schema: 1\nproduct: paddle\nrepositories: [\(scene.registry.address)/lagging/paddle, \(scene.registry.address)/mirror/paddle]\n"
          + "releases:\n  - version: 2.6.0\n    complete: true\n    published: [\(tag)]\n"
        try FileSystem.createDirectories(folder.appending("catalog/manifests/published"))
        try FileSystem.createDirectories(folder.appending("catalog/images"))
        try FileSystem.writeAtomically(Array(published.utf8), to: folder.appending("catalog/manifests/published/paddle.yaml"))
        scene.program.variables["ENVCTL_CATALOG"] = folder.appending("catalog").string
        try scene.program.project("{framework: paddle, version: 2.6.0, cuda: 11.7, cudnn: 8}")
        let written = try scene.program("lock")
        #expect(written.status == 0, "\(written.errors)")
        #expect(written.errors.contains("warning: \(scene.registry.address)/lagging/paddle:\(tag) is not there"))
        #expect(try scene.lock()["environment"].string == "paddle 2.6.0, CUDA 11.7, cuDNN 8")
        #expect(try scene.lock()["resolved"].string == "\(scene.registry.address)/mirror/paddle:\(tag)")
        #expect(try scene.program("run", "--", "/bin/sh", "-c", "echo up").output == "up\n")
        try scene.program.project("{framework: paddle, version: 2.6.0, cuda: 11.8, cudnn: 8}")
        let never = try scene.program("lock")
        #expect(never.status == 2)
        #expect(never.errors.contains("paddle 2.6.0, CUDA 11.8, cuDNN 8: no such image was ever published"))
        #expect(never.errors.contains("hint: nearest: \(tag)"))
      }
    }

    @Test("an image the catalog pins is known again when its layers were compressed on the way") func compressedCopy() throws {
      try withTemporaryFolder { folder in
        var scene = try Scene(in: folder)
        // On its way into a registry, skopeo compresses what is not compressed, unless it is told to preserve digests.
        try scene.publish(try ImageReference(parsing: "\(scene.reference.name):compressed"))
        try scene.publish(try ImageReference(parsing: "\(scene.reference.name):plain"), options: ["--preserve-digests"])
        let (plain, compressed) = (try scene.digest("plain"), try scene.digest("compressed"))
        try #require(plain != compressed)
        let image = try Tool.run("skopeo", "inspect", "--raw", "--tls-verify=false", "docker://\(scene.reference.name):plain")
        let config = try JSON(image.text)["config"]["digest"].string
        let expected = Array("{}".utf8)
        for path in ["catalog/manifests/baselines", "catalog/images"] { try FileSystem.createDirectories(folder.appending(path)) }
        try FileSystem.writeAtomically(expected, to: folder.appending("catalog/manifests/baselines/e.json"))
        scene.program.variables["ENVCTL_CATALOG"] = folder.appending("catalog").string
        try scene.program.project("\(scene.reference.name)@\(compressed)")
        let pin = "schema: 1\nname: e\nrecipe: e\nimages: {\(Platform.host): \(plain)}\nbaseline: baselines/e.json\n"
        for (entry, baseline) in [
          (pin, nil), (pin + "configs: {\(Platform.host): \(try #require(config))}\n", Digest.sha256(of: expected).description),
        ] {
          try FileSystem.writeAtomically(Array(entry.utf8), to: folder.appending("catalog/manifests/e.yaml"))
          let written = try scene.program("lock")
          #expect(written.status == 0, "\(written.errors)")
          #expect(try scene.lock()["baseline"].string == baseline)
        }
      }
    }

    @Test func nothingIsWrittenWhenNothingIsFound() throws {
      try withTemporaryFolder { folder in
        let scene = try Scene(in: folder)
        for (request, status, message) in [
          ("\(scene.reference.name):2.0", 1, "\(scene.reference.name):2.0 is not there"),
          ("\(scene.reference.name)", 4, "names a repository but no image in it"),
          ("\(scene.reference)@sha256:\(String(repeating: "0", count: 64))", 1, "is not there"),
        ] as [(String, Int32, String)] {
          try scene.program.project(request)
          let outcome = try scene.program("lock", "--allow-unpinned")
          #expect(outcome.status == status, "\(outcome.errors)")
          #expect(outcome.errors.contains(message), "\(outcome.errors)")
          #expect(!FileSystem.exists(scene.program.folder.appending("envctl.lock")))
        }
      }
    }
  }
}
