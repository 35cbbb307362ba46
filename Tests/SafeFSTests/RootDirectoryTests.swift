/// Untrusted names below a root: whatever links lie in the way, nothing outside is reached.
import EnvCore
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import SafeFS

@Suite struct RelativePathTests {
  static let harmless: [(String, String)] = [
    ("a", "a"), ("/a", "a"), ("./a", "a"), ("a//b/", "a/b"), ("a/./b", "a/b"), ("", ""), (".", ""), ("/", ""), ("./", ""), ("...", "..."),
    ("..a/b..", "..a/b.."), ("a/\u{301}b", "a/\u{301}b"), (" ", " "), ("\n", "\n"),
  ]

  @Test(arguments: harmless) func accepted(_ text: String, _ expected: String) throws {
    let path = try RelativePath(text)
    #expect(path.string.utf8.elementsEqual(expected.utf8))
    #expect(path.isRoot == expected.isEmpty)
  }

  @Test(arguments: ["..", "../a", "a/..", "a/../b", "/..", "./../a", "a//..//b", "../\u{301}a", "a/../\u{301}", "..\u{2f}\u{200d}x"])
  func escapes(_ text: String) { #expect(throws: PathError.escapes(text)) { try RelativePath(text) } }

  @Test func limits() throws {
    #expect(throws: PathError.containsNUL) { try RelativePath("a\0b") }
    #expect(throws: PathError.self) { try RelativePath(String(repeating: "x", count: 256)) }
    #expect(throws: PathError.self) { try RelativePath(String(repeating: "\u{e9}", count: 128)) }
    #expect(throws: PathError.self) { try RelativePath(String(repeating: "x/", count: 2048) + "y") }
    #expect(try RelativePath(String(repeating: "x", count: 255)).name.utf8.count == 255)
    #expect(try RelativePath(String(repeating: "x/", count: 2048)).string.utf8.count == 4095)
  }

  @Test func parts() throws {
    let path = try RelativePath("a/b/\u{301}c")
    #expect(path.name.utf8.elementsEqual("\u{301}c".utf8))
    #expect(path.parent.string == "a/b")
    #expect(try RelativePath("a").parent == .root)
    #expect(RelativePath.root.name.isEmpty)
    #expect(try RelativePath.root.appending("x").string == "x")
    #expect(throws: PathError.self) { try path.appending("..") }
  }

  @Test("two spellings of one character are two names") func bytes() throws {
    let composed = try RelativePath("\u{e9}")
    let decomposed = try RelativePath("e\u{301}")
    #expect(composed != decomposed)
    #expect(Set([composed, decomposed, composed]).count == 2)
  }
}

@Suite struct RootDirectoryTests {
  /// A root with a folder beside it that nothing may reach.
  private func withRoot(_ body: (inout RootDirectory, _ root: FilePath, _ outside: FilePath) throws -> Void) throws {
    try withTemporaryFolder { folder in
      let (path, outside) = (folder.appending("root"), folder.appending("outside"))
      try FileSystem.createDirectories(path)
      try FileSystem.createDirectories(outside)
      do {
        var root = try RootDirectory(path)
        try body(&root, path, outside)
      }
      #expect(try FileSystem.list(outside).isEmpty, "something was written outside the root")
      #expect(try FileSystem.list(folder) == ["outside", "root"])
      #expect(try openDescriptors(below: folder).isEmpty)
    }
  }

  /// Writes `x` to a new file.
  private func write(_ root: inout RootDirectory, _ path: String) throws {
    let file = try root.createFile(RelativePath(path))
    try file.write([120].span.bytes)
  }

  @Test("links that lead up or to absolute paths stay below the root", arguments: ["..", "../outside", "/outside", "../../../../..", "/"])
  func links(_ target: String) throws {
    try withRoot { root, path, _ in
      try root.makeDirectory(RelativePath("outside"))
      try root.makeSymlink(RelativePath("l"), target: target)
      try write(&root, "l/file")
      #expect(FileSystem.exists(path.appending("file")) != FileSystem.exists(path.appending("outside/file")))
    }
  }

  @Test("a link to the real folder outside does not reach it") func realOutside() throws {
    try withRoot { root, path, outside in
      try root.makeSymlink(RelativePath("l"), target: outside.string)
      #expect(throws: FileSystemError.self) { try write(&root, "l/file") }
      #expect(throws: FileSystemError.self) { try root.makeDirectory(RelativePath("l/folder")) }
      #expect(throws: FileSystemError.self) { try root.makeSymlink(RelativePath("l/link"), target: "x") }
      #expect(try root.status(RelativePath("l/file")) == nil)
      #expect(try root.status(RelativePath("l"))?.kind == .symlink)
    }
  }

  @Test("magic links of /proc are not followed", .needs(.root))
  func magicLinks() throws {
    try withRoot { root, path, outside in
      let proc = path.appending("proc")
      try FileSystem.createDirectories(proc)
      try #require(mount("/proc", proc.string, nil, UInt(MS_BIND), nil) == 0)
      defer { umount2(proc.string, CInt(MNT_DETACH)) }
      #expect(throws: FileSystemError.self) { try write(&root, "proc/self/cwd/envctl-test-file") }
      #expect(throws: FileSystemError.self) { try write(&root, "proc/self/root\(outside)/file") }
    }
  }

  @Test("a link that replaces a folder that was used a moment ago is seen") func replacedFolder() throws {
    try withRoot { root, path, outside in
      try write(&root, "d/a")
      try root.remove(RelativePath("d"))
      try root.makeSymlink(RelativePath("d"), target: outside.string)
      #expect(throws: FileSystemError.self) { try write(&root, "d/b") }
    }
  }

  @Test("a folder removed under the name a link gives it is not written to") func replacedThroughLink() throws {
    try withRoot { root, path, _ in
      try root.makeDirectory(RelativePath("real"))
      try root.makeSymlink(RelativePath("link"), target: "real")
      try write(&root, "link/a")
      try root.remove(RelativePath("real"))
      try root.makeDirectory(RelativePath("real"))
      try write(&root, "link/b")
      #expect(try FileSystem.list(path.appending("real")) == ["b"])
    }
  }

  @Test("a dangling link is no folder") func dangling() throws {
    try withRoot { root, path, _ in
      try root.makeSymlink(RelativePath("l"), target: "nowhere")
      #expect(throws: FileSystemError(call: "mkdirat", path: path.appending("l"), errno: .notDirectory)) { try write(&root, "l/x") }
      #expect(!FileSystem.exists(path.appending("nowhere")))
    }
  }

  @Test("a link in the last place is never followed") func lastLink() throws {
    try withRoot { root, path, outside in
      let victim = path.appending("victim")
      try FileSystem.writeAtomically([1], to: victim)
      try root.makeSymlink(RelativePath("l"), target: "victim")
      #expect(throws: FileSystemError.self) { try write(&root, "l") }
      #expect(throws: FileSystemError.self) { _ = try root.openFile(RelativePath("l")) }
      try root.setAttributes(
        RelativePath("l"), FileAttributes(permissions: 0o777, uid: getuid(), gid: getgid(), modified: 7_000_000_000), isSymlink: true)
      #expect(try FileSystem.status(victim)?.modified != 7_000_000_000)
      #expect(try root.status(RelativePath("l"))?.modified == 7_000_000_000)
      try root.makeHardlink(RelativePath("l2"), target: RelativePath("l"))
      #expect(try root.status(RelativePath("l2"))?.kind == .symlink)
      try root.remove(RelativePath("l"))
      #expect(FileSystem.exists(victim))
    }
  }

  @Test("a FIFO is not waited for") func fifo() throws {
    try withRoot { root, path, _ in
      try root.makeNode(RelativePath("p"), kind: .fifo, major: 0, minor: 0)
      #expect(try FileSystem.readFile(path.appending("p")).isEmpty)
      #expect(try root.openFile(RelativePath("p")).status().kind == .fifo)
    }
  }

  @Test("times before 1970 and with nanoseconds survive", arguments: [0, 1, -1, -1_000_000_000, -1_500_000_000, 1_234_567_890_123_456_789])
  func times(_ nanoseconds: Int64) throws {
    try withRoot { root, _, _ in
      try write(&root, "f")
      try root.setModified(RelativePath("f"), nanoseconds: nanoseconds)
      #expect(try root.status(RelativePath("f"))?.modified == nanoseconds)
    }
  }
}
