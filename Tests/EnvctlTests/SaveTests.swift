/// `envctl image save|load` and places that are no place for an image: what stands there stays, and nobody waits.
import EnvCore
import Glibc
import SafeFS
import SystemPackage
import TestSupport
import Testing

extension EnvctlTests {
  @Suite(.needs(.tool("busybox", package: "busybox-static")))
  struct SaveTests {
    /// A program whose store holds one small image.
    private func withImage(_ body: (Program, _ image: String, _ layout: FilePath) throws -> Void) throws {
      try withTemporaryFolder { folder in
        let program = try SmallImage.program(in: folder)
        let loaded = try program("image", "load", "oci:\(folder)/layout")
        try #require(loaded.status == 0, "\(loaded.errors)")
        try body(program, String(loaded.output.dropLast()), folder.appending("layout"))
      }
    }

    private func expectRefusal(_ outcome: Outcome, _ reason: String, sourceLocation: SourceLocation = #_sourceLocation) {
      #expect(outcome.status == 2, "\(outcome.errors)", sourceLocation: sourceLocation)
      #expect(outcome.errors.contains(reason), "\(outcome.errors)", sourceLocation: sourceLocation)
      #expect(outcome.errors.split(separator: "\n").count { $0.hasPrefix("error:") } == 1, sourceLocation: sourceLocation)
      #expect(outcome.output.isEmpty, sourceLocation: sourceLocation)
    }

    @Test func whatStandsThereStays() throws {
      try withImage { program, image, _ in
        let folder = program.folder
        try program.write("mine", to: "file")
        var root = try RootDirectory(folder)
        try root.makeSymlink(RelativePath("link"), target: "file")
        try root.makeSymlink(RelativePath("dangling"), target: "nowhere")
        try FileSystem.createDirectories(folder.appending("folder"))
        #expect(mkfifo(folder.appending("fifo").string, 0o600) == 0)
        for (name, reason) in [
          ("link", "it is a symbolic link to 'file'"), ("dangling", "it is a symbolic link to 'nowhere'"), ("folder", "it is a folder"),
          ("fifo", "it is a FIFO"), ("oci:file", "it is a regular file"), ("oci:link", "it is a symbolic link to 'file'"),
          ("oci:fifo", "it is a FIFO"),
        ] {
          expectRefusal(
            try program("image", "save", image, "-o", name, deadline: .seconds(20)),
            "cannot be written to '\(name.split(separator: ":").last ?? "")': \(reason)")
        }
        #expect(try FileSystem.status(folder.appending("fifo"))?.kind == .fifo)
        #expect(try FileSystem.linkTarget(folder.appending("link")) == "file")
        #expect(try FileSystem.readFile(folder.appending("file")) == Array("mine".utf8))
        // An archive that is there is replaced, as is said.
        #expect(try program("image", "save", image, "-o", "file").status == 0)
        #expect(try program("image", "load", "file").output == image + "\n")
        #expect(try FileSystem.list(folder).sorted() == ["dangling", "envctl.yaml", "fifo", "file", "folder", "link"])
      }
    }

    @Test func theStoreIsNoPlace() throws {
      try withImage { program, image, _ in
        let before = try program.contents()
        let blob = "blobs/sha256/" + image.dropFirst("sha256:".count)
        var root = try RootDirectory(program.folder)
        try root.makeSymlink(RelativePath("way"), target: program.home.string)
        for name in [
          "\(program.home)/\(blob)", "\(program.home)/new.tar", "way/\(blob)", "way/new.tar", "oci:\(program.home)", "oci:way/new",
          "oci:none/../way/new", "oci:\(program.home)/blobs",
        ] {
          expectRefusal(try program("image", "save", image, "-o", name), "it is inside the store")
        }
        // A layout of somebody else's making may lead there by its folder for blobs.
        try FileSystem.createDirectories(program.folder.appending("trap"))
        try root.makeSymlink(RelativePath("trap/blobs"), target: program.home.appending("blobs").string)
        expectRefusal(try program("image", "save", image, "-o", "oci:trap"), "it is inside the store")
        expectRefusal(try program("image", "build", "paddle-2.6-cpu", "--output", "oci:way/new"), "it is inside the store")
        #expect(try program.contents() == before)
        #expect(!FileSystem.exists(program.folder.appending("none")))
      }
    }

    @Test("nobody waits for the writer of a FIFO, and an archive has one index") func oddArchives() throws {
      try withImage { program, image, layout in
        #expect(mkfifo(program.folder.appending("fifo").string, 0o600) == 0)
        for name in ["fifo", "oci-archive:fifo", "oci-archive:."] {
          let outcome = try program("image", "load", name, deadline: .seconds(20))
          #expect(outcome.status == 5)
          #expect(outcome.errors.contains("and no regular file"), "\(outcome.errors)")
        }
        let parts = ["oci-layout", "blobs", "index.json"]
        let archive = program.folder.appending("twice.tar").string
        try #require(Tool.run("tar", ["-C", layout.string, "-cf", archive] + parts).status == 0)
        #expect(try program("image", "load", "twice.tar").output == image + "\n")
        try #require(Tool.run("tar", "-C", layout.string, "-rf", archive, "index.json").status == 0)
        let twice = try program("image", "load", "twice.tar")
        #expect(twice.status == 5)
        #expect(twice.errors.contains("it holds index.json twice"), "\(twice.errors)")
      }
    }
  }
}
