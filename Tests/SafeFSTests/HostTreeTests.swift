/// A host below a root: no path leads out, and links mean what they mean on that host.
import SafeFS
import SystemPackage
import TestSupport
import Testing

@Suite struct HostTreeTests {
  private func withTree(_ body: (HostTree, FilePath) throws -> Void) throws {
    try withTemporaryFolder { folder in
      let root = folder.appending("root")
      try FileSystem.createDirectories(root.appending("run/a"))
      try FileSystem.createDirectories(root.appending("usr/lib"))
      try FileSystem.writeAtomically(Array("inside".utf8), to: root.appending("run/a/file"))
      try FileSystem.writeAtomically(Array("outside".utf8), to: folder.appending("secret"))
      var tree = try RootDirectory(root)
      for (path, target) in [
        ("var/run", "/run"), ("lib", "usr/lib"), ("usr/lib/x", "../../run/a/file"), ("out", "../../secret"), ("up", "/../secret"),
        ("loop", "loop"), ("gone", "/nothing"),
      ] { try tree.makeSymlink(try RelativePath(path), target: target) }
      try body(try HostTree(root: root), root)
    }
  }

  @Test(arguments: ["/run/a/file", "/var/run/a/file", "/lib/x", "/usr/lib/../../run/a/file", "/../../run/./a//file"])
  func pathsAreThoseOfTheHost(path: String) throws {
    try withTree { host, _ in
      let text = try host.text(path)
      #expect(text == "inside")
      #expect(try host.canonicalPath(path) == "/run/a/file")
      #expect(try host.status(path)?.kind == .file)
    }
  }

  @Test(arguments: ["/out", "/up", "/loop", "/gone", "/nothing", "/run/a/file/below", "/../secret"])
  func nothingLeadsOut(path: String) throws {
    try withTree { host, _ in
      let exists = try host.exists(path)
      #expect(!exists)
      #expect(try host.read(path) == nil && host.canonicalPath(path) == nil && host.list(path) == [])
    }
  }

  @Test func foldersAreListedAndNotRead() throws {
    try withTree { host, _ in
      let names = try host.list("/")
      #expect(names == ["gone", "lib", "loop", "out", "run", "up", "usr", "var"])
      #expect(try host.list("/var/run/a") == ["file"])
      #expect(try host.read("/run") == nil)
      #expect(try host.canonicalPath("/") == "/")
    }
  }

  @Test func limitsAndNULAreErrors() throws {
    try withTree { host, _ in
      let whole = try host.read("/run/a/file", limit: 6)
      #expect(whole?.count == 6)
      #expect(throws: FileSystemError(call: "read", path: host.root.appending("run/a/file"), errno: .fileTooLarge)) {
        try host.read("/run/a/file", limit: 5)
      }
      #expect(throws: FileSystemError.self) { try host.exists("/run\0/a") }
    }
  }

  @Test func theMachineItself() throws {
    let host = try HostTree()
    #expect(try host.canonicalPath("/proc/self/status")?.hasPrefix("/proc/") == true)
    let null = try #require(try host.status("/dev/null"))
    #expect(null.kind == .characterDevice && null.device.major == 1 && null.device.minor == 3)
  }
}
