/// A tree is known again as long as nobody did anything in it, and by a whole stamp only.
import EnvCore
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import SafeFS

@Suite struct TreeStampTests {
  /// Older kernels keep times in ticks: what comes within the same one cannot be told apart by anybody.
  private static let tick: UInt32 = 20_000

  private func withTree(_ body: (FilePath) throws -> Void) throws {
    try withTemporaryFolder { folder in
      let tree = folder.appending("tree")
      try FileSystem.createDirectories(tree.appending("a/deep/empty"))
      try FileSystem.createDirectories(tree.appending("b"))
      for name in ["a/deep/file", "a/file", "b/one", "b/two", "last"] {
        try FileSystem.writeAtomically(Array(name.utf8), to: tree.appending(name))
      }
      var root = try RootDirectory(tree)
      try root.makeSymlink(RelativePath("b/link"), target: "one")
      usleep(Self.tick)
      try body(tree)
    }
  }

  private func keepTime(of file: FilePath, _ body: () throws -> Void) throws {
    var value = stat()
    try #require(stat(file.string, &value) == 0)
    try body()
    try #require(utimensat(AT_FDCWD, file.string, [value.st_atim, value.st_mtim], 0) == 0)
  }

  @Test func untouched() throws {
    try withTree { tree in
      let stamp = try TreeStamp(of: tree)
      #expect(try stamp.holds(for: tree))
      _ = try FileSystem.readFile(tree.appending("a/file"))
      _ = try FileSystem.list(tree.appending("a"))
      #expect(try #require(TreeStamp(decoding: stamp.bytes)).holds(for: tree))
      #expect(try !stamp.holds(for: tree.appending("a")))
      #expect(try !stamp.holds(for: tree.appending("none")))
      #expect(throws: CancellationError.self) { try stamp.holds(for: tree) { true } }
    }
  }

  @Test("whatever is done in it shows", arguments: 0..<10) func touched(_ number: Int) throws {
    try withTree { tree in
      let stamp = try TreeStamp(of: tree)
      let file = tree.appending("a/deep/file")
      switch number {
      case 0: try keepTime(of: file) { try OwnedDescriptor.open(file, O_WRONLY, mode: 0).write(Array("A".utf8).span.bytes) }
      case 1: try FileSystem.setPermissions(file, 0o600)
      case 2: try FileSystem.writeAtomically([], to: tree.appending("a/deep/empty/new"))
      case 3: try FileSystem.removeFile(file)
      case 4: try FileSystem.rename(file, to: tree.appending("a/deep/other"))
      case 5: try FileSystem.writeAtomically(Array("a/deep/file".utf8), to: file)
      case 6: try FileSystem.removeTree(tree.appending("a/deep/empty"))
      case 7: try #require(creat(Array("\(tree)/b/".utf8CString.dropLast()) + [-1, 0], 0o644) >= 0)
      case 8: try #require(link("\(tree)/last", "\(tree)/b/again") == 0)
      default: try FileSystem.createDirectories(tree.appending("z"))
      }
      #expect(try !stamp.holds(for: tree))
      #expect(try TreeStamp(of: tree).holds(for: tree))
    }
  }

  @Test("one that was cut short or damaged holds for nothing") func damaged() throws {
    try withTree { tree in
      let bytes = try TreeStamp(of: tree).bytes
      for count in 0..<bytes.count { #expect(try TreeStamp(decoding: Array(bytes[..<count]))?.holds(for: tree) != true) }
      for index in bytes.indices {
        for bit in [0x01, 0x80] as [UInt8] {
          var damaged = bytes
          damaged[index] ^= bit
          #expect(try TreeStamp(decoding: damaged)?.holds(for: tree) != true, "byte \(index)")
        }
      }
      #expect(try TreeStamp(decoding: bytes + bytes.suffix(60))?.holds(for: tree) != true)
      #expect(TreeStamp(decoding: Array("sha256:\(String(repeating: "0", count: 64))".utf8)) == nil)
    }
  }
}
