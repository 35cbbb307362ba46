/// What the entries of a layer become on the disk (image-spec layer.md).
import Archive
import EnvCore
import SafeFS
import SystemPackage
import TestSupport
import Testing

@testable import EnvStore

@Suite(.needs(.root))
struct ExtractionTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let items: [TarItem]
    let expected: [String]

    init(_ name: String, _ items: [TarItem], _ expected: [String]) {
      testDescription = name
      self.items = items
      self.expected = expected
    }
  }

  static let longName = String(repeating: "n", count: 255)
  /// 4096 bytes: fifteen folders of 255 bytes with their slashes, one of 254, and a file of one.
  static let longPath = String(repeating: longName + "/", count: 15) + String(repeating: "m", count: 254) + "/f"

  static let cases: [Case] = [
    Case("empty layer", [], []),
    Case("whiteout before a sibling", [.file("a/.wh.b"), .file("a/c", "x")], ["d a 755", "w a/b", "f a/c 644 x"]),
    Case("whiteout after a sibling", [.file("a/c", "x"), .file("a/.wh.b")], ["d a 755", "w a/b", "f a/c 644 x"]),
    Case("whiteout before a file of its name", [.file(".wh.a"), .file("a", "new")], ["f a 644 new"]),
    Case("whiteout after a file of its name", [.file("a", "new"), .file(".wh.a")], ["f a 644 new"]),
    Case("whiteout twice", [.file(".wh.a"), .file(".wh.a")], ["w a"]),
    Case("whiteout before a folder of its name", [.file(".wh.a"), .folder("a"), .file("a/b")], ["o a 755", "f a/b 644 "]),
    Case("whiteout after a folder of its name", [.folder("a"), .file("a/b"), .file(".wh.a")], ["o a 755", "f a/b 644 "]),
    Case("whiteout after a folder without an entry", [.file("a/b"), .file(".wh.a")], ["o a 755", "f a/b 644 "]),
    Case("whiteout before a folder without an entry", [.file(".wh.a"), .file("a/b/c")], ["o a 755", "d a/b 755", "f a/b/c 644 "]),
    Case("whiteout below a hidden folder", [.file(".wh.a"), .file("a/.wh.b"), .file("a/.wh..wh..opq")], ["w a"]),
    Case("whiteout below a link's folder", [.folder("r"), .symlink("l", to: "r"), .file("l/.wh.x")], ["l l -> r", "d r 755", "w r/x"]),
    Case("opaque first", [.folder("a"), .file("a/.wh..wh..opq"), .file("a/b")], ["o a 755", "f a/b 644 "]),
    Case("opaque last", [.folder("a"), .file("a/b"), .file("a/.wh..wh..opq")], ["o a 755", "f a/b 644 "]),
    Case("opaque before the folder's entry", [.file("a/.wh..wh..opq"), .folder("a", mode: 0o700)], ["o a 700"]),
    Case("aufs leftovers", [.file(".wh..wh.aufs"), .folder(".wh..wh.plnk"), .file(".wh..wh.plnk/1.2", "x"), .file("a")], ["f a 644 "]),
    Case("folder over folder", [.folder("a"), .file("a/b"), .folder("a", mode: 0o1777)], ["d a 1777", "f a/b 644 "]),
    Case("folder over file", [.file("a", "x"), .folder("a"), .file("a/b")], ["d a 755", "f a/b 644 "]),
    Case("file over folder", [.folder("a/b"), .file("a/b/c"), .file("a", "x")], ["f a 644 x"]),
    Case("file over link", [.file("t", "t"), .symlink("a", to: "t"), .file("a", "x")], ["f a 644 x", "f t 644 t"]),
    Case("folder over link", [.folder("r"), .symlink("a", to: "r"), .folder("a"), .file("a/b")], ["d a 755", "f a/b 644 ", "d r 755"]),
    Case("file twice", [.file("a", "first"), .file("a", "2", mode: 0o600)], ["f a 600 2"]),
    Case(
      "hardlink chain", [.file("a", "x"), .hardlink("b", to: "a"), .hardlink("d/c", to: "./b")],
      ["f a 644 x", "f b 644 x", "d d 755", "f d/c 644 x"]),
    Case("hardlink to a link", [.symlink("a", to: "nowhere"), .hardlink("b", to: "/a")], ["l a -> nowhere", "l b -> nowhere"]),
    Case("replaced file keeps its link", [.file("a", "x"), .hardlink("b", to: "a"), .file("a", "y")], ["f a 644 y", "f b 644 x"]),
    Case(
      "set-user-id and owner", [.file("su", mode: 0o4755, uid: 7), .file("sg", mode: 0o2755, gid: 7)], ["f sg 2755 ", "f su 4755 "]),
    Case(
      "special files",
      [
        .other("c", .characterDevice(major: 1, minor: 3)), .other("b", .blockDevice(major: 7, minor: 300), mode: 0o660),
        .other("p", .fifo, mode: 0o600),
      ], ["b b 660 7,300", "c c 644 1,3", "p p 600"]),
    Case(
      "absolute names and dots", [.file("/a", "1"), .file("./b", "2"), .file("./c/./d", "3")],
      ["f a 644 1", "f b 644 2", "d c 755", "f c/d 644 3"]),
    Case(
      "link inside the root", [.folder("usr/bin"), .symlink("bin", to: "usr/bin"), .file("bin/sh", "x")],
      ["l bin -> usr/bin", "d usr 755", "d usr/bin 755", "f usr/bin/sh 644 x"]),
    Case(
      "absolute link stays inside", [.folder("etc"), .symlink("l", to: "/etc"), .file("l/x", "x")],
      ["d etc 755", "f etc/x 644 x", "l l -> /etc"]),
    Case("link up stays inside", [.symlink("l", to: "../../../../.."), .file("l/x", "x")], ["l l -> ../../../../..", "f x 644 x"]),
    Case(
      "names that only look alike", [.file("\u{e9}/x", "composed"), .file("e\u{301}/x", "decomposed")],
      ["d e\u{301} 755", "f e\u{301}/x 644 decomposed", "d \u{e9} 755", "f \u{e9}/x 644 composed"]),
    Case("name that begins with a mark", [.file("a/\u{301}b", "x")], ["d a 755", "f a/\u{301}b 644 x"]),
    Case("odd names", [.file("a b\nc\\=#*", "x")], ["f a b\nc\\=#* 644 x"]),
  ]

  @Test(arguments: cases)
  func tree(_ example: Case) throws {
    let found = try withLayer(LayerBlob(example.items), on: [LayerBlob(Self.below)]) { try lines($0) }
    #expect(found == example.expected)
  }

  /// What the whiteouts of `cases` hide.
  static let below: [TarItem] = [.folder("a"), .file("a/b"), .file("a/c"), .folder("r"), .file("r/x")]

  static let needless: [Case] = [
    Case("in the lowest layer", [.folder("d"), .file("d/.wh.gone"), .file(".wh.gone")], ["d d 755"]),
    Case("folder over nothing in the lowest layer", [.file(".wh.d"), .folder("d"), .file("d/x")], ["d d 755", "f d/x 644 "]),
    Case(
      "in the lowest layer, through a link", [.folder("r"), .symlink("l", to: "r"), .file("l/.wh.x")], ["l l -> r", "d r 755", "w r/x"]),
  ]

  @Test("a whiteout is made only where it can hide something", arguments: needless) func needlessWhiteout(_ example: Case) throws {
    let found = try withLayer(LayerBlob(example.items)) { try lines($0) }
    #expect(found == example.expected)
  }

  static let opaque: [Case] = [
    Case("before", [.folder("a"), .file("a/.wh.b"), .file("a/.wh..wh..opq"), .file("a/e")], ["o a 755", "f a/e 644 "]),
    Case("after", [.folder("a"), .file("a/.wh..wh..opq"), .file("a/.wh.b"), .file("a/e")], ["o a 755", "f a/e 644 "]),
    Case("in an opaque root", [.file(".wh.a"), .file(".wh..wh..opq"), .file("e")], ["f e 644 "]),
    Case(
      "in a folder that took the place of an opaque one",
      [.folder("a"), .file("a/.wh..wh..opq"), .file("a"), .folder("a"), .file("a/.wh.b")], ["d a 755", "w a/b"]),
  ]

  @Test("an opaque folder holds no whiteouts, whatever came first", arguments: opaque) func whiteoutInOpaque(_ example: Case) throws {
    let found = try withLayer(LayerBlob(example.items), on: [LayerBlob(Self.below)]) { try lines($0) }
    #expect(found == example.expected)
  }

  @Test("a layer that lies lowest in one image hides what is below it in another") func sharedWhiteout() throws {
    try withStore { store in
      let layer = try LayerBlob([.file(".wh.a"), .file("b")])
      let lowest = try store.materialise(try store.addImage([layer])).layers[0]
      #expect(try lines(lowest.root) == ["f b 644 "])
      let upper = try store.materialise(try store.addImage([LayerBlob([.file("a")]), layer])).layers[1]
      #expect(try lines(upper.root) == ["w a", "f b 644 "])
      #expect(try store.materialise(try store.addImage([layer])).layers == [lowest])
    }
  }

  static let hiddenTargets: [(String, [TarItem])] = [
    ("a whiteout", [.file(".wh.x"), .hardlink("new", to: "x")]),
    ("a whiteout by a link's name", [.folder("r"), .symlink("l", to: "r"), .file("r/.wh.x"), .hardlink("new", to: "l/x")]),
    ("a file in a hidden folder", [.file(".wh.a"), .hardlink("new", to: "a/b")]),
    ("a file in an opaque folder", [.file("a/.wh..wh..opq"), .hardlink("new", to: "a/b")]),
  ]

  @Test("a hardlink to what the same layer hides is refused", arguments: hiddenTargets)
  func hiddenTarget(_ name: String, _ items: [TarItem]) throws {
    let chain = failure { try withLayer(LayerBlob(items), on: [LayerBlob(Self.below + [.file("x", "secret")])]) { _ in } }
    #expect(chain?.summaries.first?.hasPrefix("layer 2 of image ") == true, "\(name): \(chain?.summaries ?? [])")
    #expect(chain?.summaries.first?.contains("/new is a hardlink to /") == true)
    #expect(chain?.summaries.first?.hasSuffix(", which this layer hides") == true)
    #expect(chain?.exitCode == .verification)
  }

  @Test("a device an ordinary user cannot have hides the lower file of its name all the same") func deviceLeftOut() throws {
    try withTemporaryFolder { folder in
      let (lower, upper) = (folder.appending("lower"), folder.appending("upper"))
      for tree in [lower, upper] { try FileSystem.createDirectories(tree) }
      for name in ["null", "zero"] { try FileSystem.writeAtomically([1], to: lower.appending(name)) }
      let null = ArchiveEntry.Kind.characterDevice(major: 1, minor: 3)
      let items: [TarItem] = [
        .other("null", null), .file("zero", "x"), .other("zero", .blockDevice(major: 7, minor: 0)), .other("none", null),
      ]
      try unpack(items, into: upper, lower: [lower], owners: .single)
      #expect(try lines(upper) == ["w null", "w zero"])
    }
  }

  @Test("a tar may end with its last file's bytes, and not before") func endOfTheTar() throws {
    try withStore { store in
      let bytes = try tar([.file("a", "first"), .file("b", String(repeating: "x", count: 600))])
      let content = 512 + 512 + 512 + 600
      try #require(bytes.count > content)
      for count in [content, content + 1, content + 424, bytes.count - 512] {
        let image = try store.addImage([LayerBlob(tarBytes: Array(bytes[..<count]))])
        let layer = try store.materialise(image).layers[0]
        #expect(try FileSystem.readFile(layer.root.appending("b")).count == 600, "\(count) bytes")
      }
      for count in [content - 1, content - 600, content - 601, 512 + 512 + 100] {
        let image = try store.addImage([LayerBlob(tarBytes: Array(bytes[..<count]))])
        #expect(throws: StoreError.self, "\(count) bytes") { try store.materialise(image) }
      }
    }
  }

  private func unpack(_ items: [TarItem], into tree: FilePath, lower: [FilePath], owners: OwnerIDs) throws {
    let pipe = BytePipe()
    let bytes = try tar(items)
    try pipe.write(bytes.span.bytes)
    pipe.finish()
    var extractor = try LayerExtractor(into: tree, lower: lower, limit: 1 << 20, object: "layer", owners: owners)
    try extractor.extract(TarStream(pipe))
  }

  static let refusals: [(String, [TarItem], String)] = [
    ("bare whiteout", [.file("a/.wh.")], "whiteout without a name"),
    ("whiteout of dots", [.file("a/.wh...")], "whiteout without a name"),
    ("way out", [.file("a/../../b")], "leads out of its root"),
    ("way out hidden behind a combining mark", [.file("../\u{301}x")], "leads out of its root"),
    ("hardlink out", [.hardlink("a", to: "../../etc/passwd")], "leads out of its root"),
    ("hardlink to nothing", [.hardlink("a", to: "b")], "which neither this layer nor one below it holds"),
    ("hardlink to a folder", [.folder("b"), .hardlink("a", to: "b")], "which is no file"),
    ("hardlink to itself", [.file("a"), .hardlink("a", to: "./a")], "hardlink to itself"),
    ("file as a folder", [.file("f"), .file("f/x")], "/f/x cannot be made: Not a directory"),
    ("link to itself as a folder", [.symlink("l", to: "l"), .file("l/x")], "/l/x cannot be made: Too many levels of symbolic links"),
    ("link to nothing", [.symlink("l", to: "")], "the link 'l', whose target is empty or unreadable"),
    ("tree that links make deeper than a path", deepTree, "longer than a file system allows"),
    ("attribute of 64 KiB", [.file("a", attributes: ["user.x": [UInt8](repeating: 1, count: 70_000)])], "attribute 'user.x' of /a cannot"),
    ("attribute unknown to the kernel", [.file("a", attributes: ["system.none": [1]])], "attribute 'system.none' of /a cannot be set"),
    ("attribute a link cannot have", [linkWithAttribute], "attribute 'user.x' of /l cannot be set"),
    ("links in a circle", [.symlink("a", to: "b"), .symlink("b", to: "a"), .file("a/x")], "Too many levels of symbolic links"),
    ("opaque link", [.folder("r"), .symlink("l", to: "r"), .file("l/.wh..wh..opq")], "marked as an opaque folder"),
    ("name of 256 bytes", [.file(longName + "n")], "longer than a file system allows"),
    ("path of 4097 bytes", [.file(longPath + "f")], "longer than a file system allows"),
  ]

  static let deepFolder = String(repeating: longName + "/", count: 15)

  /// Folders with long names one in another, each with a short link beside it, by which the entries are named.
  static let deepTree: [TarItem] =
    (0..<39).flatMap { depth -> [TarItem] in
      let (above, name) = (String(repeating: "l/", count: depth), String(repeating: "n", count: 100))
      return [.folder(above + name), .symlink(above + "l", to: name)]
    } + [.file(String(repeating: "l/", count: 39) + longName + "/f")]

  static let linkWithAttribute: TarItem = {
    var item = TarItem.symlink("l", to: "t")
    item.entry.extendedAttributes = ["user.x": [1]]
    return item
  }()

  @Test(arguments: refusals)
  func refused(_ name: String, _ items: [TarItem], _ reason: String) throws {
    try withStore { store in
      let image = try store.addImage([LayerBlob(items)])
      let chain = failure { _ = try store.materialise(image) }
      #expect(chain?.summaries.contains { $0.contains(reason) } == true, "\(name): \(chain?.summaries ?? [])")
      #expect(chain?.summaries.first?.contains("layer 1 of image") == true)
      #expect(chain?.exitCode == .verification)
      #expect(try FileSystem.list(store.home.appending("layers")).isEmpty)
    }
  }

  @Test("a path of 4096 bytes is unpacked, proven and removed")
  func longest() throws {
    #expect(Self.longPath.utf8.count == 4096)
    try withStore { store in
      let image = try store.addImage([LayerBlob([.file(Self.longPath, "deep")])])
      let layer = try store.materialise(image).layers[0]
      let key = try #require(store.layerKey(at: layer.root))
      #expect(try store.layerDifferences(key).isEmpty)
    }
  }

  @Test("a link planted in the layer does not lead a write outside")
  func plantedLink() throws {
    try withTemporaryFolder { folder in
      let outside = folder.appending("outside")
      try FileSystem.createDirectories(outside)
      let store = try Store(home: folder.appending("home"))
      let items: [TarItem] = [.symlink("l", to: outside.string), .folder(outside.string), .file("l/evil", "x")]
      let layer = try store.materialise(try store.addImage([LayerBlob(items)])).layers[0]
      #expect(try FileSystem.list(outside).isEmpty)
      #expect(FileSystem.exists(layer.root.appending(String(outside.string.dropFirst())).appending("evil")))
    }
  }

  @Test("hard links share an inode; owners, times and attributes are those of the archive")
  func attributes() throws {
    // VFS_CAP_REVISION_2 with cap_net_raw permitted and effective (linux/capability.h).
    let capability: [UInt8] = [1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    let attributes = ["security.capability": capability, "user.note": Array("n".utf8), "trusted.overlay.opaque": Array("y".utf8)]
    let foreign: [String: [UInt8]] = ["com.apple.provenance": [1, 2]]
    let items: [TarItem] = [
      .folder(".", mode: 0o751, time: 5), .folder("d", uid: 3, time: 7),
      .file(
        "d/ping", "x", mode: 0o4755, uid: 70_000, gid: 3_000_000, time: 11,
        attributes: attributes.merging(foreign) { first, _ in first }),
      .hardlink("d/pong", to: "d/ping"), .folder("e", time: 1), .file("e/x"), .folder("e", time: 13),
    ]
    try withLayer(LayerBlob(items)) { root in
      var seen: [String: FileStatus] = [:]
      try FileSystem.walk(root) { node in
        seen[node.path] = node.status
        if node.path == "d/ping" {
          let found = try node.extendedAttributes()
          #expect(found["security.capability"] == capability)
          #expect(found["user.note"] == Array("n".utf8))
          #expect(found["trusted.overlay.opaque"] == nil)
          #expect(found["com.apple.provenance"] == nil)
        }
      }
      #expect(seen[""]?.permissions == 0o751)
      #expect(seen[""]?.modified == 5_000_000_000)
      #expect(seen["d"]?.uid == 3)
      #expect(seen["d"]?.modified == 7_000_000_000)
      #expect(seen["d/ping"]?.uid == 70_000)
      #expect(seen["d/ping"]?.gid == 3_000_000)
      #expect(seen["d/ping"]?.permissions == 0o4755)
      #expect(seen["d/ping"]?.modified == 11_000_000_000)
      #expect(seen["d/ping"]?.inode == seen["d/pong"]?.inode)
      #expect(seen["e"]?.modified == 13_000_000_000)
    }
  }

  @Test("the umask of the user does not show in folders the layer has no entry for")
  func umask() throws {
    let layer = try LayerBlob([.file("a/b/c", "x")])
    let found = try onThread {
      try withPrivateUmask(0o077) { try withLayer(layer) { (try lines($0), try FileSystem.status($0)?.permissions) } }
    }
    #expect(found.0 == ["d a 755", "d a/b 755", "f a/b/c 644 x"])
    #expect(found.1 == 0o755)
  }
}
