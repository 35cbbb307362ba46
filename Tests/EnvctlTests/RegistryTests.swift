/// Images between the store, real registries and files, through the binary; other people's tools are the judges.
import EnvCore
import EnvStore
import Glibc
import Hashing
import OCI
import RegistryHarness
import SafeFS
import SystemPackage
import TestSupport
import Testing

extension EnvctlTests {
  @Suite(
    .serialized,
    .needs(
      .root, .tool("docker-registry"), .tool("skopeo"), .tool("umoci"), .tool("zstd"), .tool("openssl"),
      .tool("htpasswd", package: "apache2-utils")))
  struct RegistryTests {
    /// Three layers that use all a layer may: owners, odd modes, times, attributes, links, whiteouts, opaque folders, devices.
    static func image() throws -> ImageFixture {
      let bottom: [TarItem] = [
        .folder("./", mode: 0o755), .folder("bin", mode: 0o755),
        .file("bin/tool", "one", mode: 0o4755, uid: 0, gid: 5, time: 1_100_000_000),
        .hardlink("bin/same", to: "bin/tool"), .symlink("bin/link", to: "tool"), .folder("etc", mode: 0o1777, uid: 33, time: 900_000_000),
        .file("etc/attributes", "x", attributes: ["user.note": Array("a b".utf8), "security.capability": Self.capability]),
        .folder("gone"), .file("gone/file", "y"), .folder("opaque", mode: 0o750, uid: 7), .file("opaque/old", "z"),
        .file("replaced", "file"),
        .folder("folder"), .file("folder/in", "q"), .other("pipe", .fifo, mode: 0o600),
        .other("null", .characterDevice(major: 1, minor: 3), mode: 0o666), .other("disk", .blockDevice(major: 7, minor: 200), mode: 0o640),
      ]
      let middle: [TarItem] = [
        .file(".wh.gone"), .folder("opaque", mode: 0o711, uid: 8), .file("opaque/new", "n"), .file("opaque/.wh..wh..opq"),
        .folder("replaced"), .file("replaced/in", "r"), .symlink("folder", to: "etc"), .file("etc/.wh.attributes"),
      ]
      let top: [TarItem] = [.folder("gone", mode: 0o700), .file("gone/again", "g", uid: 100_000, gid: 70_000), .file("ünïcödé", "u")]
      return ImageFixture(try [bottom, middle, top].map { try ImageFixture.Layer($0) })
    }

    /// `cap_net_raw=ep` (linux/capability.h, VFS_CAP_REVISION_2).
    private static let capability: [UInt8] = [1, 0, 0, 2, 0, 0x20] + [UInt8](repeating: 0, count: 14)

    @Test func aProxyIsUsedUnlessTheHostIsExcepted() throws {
      try withTemporaryFolder { folder in
        let proxy = try ScriptedRegistry(Self.image())
        defer { proxy.stop() }
        var program = Program.beside("registry.test:5000", in: folder)
        program.variables["http_proxy"] = "http://\(proxy.host)"
        program.variables["no_proxy"] = "other.test"
        _ = try program.pull("registry.test:5000/team/model:v1")
        #expect(proxy.requests.allSatisfy { $0.contains(" http://registry.test:5000/v2/") }, "\(proxy.requests)")
        let asked = proxy.requests.count
        program.variables["no_proxy"] = "registry.test"
        let direct = try program.run(["image", "pull", "registry.test:5000/team/model:v1"])
        #expect(direct.status == 1, "\(direct.errors)")
        #expect(proxy.requests.count == asked)
      }
    }

    @Test(arguments: [
      ["--format", "oci"], ["--format", "v2s2"], ["--format", "oci", "--dest-compress-format", "zstd"], ["--preserve-digests"],
    ]) func everyEncodingOfAnImage(_ options: [String]) throws {
      try withTemporaryFolder { folder in
        let layout = folder.appending("layout")
        try Self.image().write(layout: layout)
        let registry = try DockerRegistry(in: folder.appending("registry"))
        let name = "\(registry.host)/team/model"
        let copied = try Tool.run(
          "skopeo", ["copy", "--quiet", "--dest-tls-verify=false"] + options + ["oci:\(layout):v1", "docker://\(name):v1"])
        try #require(copied.status == 0, "\(copied.text)")
        var program = Program.beside(registry.host, in: folder)
        program.variables["ENVCTL_INSECURE_REGISTRIES"] = nil
        let digest = try program.pull("\(name):v1", "--insecure-registry", registry.host)
        let raw = try Tool.run("sh", "-c", "skopeo inspect --raw --tls-verify=false docker://\(name):v1 | sha256sum")
        #expect(raw.text.hasPrefix(digest.hex))
        try expectSameTree(program, digest, layout: layout)
        // A second store, by digest.
        let other = Program.beside(registry.host, in: folder)
        try #expect(other.pull("\(name)@\(digest)") == digest)
        let verified = try other("verify")
        #expect(verified.status == 0, "\(verified.errors)")
      }
    }

    @Test func thePlatformThatFits() throws {
      try withTemporaryFolder { folder in
        let platforms = ["linux/arm64/v8", "linux/amd64", "linux/arm/v6", "linux/arm/v7", "linux/s390x"].compactMap {
          Platform(parsing: $0)
        }
        let images = try platforms.map {
          ImageFixture([try ImageFixture.Layer([.folder("./"), .file("platform", "\($0)")])], platform: $0)
        }
        let layout = folder.appending("layout")
        let index = try ImageFixture.write(images, layout: layout)
        let registry = try DockerRegistry(in: folder.appending("registry"))
        let name = "\(registry.host)/team/model"
        try Tool.skopeo("--all", "--preserve-digests", "oci:\(layout):v1", "docker://\(name):v1")
        let program = Program.beside(registry.host, in: folder)
        let expected = ["linux/arm64": 0, "linux/arm64/v9": 0, "linux/amd64": 1, "linux/arm/v6": 2, "linux/arm/v7": 3, "linux/arm/v8": 3]
        for (platform, place) in expected {
          for reference in ["\(name):v1", "\(name)@\(index)"] {
            try #expect(program.pull(reference, "--platform", platform) == images[place].digest(), "\(platform)")
          }
        }
        try #expect(program.pull("\(name):v1") == images[platforms.firstIndex(of: .host) ?? 1].digest())
        for platform in ["linux/arm/v5", "linux/riscv64", "windows/amd64"] {
          let outcome = try program("image", "pull", "\(name):v1", "--platform", platform)
          #expect(outcome.status == 6, "\(outcome.errors)")
          #expect(outcome.errors.contains("linux/arm/v7"), "\(outcome.errors)")
        }
      }
    }

    @Test func anImagePublishedIsTheImageFetched() throws {
      try withTemporaryFolder { folder in
        let image = ImageFixture(try Self.image().layers.enumerated().map { try $0 == 0 ? $1.gzipped() : $0 == 1 ? $1.zstandard() : $1 })
        let source = try ScriptedRegistry(image)
        defer { source.stop() }
        let authority = try CertificateAuthority(in: folder.appending("ca"))
        let target = try DockerRegistry(
          in: folder.appending("registry"), access: .password(user: "ada", password: "secret"), tls: try authority.issue("registry"))
        let program = Program.beside(source.host, in: folder)
        let digest = try program.pull("\(source.name):v1")
        try #expect(digest == image.digest())
        let name = "\(target.host)/published/model"
        // First neither trusted nor allowed, then trusted, then both.
        let untrusted = try program("image", "push", "\(digest)", "\(name):v2")
        #expect(untrusted.status == 1 && untrusted.errors.contains("certificate is not trusted"), "\(untrusted.errors)")
        let trusted = folder.appending(".config/containers/certs.d/\(target.host)")
        try FileSystem.createDirectories(trusted)
        try FileSystem.writeAtomically(try FileSystem.readFile(authority.certificate), to: trusted.appending("ca.crt"))
        let refused = try program("image", "push", "\(source.name):v1", "\(name):v2")
        #expect(refused.status == 1 && refused.errors.contains("log in with"), "\(refused.errors)")
        try program.login(target.host, user: "ada", password: "secret")
        let pushed = try program("image", "push", "\(source.name):v1", "\(name):v2")
        #expect(pushed.status == 0 && pushed.output == "\(name):v2@\(digest)\n", "\(pushed.errors)")
        #expect(pushed.errors.contains("4 of 4 blobs were new"), "\(pushed.errors)")
        let again = try program("image", "push", "\(digest)", "\(name):v2")
        #expect(again.errors.contains("0 of 4 blobs were new"), "\(again.errors)")
        // skopeo finds the same image there, and so does another store of ours.
        let inspected = try Tool.run("skopeo", "inspect", "--tls-verify=false", "--creds", "ada:secret", "docker://\(name):v2")
        #expect(inspected.text.contains("\(digest)"), "\(inspected.text)")
        var other = program
        other.home = folder.appending("other")
        try #expect(other.pull("\(name):v2") == digest)
        try #expect(target.log().contains("HTTP/2.0"))
      }
    }

    @Test func aForeignLayerIsFetchedWithoutCredentials() throws {
      try withTemporaryFolder { folder in
        let authority = try CertificateAuthority(in: folder.appending("ca"))
        let identity = try authority.issue("registry")
        let open = try DockerRegistry(in: folder.appending("open"), tls: identity)
        let closed = try DockerRegistry(in: folder.appending("closed"), access: .password(user: "ada", password: "secret"), tls: identity)
        let image = try ImageFixture.small()
        try image.write(layout: folder.appending("layout"))
        for host in [open.host, closed.host] {
          try Tool.skopeo("--dest-creds", "ada:secret", "--preserve-digests", "oci:\(folder)/layout:v1", "docker://\(host)/far/away:v1")
        }
        for (host, isFetched) in [(open.host, true), (closed.host, false)] {
          var foreign = image
          foreign.layers[0].descriptor.mediaType = .nondistributableTar
          foreign.layers[0].descriptor.urls = ["https://\(host)/v2/far/away/blobs/\(image.layers[0].descriptor.digest)"]
          let registry = try ScriptedRegistry(foreign) {
            $0.path.contains("\(image.layers[0].descriptor.digest)") ? ScriptedRegistry.missing : nil
          }
          defer { registry.stop() }
          var program = Program.beside(registry.host, in: folder)
          for name in ["SSL_CERT_FILE", "CURL_CA_BUNDLE"] { program.variables[name] = authority.certificate.string }
          // A password for the other host is there, and is not for its use here.
          try program.login(host, user: "ada", password: "secret")
          let outcome = try program("image", "pull", "\(registry.name):v1")
          #expect(outcome.status == (isFetched ? 0 : 1), "\(outcome.errors)")
        }
      }
    }

    @Test func whatIsThereByDigestNeedsNoRegistry() throws {
      try withTemporaryFolder { folder in
        let image = try Self.image()
        let index = try CanonicalJSON.encode(ImageIndex(manifests: [image.descriptor()]))
        let registry = try ScriptedRegistry(
          documents: [image.manifest(), index], blobs: image.layers.map(\.blob) + [image.config()])
        let program = Program.beside(registry.host, in: folder)
        let digest = try program.pull("\(registry.name):v1")
        registry.stop()
        for pinned in try [image.digest(), Digest.sha256(of: index)] { try #expect(program.pull("\(registry.name)@\(pinned)") == digest) }
        // A tag is a question that only the registry can answer.
        try #expect(program("image", "pull", "\(registry.name):v1").status == 1)
        let listed = try program("image", "list", "--format", "json").json().items
        #expect(listed.map { $0["manifest"].string } == ["\(digest)"])
      }
    }

    @Test func savedAndLoaded() throws {
      try withTemporaryFolder { folder in
        let image = ImageFixture(try Self.image().layers.map { try $0.gzipped() })
        let registry = try ScriptedRegistry(image)
        let program = Program.beside(registry.host, in: folder)
        let digest = try program.pull("\(registry.name):v1")
        registry.stop()
        for name in ["one.tar", "two.tar"] {
          let saved = try program("image", "save", "\(digest)", "--output", folder.appending(name).string)
          #expect(saved.status == 0, "\(saved.errors)")
        }
        try #expect(FileSystem.readFile(folder.appending("one.tar")) == FileSystem.readFile(folder.appending("two.tar")))
        try #expect(program("image", "save", "\(registry.name):v1", "--output", "oci:\(folder)/saved:v1").status == 0)
        try #expect(Tool.run("skopeo", "inspect", "oci-archive:\(folder)/one.tar").text.contains("\(digest)"))
        for source in ["one.tar", "oci:\(folder)/saved:v1"] {
          let other = Program.beside(registry.host, in: folder)
          let loaded = try other("image", "load", source)
          #expect(loaded.status == 0 && loaded.output == "\(digest)\n", "\(loaded.errors)")
          try #expect(other("verify").status == 0)
        }
        try expectSameTree(program, digest, layout: folder.appending("saved"))
      }
    }

    // MARK: Interruptions

    /// An image large enough to be interrupted: four layers of 6 MB that do not compress.
    private static func largeImage() throws -> ImageFixture {
      var random = SystemRandomNumberGenerator()
      return ImageFixture(
        try (0..<4).map { layer in
          let content = (0..<750_000).flatMap { _ in withUnsafeBytes(of: random.next()) { Array($0) } }
          let item = TarItem(.init(path: "data-\(layer)", kind: .file, permissions: 0o644, size: Int64(content.count)), content: content)
          return try ImageFixture.Layer([.folder("./"), item])
        })
    }

    @Test func twoPullsAtOnceFetchEachLayerOnce() throws {
      try withTemporaryFolder { folder in
        let image = try Self.largeImage()
        let registry = try ScriptedRegistry(image)
        defer { registry.stop() }
        let program = Program.beside(registry.host, in: folder)
        let digests = try concurrentMap([1, 2, 3], width: 3) { _ in try program.pull("\(registry.name):v1") }
        try #expect(Set(digests) == [image.digest()])
        for layer in image.layers {
          #expect(registry.requests.count { $0.contains("/blobs/\(layer.descriptor.digest) ") } == 1)
        }
        try #expect(program("verify").status == 0)
        try #expect(!program.contents().contains { $0.hasPrefix("tmp/") })
      }
    }

    @Test func aFullDiskEndsInOneError() throws {
      try withTemporaryFolder { folder in
        let registry = try ScriptedRegistry(try Self.largeImage())
        defer { registry.stop() }
        var program = Program.beside(registry.host, in: folder)
        try FileSystem.createDirectories(program.home)
        let script = """
          mount -t tmpfs -o size=20m none '\(program.home)' && "$@"; status=$?
          find '\(program.home)/tmp' '\(program.home)/layers' -type f; exit $status
          """
        program.wrapper = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"]
        let outcome = try program("image", "pull", "\(registry.name):v1")
        #expect(outcome.status == 1 && outcome.errors.contains("No space left on device"), "\(outcome.errors)")
        #expect(outcome.errors.split(separator: "\n").count { $0.hasPrefix("error:") } == 1, "\(outcome.errors)")
        #expect(!outcome.output.contains("/tmp/"), "\(outcome.output)")
      }
    }

    @Test func killedAtRandomMoments() throws {
      try withTemporaryFolder { folder in
        let image = try Self.largeImage()
        let registry = try ScriptedRegistry(image)
        defer { registry.stop() }
        var program = Program.beside(registry.host, in: folder)
        let whole = try ContinuousClock().measure { _ = try program.pull("\(registry.name):v1") }
        for round in 0..<8 {
          if round % 2 == 0 {
            program.home = folder.appending("home-\(round)")
          } else {
            try FileSystem.removeTree(program.home.appending("layers"))
          }
          let child = try program.command(["image", "pull", "\(registry.name):v1"]).start()
          usleep(UInt32(Double.random(in: 0...1) * whole.seconds * 1e6))
          child.signal(SIGKILL)
          _ = try child.finish()
          try #expect(program.pull("\(registry.name):v1") == image.digest())
          try #expect(program("verify").status == 0)
          try #expect(!program.contents().contains { $0.hasPrefix("tmp/") })
        }
      }
    }

    @Test func aRegistryThatDiesInTheMiddle() throws {
      try withTemporaryFolder { folder in
        let image = try Self.largeImage()
        try image.write(layout: folder.appending("layout"))
        let registry = try DockerRegistry(in: folder.appending("registry"))
        let name = "\(registry.host)/team/model"
        try Tool.skopeo("--preserve-digests", "oci:\(folder)/layout:v1", "docker://\(name):v1")
        // One layer comes whole, the others never do, whatever the moment at which the registry dies.
        let dying = try ScriptedRegistry(image) { request in
          guard request.path.contains("/blobs/"), !request.path.contains("\(image.layers[0].descriptor.digest)") else { return nil }
          let isConfig = (try? Digest.sha256(of: image.config()))?.hex == request.path.suffix(64).description
          return isConfig ? nil : .cut([UInt8](repeating: 1, count: 1000), promised: 6_000_000)
        }
        defer { dying.stop() }
        let program = Program.beside("\(dying.host),\(registry.host)", in: folder)
        let broken = try program("image", "pull", "\(dying.name):v1")
        #expect(broken.status != 0)
        #expect(broken.errors.split(separator: "\n").count { $0.hasPrefix("error:") } == 1, "\(broken.errors)")
        try #expect(program("image", "list").status == 0)
        let left = try program.contents()
        #expect(!left.contains { $0.hasPrefix("tmp/") || $0.hasPrefix("images/") }, "\(left)")
        // What came whole stays, and the rest is fetched from where it still is.
        try #expect(program.pull("\(name):v1") == image.digest())
        let log = try registry.log()
        #expect(!log.contains("GET /v2/team/model/blobs/\(image.layers[0].descriptor.digest)"))
        registry.stop()
        let gone = try program("image", "pull", "\(name):v2", deadline: .seconds(100))
        #expect(gone.status == 1 && gone.errors.contains("is the network up"), "\(gone.errors)")
      }
    }
  }
}
