/// `envctl lock`: writes, checks and refuses, with an image from a layout. No container is started.
import EnvCore
import EnvStore
import OCI
import SafeFS
import SystemPackage
import TestSupport
import Testing

extension EnvctlTests {
  @Suite(.needs(.root, .tool("busybox", package: "busybox-static")))
  struct LockTests {
    private func lockText(_ program: Program) throws -> String {
      String(decoding: try FileSystem.readFile(program.folder.appending("envctl.lock")), as: UTF8.self)
    }

    @Test func writesAndChecks() throws {
      try withTemporaryFolder { folder in
        let program = try SmallImage.program(in: folder)
        let absent = try program("lock", "--check")
        #expect(absent.status == 4)
        #expect(
          absent.errors == "error: there is no '\(program.folder)/envctl.lock'\n\nhint: `envctl lock` writes it\n")
        let written = try program("lock")
        #expect(written.status == 0, "\(written.errors)")
        #expect(written.output.hasPrefix("wrote envctl.lock: oci:\(folder)/layout\n\(Platform.host) sha256:"))
        let text = try lockText(program)
        #expect(text.contains(#""schema" : 2"#))
        #expect(try program("lock").output.hasPrefix("envctl.lock is up to date\n"))
        #expect(try lockText(program) == text)
        let check = try program("lock", "--check")
        #expect(check.status == 0, "\(check.errors)")
        #expect(check.output == "envctl.lock fits envctl.yaml\n\(Platform.host): the documents in the store are the locked ones\n")
        #expect(try program("lock", "--check", "--remote").status == 0)
        // A store that has never seen the image has nothing to compare.
        var elsewhere = program
        elsewhere.home = folder.appending("other")
        #expect(
          try elsewhere("lock", "--check").output
            == "envctl.lock fits envctl.yaml\n\(Platform.host): its documents are not in the store, not compared\n")
        #expect(try elsewhere("lock", "--check", "--format", "json").json()["notInStore"].items.count == 1)
      }
    }

    @Test func isTheLockUpWrites() throws {
      try withTemporaryFolder { folder in
        let program = try SmallImage.program(in: folder)
        try #require(program("run", "--", "/bin/sh", "-c", "true").status == 0)
        let written = try lockText(program)
        try FileSystem.removeFile(program.folder.appending("envctl.lock"))
        try #require(program("lock").status == 0)
        #expect(try lockText(program) == written)
      }
    }

    @Test func anotherRequest() throws {
      try withTemporaryFolder { folder in
        let program = try SmallImage.program(in: folder)
        try #require(program("lock").status == 0)
        let before = try lockText(program)
        try program.project("paddle-2.6-cpu")
        let check = try program("lock", "--check")
        #expect(check.status == 4)
        #expect(check.errors.contains("it locks 'oci:\(folder)/layout', envctl.yaml asks for 'paddle-2.6-cpu'"))
        #expect(check.errors.contains("hint: if the change is wanted, `envctl lock` writes the lock anew"))
        try program.project("oci:\(folder)/layout", "platforms: [\(Platform.host), linux/riscv64]\n")
        #expect(try program("lock", "--check").errors.contains("it has no image for linux/riscv64"))
        // The layout has no such image, so nothing is written.
        #expect(try program("lock").status != 0)
        #expect(try lockText(program) == before)
      }
    }

    @Test("an altered lock is told by every command and stays as it is") func alteration() throws {
      try withTemporaryFolder { folder in
        let program = try SmallImage.program(in: folder)
        try #require(program("lock").status == 0)
        var text = try lockText(program)
        let size = try #require(text.firstRange(of: #""mediaType" : "application/vnd.oci.image.layer.v1.tar","#))
        let digits = try #require(text[size.upperBound...].firstRange(of: "\"size\" : "))
        text.insert("1", at: digits.upperBound)
        try program.write(text, to: "envctl.lock")
        for command in [["lock", "--check"], ["lock"], ["run", "--", "/bin/sh", "-c", "true"]] {
          let completion = try program.command(command).run(deadline: .seconds(60))
          #expect(completion.status.code == 5, "\(command)")
          let errors = String(decoding: completion.errors, as: UTF8.self)
          #expect(errors.contains("size of layer 1 is "), "\(errors)")
          #expect(errors.contains("hint: restore it from version control"))
        }
        #expect(try lockText(program) == text)
      }
    }

    @Test func locksThatCannotBeRead() throws {
      try withTemporaryFolder { folder in
        let program = try SmallImage.program(in: folder)
        for (content, status, message) in [
          ("", 5, "is not a lock envctl wrote"), ("{}", 5, "missing key 'schema'"), (#"{"schema": 2}"#, 5, "missing key"),
          (#"{"schema": 1, "environment": "x", "images": {}}"#, 2, "has schema 1; this envctl reads schema 2"),
          (#"{"schema": 3}"#, 2, "has schema 3; this envctl reads schema 2"),
        ] as [(String, Int32, String)] {
          try program.write(content, to: "envctl.lock")
          for command in [["lock", "--check"], ["run", "--", "/bin/sh", "-c", "true"]] {
            let completion = try program.command(command).run(deadline: .seconds(60))
            #expect(completion.status.code == status, "\(content)")
            #expect(String(decoding: completion.errors, as: UTF8.self).contains(message), "\(content)")
          }
        }
        // One of another schema is written anew, a damaged one is not.
        let renewed = try program("lock")
        #expect(renewed.status == 0)
        #expect(renewed.errors.contains("the lock of schema 3 is replaced by one of schema 2"))
        try program.write("{", to: "envctl.lock")
        #expect(try program("lock").status == 5)
        #expect(try lockText(program) == "{")
      }
    }

    @Test func upgradeExplains() throws {
      try withTemporaryFolder { folder in
        let program = try SmallImage.program(in: folder)
        #expect(try program("lock", "--upgrade").status == 4)
        try #require(program("lock").status == 0)
        #expect(try program("lock", "--upgrade").output.hasPrefix("envctl.lock is up to date\n"))
        let images = try program("lock", "--format", "json").json()["lock"]["images"]
        let before = try #require(images[Platform.host.description]["manifest"]["digest"].string)
        try FileSystem.removeTree(folder.appending("layout"))
        try SmallImage.write(
          to: folder.appending("layout"), scratch: folder.appending("more"),
          variables: ["CUDA_VERSION=11.8.0", "NV_CUDNN_VERSION=8.6.0.163-1", "ODD=\u{1B}[31m\n::error::x\u{202E}\u{9B}"],
          more: [
            .file("var/lib/dpkg/status", "Package: busybox\nStatus: install ok installed\nVersion: 1.35\n"),
            .file("usr/lib/python3/dist-packages/numpy-1.26.4.dist-info/METADATA", "Name: numpy\nVersion: 1.26.4\n"),
          ])
        // What is locked stays locked until somebody asks.
        #expect(try program("lock").output.contains(before))
        let upgrade = try program("lock", "--upgrade")
        #expect(upgrade.status == 0, "\(upgrade.errors)")
        #expect(upgrade.output.hasPrefix("\(Platform.host): \(before) → sha256:"), "\(upgrade.output)")
        for line in [
          "  layers shared: 1, ", "  layers new: 1, ", "  layers gone: 0, 0 B", "  CUDA: none → 11.8.0", "  cuDNN: none → 8.6.0.163",
          "  driver: none → ≥ 450.80.02", "  env CUDA_VERSION: none → 11.8.0", "  packages that differ: 2", "    dpkg busybox: none → 1.35",
          "    python numpy: none → 1.26.4", "wrote envctl.lock: ", "facts: CUDA 11.8.0, cuDNN 8.6.0.163, driver ≥ 450.80.02",
          "  env ODD: none → \\u{1b}[31m\\u{a}::error::x\\u{202e}\\u{9b}\n",
        ] { #expect(upgrade.output.contains(line), "\(line) in \(upgrade.output)") }
        #expect(try program("lock", "--check").status == 0)
      }
    }

    @Test("a newer catalog may pin another image, or know a better one for a triple") func movedCatalog() throws {
      try withTemporaryFolder { folder in
        var program = Program(home: folder.appending("home"), folder: folder.appending("project"))
        program.variables["ENVCTL_CATALOG"] = folder.appending("catalog").string
        try FileSystem.createDirectories(folder.appending("catalog/manifests/published"))
        try FileSystem.createDirectories(folder.appending("catalog/images"))
        let (old, new) = (String(repeating: "a", count: 64), String(repeating: "b", count: 64))
        func pin(_ digest: String) throws {
          let entry =
            "schema: 1\nname: e\nframework: paddle\nversion: 2.6.0\nrecipe: e\nimages:\n  \(Platform.host): sha256:\(digest)\n"
          try FileSystem.writeAtomically(Array(entry.utf8), to: folder.appending("catalog/manifests/e.yaml"))
        }
        func lock(_ environment: String, _ resolved: String) throws {
          let document = #"{"digest": "sha256:\#(old)", "mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 1}"#
          let image = #"{"manifest": \#(document), "config": \#(document), "layers": [], "facts": {}}"#
          try program.write(
            """
            {"schema": 2, "environment": "\(environment)", "resolved": "\(resolved)", "images": {"\(Platform.host)": \(image)},
             "signatures": [], "allowedUnpinned": []}
            """, to: "envctl.lock")
        }
        let published = "schema: 1\nproduct: paddle\nrepositories: [127.0.0.1:9/paddle]\n"
        try FileSystem.writeAtomically(Array(published.utf8), to: folder.appending("catalog/manifests/published/paddle.yaml"))
        try pin(old)
        try program.project("e")
        try lock("e", "e")
        #expect(try program("lock", "--check", "--remote").output.hasSuffix("e: unchanged\n"))
        try pin(new)
        #expect(try program("lock", "--check").status == 0)
        let moved = try program("lock", "--check", "--remote")
        #expect(moved.status == 4)
        #expect(moved.errors.contains("environment 'e' of the catalog has moved: locked as sha256:\(old), now sha256:\(new)"))
        try program.project("{framework: paddle, version: 2.6.0}")
        try lock("paddle 2.6.0", "127.0.0.1:9/paddle:2.6.0")
        #expect(try program("lock", "--check").status == 0)
        let elsewhere = try program("lock", "--check", "--remote")
        #expect(elsewhere.status == 4)
        #expect(elsewhere.errors.contains("paddle 2.6.0 leads to e now, locked is 127.0.0.1:9/paddle:2.6.0"))
      }
    }

    @Test func optionsThatContradict() throws {
      try withTemporaryFolder { folder in
        let program = Program(home: folder.appending("home"), folder: folder)
        for arguments in [["--check", "--upgrade"], ["--remote"], ["--check", "--allow-unpinned"]] {
          let completion = try program.command(["lock"] + arguments).run(deadline: .seconds(60))
          #expect(completion.status.code == 2, "\(arguments)")
        }
      }
    }
  }
}
