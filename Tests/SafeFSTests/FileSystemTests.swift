/// Trusted paths: atomic files, removal and walks of trees, locks.
import EnvCore
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import SafeFS

@Suite struct FileSystemTests {
  @Test("a file is replaced whole or not at all") func atomicWrite() throws {
    try withTemporaryFolder { folder in
      let file = folder.appending("file")
      try FileSystem.writeAtomically([1], to: file, mode: 0o600)
      let inode = try FileSystem.status(file)?.inode
      try FileSystem.writeAtomically([2, 3], to: file)
      #expect(try FileSystem.readFile(file) == [2, 3])
      #expect(try FileSystem.status(file)?.inode != inode, "a new file took the old one's place")
      try FileSystem.createDirectories(folder.appending("folder/x"))
      #expect(throws: FileSystemError.self) { try FileSystem.writeAtomically([4], to: folder.appending("folder")) }
      #expect(try FileSystem.list(folder) == ["file", "folder"], "no temporary file stays")
      #expect(throws: FileSystemError.self) { try FileSystem.writeAtomically([4], to: folder.appending("none/file")) }
    }
  }

  @Test func reading() throws {
    try withTemporaryFolder { folder in
      let file = folder.appending("file")
      try FileSystem.writeAtomically([UInt8](repeating: 7, count: 70_000), to: file)
      #expect(try FileSystem.readFile(file, limit: 70_000).count == 70_000)
      #expect(throws: FileSystemError(call: "read", path: file, errno: .fileTooLarge)) { try FileSystem.readFile(file, limit: 69_999) }
      let missing = folder.appending("missing")
      #expect(throws: FileSystemError(call: "open", path: missing, errno: .noSuchFileOrDirectory)) { try FileSystem.readFile(missing) }
      #expect(throws: FileSystemError.self) { try FileSystem.readFile(folder) }
      #expect(try FileSystem.status(missing) == nil)
      #expect(try FileSystem.status(file.appending("below")) == nil)
    }
  }

  @Test func folders() throws {
    try withTemporaryFolder { folder in
      try FileSystem.createDirectories(folder.appending("a/b/c"))
      try FileSystem.createDirectories(folder.appending("a/b/c"))
      #expect(try FileSystem.status(folder.appending("a/b/c"))?.kind == .directory)
      try FileSystem.writeAtomically([], to: folder.appending("file"))
      #expect(throws: FileSystemError(call: "mkdir", path: folder.appending("file"), errno: .notDirectory)) {
        try FileSystem.createDirectories(folder.appending("file"))
      }
      for name in ["b", "\u{e9}", "e\u{301}", "a", "B"] {
        try FileSystem.writeAtomically([], to: folder.appending("a/b/c").appending(name))
      }
      let names = try FileSystem.list(folder.appending("a/b/c")).map { Array($0.utf8) }
      #expect(names == ["B", "a", "b", "e\u{301}", "\u{e9}"].map { Array($0.utf8) }, "sorted by bytes")
    }
  }

  @Test("removal follows no link and takes names of any bytes") func removal() throws {
    try withTemporaryFolder { folder in
      let (tree, outside) = (folder.appending("tree"), folder.appending("outside"))
      try FileSystem.createDirectories(tree.appending("a/b"))
      try FileSystem.createDirectories(outside)
      try FileSystem.writeAtomically([1], to: outside.appending("kept"))
      var root = try RootDirectory(tree)
      try root.makeSymlink(RelativePath("a/folder"), target: outside.string)
      try root.makeSymlink(RelativePath("a/file"), target: outside.appending("kept").string)
      try root.makeNode(RelativePath("a/fifo"), kind: .fifo, major: 0, minor: 0)
      for bytes in [[0xff, 0xfe], [0x80], Array("a\nb".utf8)] as [[UInt8]] {
        let name = Array("\(tree)/a/b/".utf8CString.dropLast()) + bytes.map { CChar(bitPattern: $0) } + [0]
        try #require(mkdir(name, 0o755) == 0)
      }
      try FileSystem.removeTree(tree)
      #expect(try FileSystem.list(folder) == ["outside"])
      #expect(try FileSystem.list(outside) == ["kept"])
      try FileSystem.removeTree(tree)
      try FileSystem.removeTree(outside.appending("kept"))
      #expect(try FileSystem.list(outside).isEmpty)
    }
  }

  @Test("a tree deeper than a process may have files open is removed") func deepRemoval() throws {
    try withTemporaryFolder { folder in
      try FileSystem.createDirectories(folder.appending("tree"))
      var descriptor = try OwnedDescriptor.directory(folder.appending("tree"))
      for level in 0..<3000 {
        try #require(mkdirat(descriptor.rawValue, "d", 0o755) == 0)
        if level % 100 == 0 { try #require(mkdirat(descriptor.rawValue, "e", 0o755) == 0) }
        descriptor = OwnedDescriptor(owning: Glibc.openat(descriptor.rawValue, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC), path: folder)
      }
      try FileSystem.removeTree(folder.appending("tree"))
      #expect(try FileSystem.list(folder).isEmpty)
    }
  }

  @Test("folders without permissions are removed all the same", .needs(.root))
  func lockedFolders() throws {
    try withTemporaryFolder { folder in
      try FileSystem.setPermissions(folder, 0o777)
      try asOrdinaryUser {
        let tree = folder.appending("tree")
        try FileSystem.createDirectories(tree.appending("a/b/c"))
        try FileSystem.writeAtomically([], to: tree.appending("a/b/file"))
        for (name, mode) in [("a/b", 0o500), ("a", 0), ("", 0o100)] as [(String, UInt32)] {
          try FileSystem.setPermissions(name.isEmpty ? tree : tree.appending(name), mode)
        }
        try FileSystem.removeTree(tree)
      }
      #expect(try FileSystem.list(folder).isEmpty)
    }
  }

  @Test("a walk meets folders before what they hold, siblings by their bytes, and follows no link") func walk() throws {
    try withTemporaryFolder { folder in
      for name in ["b/z", "b/a", "a", "\u{e9}", "e\u{301}"] { try FileSystem.createDirectories(folder.appending(name)) }
      var root = try RootDirectory(folder)
      try root.makeSymlink(RelativePath("b/loop"), target: "..")
      var paths: [[UInt8]] = []
      try FileSystem.walk(folder) { node in
        paths.append(Array(node.path.utf8))
        guard node.path == "b/loop" else { return }
        let target = try node.linkTarget()
        #expect(target == "..")
      }
      #expect(paths == ["", "a", "b", "b/a", "b/loop", "b/z", "e\u{301}", "\u{e9}"].map { Array($0.utf8) })
    }
  }

  @Test("a failed system call says what, on which file, and why; advice is apart") func errors() {
    let full = FileSystemError(call: "write", path: "/data/x", errno: .noSpace)
    #expect(full.summary == "write '/data/x': No space left on device")
    #expect(full.hint?.contains("'/data/x'") == true)
    #expect(full.exitCode == .failed)
    #expect(FileSystemError(call: "open", path: "/x", errno: .permissionDenied).exitCode == .host)
  }
}

@Suite struct FileLockTests {
  @Test("a lock that another process holds is not to be had until it ends", .needs(.tool("flock", package: "util-linux")))
  func otherProcess() throws {
    try withTemporaryFolder { folder in
      let file = folder.appending("lock")
      try whileLocked(file) {
        let isFree = try FileLock.attempt(file) != nil
        #expect(!isFree)
      }
      _ = try FileLock(file)
      let isFree = try FileLock.attempt(file) != nil
      #expect(isFree)
      #expect(try openDescriptors(below: folder).isEmpty)
    }
  }

  @Test("threads of one process exclude each other too") func threads() throws {
    try withTemporaryFolder { folder in
      let (lock, counter) = (folder.appending("lock"), folder.appending("counter"))
      try FileSystem.writeAtomically([0], to: counter)
      _ = try concurrentMap(Array(0..<40), width: 8) { _ in
        let held = try FileLock(lock)
        try FileSystem.writeAtomically([try FileSystem.readFile(counter)[0] + 1], to: counter)
        withExtendedLifetime(held) {}
      }
      #expect(try FileSystem.readFile(counter) == [40])
    }
  }

  @Test("a link in the place of a lock file is refused") func link() throws {
    try withTemporaryFolder { folder in
      var root = try RootDirectory(folder)
      try root.makeSymlink(RelativePath("lock"), target: "elsewhere")
      #expect(throws: FileSystemError.self) { _ = try FileLock(folder.appending("lock")) }
      #expect(!FileSystem.exists(folder.appending("elsewhere")))
    }
  }
}
