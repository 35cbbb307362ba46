/// One byte changed anywhere: the object is named with both digests, nothing is launched, and repair puts it right.
import EnvCore
import SafeFS
import SystemPackage
import TestSupport
import Testing

extension EnvctlTests {
  @Suite(.needs(.root, .tool("runc"), .tool("busybox", package: "busybox-static")))
  struct DamageTests {
    /// Changes one byte and puts the times back, as a careful intruder or a failing disk would.
    private func damage(_ file: FilePath) throws {
      let script =
        "cp -a \"$1\" \"$1.keep\" && chmod u+w \"$1\" && printf '\\377' | dd of=\"$1\" bs=1 seek=64 conv=notrunc status=none "
        + "&& touch -r \"$1.keep\" \"$1\" && rm \"$1.keep\""
      let done = try Tool.run("sh", "-c", script, "sh", file.string)
      try #require(done.status == 0, "\(done.text)")
    }

    private func expectRefusal(_ program: Program, naming object: String) throws {
      for arguments in [["run", "--", "/bin/busybox", "echo", "launched"], ["up"]] {
        let completion = try program.command(arguments).run(deadline: .seconds(60))
        let errors = String(decoding: completion.errors, as: UTF8.self)
        #expect(completion.status.code == 5, "\(errors)")
        #expect(completion.output.isEmpty)
        #expect(errors.contains(object), "\(errors)")
        #expect(errors.contains("expected sha256:") && errors.contains("found sha256:"), "\(errors)")
        for folder in ["run/throwaway", "run/runc", "workspaces"].map({ program.home.appending($0) }) where FileSystem.exists(folder) {
          #expect(try FileSystem.list(folder) == [])
        }
      }
    }

    private func expectRepair(_ program: Program, naming object: String) throws {
      let found = try program("verify", "--format", "json")
      #expect(found.status == 5)
      #expect(try found.json()["findings"].items.contains { ($0["path"].string ?? $0["object"].string ?? "").contains(object) })
      #expect(try program("verify", "--repair").status == 0)
      #expect(try program("run", "--", "/bin/busybox", "echo", "launched").output == "launched\n")
      #expect(try program("verify").status == 0)
    }

    @Test func unpackedFile() throws {
      try withTemporaryFolder { folder in
        let program = try SmallImage.program(in: folder)
        try #require(program("run", "--", "/bin/busybox", "true").status == 0)
        let layer = try #require(FileSystem.list(program.home.appending("layers")).first)
        try damage(program.home.appending("layers/\(layer)/fs/bin/busybox"))
        try expectRefusal(program, naming: "/bin/busybox")
        try expectRepair(program, naming: "/bin/busybox")
      }
    }

    @Test func everyBlob() throws {
      try withTemporaryFolder { folder in
        let program = try SmallImage.program(in: folder)
        try #require(program("run", "--", "/bin/busybox", "true").status == 0)
        let blobs = try FileSystem.list(program.home.appending("blobs/sha256"))
        #expect(blobs.count == 3)
        for blob in blobs {
          try damage(program.home.appending("blobs/sha256").appending(blob))
          try expectRefusal(program, naming: "expected sha256:\(blob)")
          try expectRepair(program, naming: blob)
        }
      }
    }

    @Test func layoutItself() throws {
      try withTemporaryFolder { folder in
        let program = try SmallImage.program(in: folder)
        for blob in try FileSystem.list(folder.appending("layout/blobs/sha256")) {
          let path = folder.appending("layout/blobs/sha256").appending(blob)
          let whole = try FileSystem.readFile(path)
          try damage(path)
          // A store that has taken in the blob while it was whole does not look at the layout any more.
          try? FileSystem.removeTree(program.home)
          try expectRefusal(program, naming: "expected sha256:\(blob)")
          try FileSystem.writeAtomically(whole, to: path)
        }
        #expect(try program("run", "--", "/bin/busybox", "true").status == 0)
      }
    }

    @Test func mountedLayerIsNotPulledAway() throws {
      try withTemporaryFolder { folder in
        let program = try SmallImage.program(in: folder)
        defer { _ = try? program("down", "--grace", "0") }
        try #require(program("up").status == 0)
        let layer = try #require(FileSystem.list(program.home.appending("layers")).first)
        let file = program.home.appending("layers/\(layer)/fs/etc/passwd")
        try #require(Tool.run("sh", "-c", "echo more >> '\(file)'").status == 0)
        let repair = try program("verify", "--repair")
        #expect(repair.status == 5)
        #expect(repair.errors.contains("envctl down"))
        #expect(FileSystem.exists(file))
        #expect(try program("down", "--grace", "0").status == 0)
        #expect(try program("verify", "--repair").status == 0)
        #expect(try program("up").status == 0)
      }
    }
  }
}
