/// Opening a store: schema, permissions, a full disk, and what crashed and living processes leave in `tmp`.
import EnvCore
import Glibc
import SafeFS
import SystemPackage
import TestSupport
import Testing

@testable import EnvStore

@Suite struct StoreLifeTests {
  @Test("what a crashed process left is swept up, what a living one works on is kept")
  func sessions() throws {
    try withTemporaryFolder { folder in
      let home = folder.appending("home")
      let living = try Store(home: home)
      let work = try living.temporaryPath("work")
      try FileSystem.writeAtomically([1], to: work)
      // A dead session: its lock file is there and nobody holds it. One died before it made its folder.
      let tmp = home.appending("tmp")
      try FileSystem.createDirectories(tmp.appending("dead/layer.x/fs/a"))
      try FileSystem.writeAtomically([], to: tmp.appending("dead.lock"))
      try FileSystem.writeAtomically([], to: tmp.appending("dead2.lock"))
      _ = try Store(home: home)
      #expect(FileSystem.exists(work))
      #expect(!FileSystem.exists(tmp.appending("dead")))
      #expect(try FileSystem.list(tmp).count == 2, "the living session and its lock")
      withExtendedLifetime(living) {}
    }
  }

  @Test("a process that was killed holds its session no longer", .needs(.tool("flock", package: "util-linux")))
  func killedProcess() throws {
    try withTemporaryFolder { folder in
      let home = folder.appending("home")
      _ = try Store(home: home)
      let tmp = home.appending("tmp")
      try FileSystem.createDirectories(tmp.appending("other"))
      let lock = tmp.appending("other.lock")
      try FileSystem.writeAtomically([], to: lock)
      try whileLocked(lock) {
        _ = try Store(home: home)
        #expect(FileSystem.exists(tmp.appending("other")))
      }
      _ = try Store(home: home)
      #expect(try FileSystem.list(tmp).isEmpty)
    }
  }

  @Test("a store that ends normally leaves no session")
  func normalEnd() throws {
    try withTemporaryFolder { folder in
      let home = folder.appending("home")
      do {
        let store = try Store(home: home)
        _ = try store.ingest([1], object: "x")
        withExtendedLifetime(store) {}
      }
      #expect(try FileSystem.list(home.appending("tmp")).isEmpty)
      #expect(try openDescriptors(below: folder).isEmpty)
    }
  }

  @Test("a store of a newer schema is refused and left as it is")
  func newerSchema() throws {
    try withTemporaryFolder { folder in
      try FileSystem.writeAtomically(Array("2\n".utf8), to: folder.appending("schema"))
      let chain = failure { _ = try Store(home: folder) }
      #expect(chain?.summaries == ["the store at '\(folder)' has schema 2, which is newer than this envctl knows"])
      #expect(chain?.exitCode == .failed)
      #expect(chain?.hint != nil)
      #expect(try FileSystem.list(folder) == ["schema"])
    }
  }

  @Test(arguments: ["", "\n", "x", "1.0\n"])
  func damagedSchema(_ text: String) throws {
    try withTemporaryFolder { folder in
      try FileSystem.writeAtomically(Array(text.utf8), to: folder.appending("schema"))
      let chain = failure { _ = try Store(home: folder) }
      #expect(chain?.summaries.first?.contains("'\(folder.appending("schema"))' cannot be read") == true)
    }
  }

  @Test("a home that is a file is refused") func homeIsFile() throws {
    try withTemporaryFolder { folder in
      let home = folder.appending("home")
      try FileSystem.writeAtomically([], to: home)
      let chain = failure { _ = try Store(home: home) }
      #expect(chain?.exitCode == .host)
      #expect(chain?.summaries.count == 2)
    }
  }

  @Test("a home the user may not write to is refused with a hint", .needs(.root))
  func unwritable() throws {
    try withTemporaryFolder { folder in
      let home = folder.appending("home")
      let chain = try asOrdinaryUser { failure { _ = try Store(home: home) } }
      #expect(chain?.exitCode == .host)
      #expect(chain?.summaries == ["the store at '\(home)' cannot be used", "mkdir '\(home)': Permission denied"])
      #expect(chain?.hint?.contains("ENVCTL_HOME") == true)
      // A store that root made, in which a user then wants to write.
      _ = try Store(home: home)
      let second = try asOrdinaryUser { failure { _ = try Store(home: home).ingest([1], object: "x") } }
      #expect(second?.exitCode == .host)
      #expect(second?.hint?.contains("ENVCTL_HOME") == true)
    }
  }

  @Test("an ordinary user is told that unpacking needs root", .needs(.root))
  func unpackingAsUser() throws {
    try withTemporaryFolder { folder in
      try FileSystem.setPermissions(folder, 0o777)
      let home = folder.appending("home")
      let layers = [try LayerBlob([.file("a", "x", uid: 5)]), try LayerBlob([.folder("a"), .symlink("b", to: "a")])]
      for layer in layers {
        let chain = try asOrdinaryUser {
          failure {
            let store = try Store(home: home)
            _ = try store.materialise(try store.addImage([layer]))
          }
        }
        #expect(chain?.summaries == ["unpacking a layer needs root: files must get the owners the image gives them"])
        #expect(chain?.exitCode == .host)
      }
      #expect(try FileSystem.list(home.appending("layers")).isEmpty)
    }
  }

  @Test("a full disk is one clear error, and nothing half-written stays", .needs(.root))
  func fullDisk() throws {
    try withTemporaryFolder { folder in
      let home = folder.appending("small")
      try FileSystem.createDirectories(home)
      try #require(mount("tmpfs", home.string, "tmpfs", 0, "size=1m") == 0)
      defer { umount2(home.string, CInt(MNT_DETACH)) }
      let store = try Store(home: home)
      let block = [UInt8](repeating: 7, count: 1 << 20)
      let blobChain = failure { _ = try store.ingest(block, object: "large blob") }
      try expectNoSpace(blobChain, home)
      #expect(try FileSystem.list(home.appending("blobs/sha256")).isEmpty)
      // The blob fits, what it unpacks to does not.
      let layer = try LayerBlob([.file("big", String(repeating: "x", count: 600_000))])
      let image = try store.addImage([layer])
      try expectNoSpace(failure { _ = try store.materialise(image) }, home)
      #expect(try FileSystem.list(home.appending("layers")).isEmpty)
      let session = try FileSystem.list(home.appending("tmp")).filter { !$0.hasSuffix(".lock") }
      #expect(try FileSystem.list(home.appending("tmp").appending(session[0])).isEmpty)
      // Room again: the same store goes on.
      #expect(try store.ingest([1, 2, 3], object: "small blob").size == 3)
    }
  }

  private func expectNoSpace(_ chain: DiagnosticChain?, _ home: FilePath) throws {
    #expect(chain?.summaries.first?.hasPrefix("write '\(home)") == true, "\(chain?.summaries ?? [])")
    #expect(chain?.summaries.first?.hasSuffix("No space left on device") == true)
    #expect(chain?.hint?.contains("free some space") == true)
    #expect(chain?.exitCode == .failed)
  }
}
