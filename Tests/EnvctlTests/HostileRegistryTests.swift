/// Registries and images made to do harm: one clear error, and nothing of them in the store or anywhere else.
import EnvCore
import Hashing
import LoopbackHTTP
import OCI
import RegistryHarness
import SafeFS
import SystemPackage
import TestSupport
import Testing

extension EnvctlTests {
  @Suite(.serialized, .needs(.root, .tool("zstd")))
  struct HostileRegistryTests {
    @Test(arguments: HostileCase.transfers + HostileCase.documents + HostileCase.streams + HostileCase.archives)
    func endsInOneClearError(_ hostile: HostileCase) throws {
      try withTemporaryFolder { folder in
        let registry = try hostile.registry()
        defer { registry.stop() }
        // What a path out of the store would meet first.
        try FileSystem.createDirectories(folder.appending("victim"))
        try FileSystem.writeAtomically(Array("untouched".utf8), to: folder.appending("victim/file"))
        let program = Program.beside(registry.host, in: folder)
        let before = try Self.outside(program)
        let (measured, peak) = program.measuringMemory()
        let outcome = try measured("image", "pull", "\(registry.name):v1")
        #expect(outcome.status == hostile.status, "\(outcome.errors)")
        #expect(outcome.output.isEmpty)
        let errors = outcome.errors.split(separator: "\n").filter { $0.hasPrefix("error:") }
        #expect(errors.count == 1 && (errors[0].contains(registry.host) || errors[0].contains("image ")), "\(outcome.errors)")
        for text in hostile.expected { #expect(outcome.errors.contains(text), "\(outcome.errors)") }
        #expect(outcome.errors.utf8.count < 2500 && !outcome.errors.contains("\u{1b}"), "\(outcome.errors)")
        let kilobytes = Int(String(decoding: try FileSystem.readFile(peak), as: UTF8.self)) ?? .max
        #expect(kilobytes < 200_000, "\(kilobytes) KiB")
        try FileSystem.removeFile(peak)

        let listed = try program("image", "list")
        #expect(listed.status == 0 && listed.output.isEmpty, "\(listed.output)\(listed.errors)")
        for name in try program.contents() {
          // Documents whose digests are right may stay; nothing else may.
          #expect(name.hasPrefix("blobs/"), "\(name)")
          try #expect(FileSystem.readFile(program.home.appending(name), limit: 1 << 30).first == UInt8(ascii: "{"), "\(name)")
        }
        try #expect(Self.outside(program) == before)
      }
    }

    /// Everything in the test's folder but the store.
    private static func outside(_ program: Program) throws -> [String] {
      try TreeListing.lines(program.folder).filter { !$0.hasPrefix("/ ") && !$0.contains(program.home.lastComponent?.string ?? "") }
    }

    /// A connection that is cut for good is no verdict on the content: another try may do better.
    @Test func aLayerThatNeverComesWhole() throws {
      try withTemporaryFolder { folder in
        let image = try ImageFixture.small()
        let layer = image.layers[0]
        let registry = try ScriptedRegistry(image) { request in
          request.path.hasSuffix(layer.descriptor.digest.hex) ? .cut(Array(layer.blob.prefix(100)), promised: layer.blob.count) : nil
        }
        defer { registry.stop() }
        let program = Program.beside(registry.host, in: folder)
        let outcome = try program("image", "pull", "\(registry.name):v1")
        #expect(outcome.status == 1 && outcome.errors.contains("layer 1 of \(registry.name):v1"), "\(outcome.errors)")
        try #expect(program("image", "list").output.isEmpty)
        try #expect(program.contents().allSatisfy { $0.hasPrefix("blobs/") && !$0.contains(layer.descriptor.digest.hex) })
      }
    }

    /// What a layer needs of those below is known only when they are there: by then its blob, whose digests are right, has been kept.
    @Test func aHardlinkToAFileOfTheHost() throws {
      try withTemporaryFolder { folder in
        let registry = try ScriptedRegistry(ImageFixture([try ImageFixture.Layer([.hardlink("link", to: "/etc/passwd")])]))
        defer { registry.stop() }
        let program = Program.beside(registry.host, in: folder)
        let outcome = try program("image", "pull", "\(registry.name):v1")
        #expect(outcome.status == 5, "\(outcome.errors)")
        #expect(outcome.errors.contains("which neither this layer nor one below it holds"), "\(outcome.errors)")
        // What cannot be unpacked is not listed as an image.
        let list = try program("image", "list")
        #expect(list.status == 0 && list.output.isEmpty, "\(list.output)")
        try #expect(!program.contents().contains { $0.hasPrefix("layers/") || $0.hasPrefix("tmp/") })
      }
    }

    /// Longer than the 4,095 bytes the kernel takes in one call; umoci, which puts its own folder before it, cannot.
    @Test func aPathOf4096Bytes() throws {
      try withTemporaryFolder { folder in
        let folders = (1...40).map { String(repeating: String(repeating: "d", count: 100) + "/", count: $0) }
        let entries = folders.map { TarItem.folder($0) } + [.file(folders[39] + String(repeating: "n", count: 56), "deep")]
        let registry = try ScriptedRegistry(ImageFixture([try ImageFixture.Layer(entries)]))
        defer { registry.stop() }
        let program = Program.beside(registry.host, in: folder)
        _ = try program.pull("\(registry.name):v1")
        let verified = try program("verify")
        #expect(verified.status == 0 && verified.errors.contains("42 files"), "\(verified.errors)")
        // By a program that goes down step by step, because no path of this process reaches that far.
        try #require(Tool.run("rm", "-rf", program.home.string).status == 0)
      }
    }

    @Test(.needs(.tool("umoci")), arguments: OddImage.all)
    func oddButLegalImagesAreWhatUmociMakesOfThem(_ odd: OddImage) throws {
      try withTemporaryFolder { folder in
        let image = try odd.image()
        let layout = folder.appending("layout")
        try image.write(layout: layout)
        let registry = try ScriptedRegistry(image)
        defer { registry.stop() }
        let program = Program.beside(registry.host, in: folder)
        let theirs = odd.witness == .tar ? try TreeListing.tar(image.layers[0].blob) : try TreeListing.umoci(layout: layout)
        try expectSameTree(program, program.pull("\(registry.name):v1"), as: theirs)
        try #expect(program("verify").status == 0)
      }
    }
  }
}
