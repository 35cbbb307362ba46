/// Removal of trees, and reading below a root.
import Glibc
import SafeFS
import SystemPackage
import Testing

private func withFolder(_ body: (FilePath) throws -> Void) throws {
  let folder = FilePath("/tmp/envctl-safefs-" + FileSystem.uniqueSuffix())
  try FileSystem.createDirectories(folder)
  defer { try? FileSystem.removeTree(folder) }
  try body(folder)
}

@Suite struct RemoveTreeTests {
  @Test func wholeTreeGoesAndWhatLinksPointToStays() throws {
    try withFolder { folder in
      let (outside, tree) = (folder.appending("outside"), folder.appending("tree"))
      try FileSystem.createDirectories(outside)
      try FileSystem.writeAtomically([1], to: outside.appending("kept"))
      for number in 0..<120 {
        let deep = tree.appending("a\(number % 7)/b\(number % 3)/c\(number)")
        try FileSystem.createDirectories(deep)
        try FileSystem.writeAtomically([2], to: deep.appending("file"))
        symlink(outside.string, deep.appending("link").string)
      }
      chmod(tree.appending("a1/b1").string, 0)
      chmod(tree.appending("a2").string, 0o500)
      try FileSystem.removeTree(tree)
      #expect(!FileSystem.exists(tree))
      #expect(try FileSystem.list(outside) == ["kept"])
    }
  }

  @Test func nothingThereIsNoErrorAndAFileOrLinkIsRemovedItself() throws {
    try withFolder { folder in
      try FileSystem.removeTree(folder.appending("absent"))
      try FileSystem.writeAtomically([1], to: folder.appending("file"))
      symlink(folder.appending("file").string, folder.appending("link").string)
      try FileSystem.removeTree(folder.appending("link"))
      #expect(try FileSystem.list(folder) == ["file"])
      try FileSystem.removeTree(folder.appending("file"))
      #expect(try FileSystem.list(folder) == [])
    }
  }
}

@Suite struct RootDirectoryReadTests {
  @Test func linksAreFollowedBelowTheRootOnly() throws {
    try withFolder { folder in
      let root = folder.appending("root")
      try FileSystem.createDirectories(root.appending("etc"))
      try FileSystem.writeAtomically([7], to: root.appending("inside"))
      try FileSystem.writeAtomically([9], to: folder.appending("secret"))
      symlink("/inside", root.appending("etc/absolute").string)
      symlink("../../../../secret", root.appending("etc/climbing").string)
      symlink(folder.appending("secret").string, root.appending("etc/outside").string)
      symlink("loop", root.appending("etc/loop").string)
      let directory = try RootDirectory(root)
      #expect(try directory.readFile(RelativePath("etc/absolute")) == [7])
      for name in ["climbing", "outside", "loop", "absent"] {
        #expect(try directory.readFile(RelativePath("etc/" + name)) == nil)
        #expect(try directory.statusFollowing(RelativePath("etc/" + name)) == nil)
      }
      #expect(try directory.readFile(RelativePath("etc")) == nil)
      #expect(try directory.statusFollowing(RelativePath("etc"))?.kind == .directory)
    }
  }
}
