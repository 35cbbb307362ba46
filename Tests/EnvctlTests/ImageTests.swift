/// The image the project ships: one digest wherever it is built, and other people's tools agree on what is in it.
import ChildProcess
import EnvCore
import SafeFS
import SystemPackage
import TestSupport
import Testing

extension EnvctlTests {
  @Suite(.serialized)
  struct ImageTests {
    /// The digests in the catalog: that of the manifest, and that of the configuration.
    static func pinned() throws -> (manifest: String, config: String) {
      let text = String(decoding: try FileSystem.readFile(Program.checkout.appending("manifests/paddle-2.6-cpu.yaml")), as: UTF8.self)
      let digests = text.split(separator: "\n").filter { $0.contains("linux/amd64:") }.compactMap { $0.split(separator: " ").last }
      try #require(digests.count == 2)
      return ("\(digests[0])", "\(digests[1])")
    }

    /// A store that holds the locked packages and nothing made of them.
    static func storeWithPackages(_ home: FilePath) throws {
      let program = try Shared.program("image")
      let built = try program("image", "build", "paddle-2.6-cpu", deadline: .seconds(900))
      try #require(built.status == 0, "\(built.errors)")
      let lock = try JSON(
        String(decoding: FileSystem.readFile(Program.checkout.appending("images/paddle-2.6-cpu/image.lock")), as: UTF8.self))
      try FileSystem.createDirectories(home.appending("blobs/sha256"))
      for package in lock["debian"].items + lock["python"].items {
        let name = try #require(package["sha256"].string?.dropFirst("sha256:".count))
        let copied = try Tool.run("cp", Shared.home.appending("blobs/sha256/\(name)").string, home.appending("blobs/sha256").string)
        try #require(copied.status == 0, "\(copied.text)")
      }
    }

    @Test(.needs(.tool("skopeo"), .tool("umoci"))) func oneDigestForEveryoneEverywhere() throws {
      // Where everybody may go: the checkout may lie in somebody's home.
      let base = FilePath("/var/tmp/envctl-digests-" + FileSystem.uniqueSuffix())
      try FileSystem.createDirectories(base)
      defer { try? FileSystem.removeTree(base) }
      let first = Program(
        home: base.appending("one"), folder: base, variables: ["TZ": "Asia/Shanghai", "LANG": "de_DE.UTF-8", "LC_ALL": "C"])
      try Self.storeWithPackages(first.home)
      let here = try first("image", "build", "paddle-2.6-cpu", "--output", "oci:\(base.appending("layout")):v1", deadline: .seconds(600))
      #expect(here.output == (try Self.pinned().manifest) + "\n", "\(here.errors)")

      var second = Program(
        home: base.appending("a/second place"), folder: base, variables: ["TZ": "America/St_Johns", "LANG": "C", "LC_ALL": "C.UTF-8"])
      second.wrapper = ["sh", "-c", "umask 077; exec \"$@\"", "sh"]
      try Self.storeWithPackages(second.home)
      // With a catalog and a program of its own, in another folder as well.
      let catalog = base.appending("a/catalog")
      try FileSystem.createDirectories(catalog)
      second.binary = base.appending("a/envctl")
      second.variables["ENVCTL_CATALOG"] = catalog.string
      try #require(Tool.run("cp", Program.path.string, second.binary.string).status == 0)
      for name in ["images", "manifests"] {
        try #require(Tool.run("cp", "-r", Program.checkout.appending(name).string, catalog.string).status == 0)
      }
      if Capability.isRoot {
        try #require(Tool.run("chown", "-R", "65534:65534", base.appending("a").string).status == 0)
        second.wrapper += ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
      }
      let there = try second("image", "build", "paddle-2.6-cpu", deadline: .seconds(600))
      #expect(there.output == (try Self.pinned().manifest) + "\n", "\(there.errors)")

      try skopeoAgrees(layout: base.appending("layout"))
      if Capability.isRoot { try umociAgrees(layout: base.appending("layout"), scratch: base.appending("unpacked")) }
    }

    /// skopeo reads the layout and sees the same image.
    private func skopeoAgrees(layout: FilePath) throws {
      let inspected = try Tool.run("skopeo", "inspect", "--raw", "oci:\(layout):v1")
      try #require(inspected.status == 0, "\(inspected.text)")
      #expect(try JSON(inspected.text)["layers"].items.count == 6)
      #expect(try JSON(inspected.text)["config"]["digest"].string == Self.pinned().config)
      let config = try Tool.run("skopeo", "inspect", "--config", "oci:\(layout):v1")
      #expect(try JSON(config.text)["architecture"].string == "amd64")
      #expect(try JSON(config.text)["config"]["WorkingDir"].string == "/workspace")
    }

    /// umoci unpacks the layers one over the other; an overlay of ours must show the same tree: type, mode, owner, size, time, content.
    private func umociAgrees(layout: FilePath, scratch: FilePath) throws {
      let unpacked = try Tool.run("umoci", "unpack", "--image", "\(layout):v1", scratch.string)
      try #require(unpacked.status == 0, "\(unpacked.text)")
      let program = try Shared.program("image")
      let ready = try program("run", "--", "true")
      try #require(ready.status == 0, "\(ready.errors)")
      let lock = try JSON(String(decoding: FileSystem.readFile(program.folder.appending("envctl.lock")), as: UTF8.self))
      let layers = lock["images"]["linux/amd64"]["layers"].items.compactMap { $0["diffID"].string?.dropFirst("sha256:".count) }
      let lower = layers.reversed().map { "\(Shared.home)/layers/\($0)/fs" }.joined(separator: ":")
      // A folder's link count and the times of links are the file system's own business.
      let listing = [
        "find . -mindepth 1 \\( -type f -printf '%P f %m %U:%G %Ts %s %n\\n' \\)", "-o \\( -type d -printf '%P d %m %U:%G %Ts\\n' \\)",
        "-o -printf '%P %y %m %U:%G %l\\n' | LC_ALL=C sort",
      ].joined(separator: " ")
      let content = "find . -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum"
      let script = """
        set -e
        mount -t overlay overlay -o "lowerdir=\(lower)" /mnt
        (cd /mnt && \(listing)) > "\(scratch).ours"; (cd "\(scratch)/rootfs" && \(listing)) > "\(scratch).theirs"
        diff "\(scratch).ours" "\(scratch).theirs" | head -n 20
        (cd /mnt && \(content)); (cd "\(scratch)/rootfs" && \(content))
        """
      let compared = try Tool.run("unshare", "--mount", "--propagation", "private", "bash", "-c", script)
      try #require(compared.status == 0, "\(compared.text)")
      let lines = compared.text.split(separator: "\n")
      #expect(lines.count == 2, "\(compared.text)")
      #expect(lines.first == lines.last)
    }
  }
}
