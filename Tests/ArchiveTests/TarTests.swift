/// The canonical tar: its bytes, its limits, and what other programs and our own reader make of it.
import EnvCore
import Hashing
import SafeFS
import SystemPackage
import TestSupport
import Testing

@testable import Archive

/// Every entry of `bytes` with its content.
func entries(_ bytes: [UInt8], filters: Bool = false) throws -> [(entry: ArchiveEntry, content: [UInt8])] {
  var reader = try ArchiveReader(format: .tar, filters: filters, object: "test archive", pull: pulling(bytes, piece: 1000))
  var found: [(ArchiveEntry, [UInt8])] = []
  while let entry = try reader.next() { found.append((entry, try reader.readAll(limit: 1 << 24))) }
  return found
}

@Suite struct TarTests {
  static func name(_ count: Int) -> String { String(repeating: "n", count: count) }

  static let items: [TarItem] = [
    .folder("d", mode: 0o1777), .file("d/empty"), .file("d/text", "content", mode: 0o4755, uid: 1, gid: 2, time: 3),
    .file("big-ids", uid: 1 << 21, gid: 4_294_967_294), .file("late", time: 1 << 33), .symlink("link", to: "d/text"),
    .hardlink("hard", to: "d/text"), .other("null", .characterDevice(major: 1, minor: 3)),
    .other("disk", .blockDevice(major: 8, minor: 300)), .other("pipe", .fifo), .file(name(100), "a"), .file(name(101), "b"),
    .file(name(155) + "/" + name(100), "c"), .file(name(200) + "/" + name(99), "d"), .folder(name(99)), .folder(name(100)),
    .file("\u{e9}\u{4e2d}", "e"), .file("e\u{301}", "f"), .symlink("long", to: name(101)), .symlink("\u{e9}l", to: "\u{e9}"),
    .hardlink("long-hard", to: name(101)), .file("a b\n=\\", "g"),
    .file("attributes", "h", attributes: ["user.b": [0, 10, 61], "user.a": [], "security.capability": [1, 2, 3]]),
  ]

  @Test("our reader gives back what our writer was given") func roundTrip() throws {
    let found = try entries(try tar(Self.items))
    #expect(found.count == Self.items.count)
    for (got, item) in zip(found, Self.items) {
      var expected = item.entry
      if expected.kind == .directory { expected.path += "/" }
      #expect(got.entry == expected)
      #expect(got.entry.path.utf8.elementsEqual(expected.path.utf8), "not composed, not decomposed")
      #expect(got.content == item.content)
    }
  }

  @Test("the bytes depend on nothing but the entries") func canonical() throws {
    let bytes = try tar(Self.items)
    #expect(bytes.count % 512 == 0)
    for _ in 0..<5 { #expect(try tar(Self.items) == bytes, "dictionaries change their order from call to call") }
    // Pinned: a changed digest changes the digest of every image that was ever built.
    #expect(Digest.sha256(of: bytes).hex == "345555d94f37ecb1fbd706d8bed389fa948681094f8dea4f20875f1f8e15ee61")
  }

  @Test("GNU tar reads it without a complaint", .needs(.tool("tar"))) func gnuTar() throws {
    try withTemporaryFolder { folder in
      let file = folder.appending("x.tar")
      try FileSystem.writeAtomically(try tar(Self.items.filter { $0.entry.uid < 1 << 31 }), to: file)
      let output = try Tool.run("tar", "--quoting-style=literal", "--warning=no-unknown-keyword", "-tvf", file.string)
      #expect(output.status == 0, "\(output.text)")
      #expect(!output.text.contains("tar:"), "\(output.text)")
      for name in [Self.name(101), Self.name(155) + "/" + Self.name(100), "\u{e9}\u{4e2d}", "link -> d/text", "hard link to d/text"] {
        #expect(output.text.contains(name))
      }
    }
  }

  @Test("Python reads the same entries", .needs(.tool("python3"))) func python() throws {
    try withTemporaryFolder { folder in
      let file = folder.appending("x.tar")
      try FileSystem.writeAtomically(try tar(Self.items), to: file)
      let script = """
        import sys, tarfile
        for m in tarfile.open(sys.argv[1], errors='strict'):
            print(ascii([m.name, m.linkname, m.mode, m.uid, m.gid, m.size, int(m.mtime), m.type.decode()]))
        """
      let output = try Tool.run("python3", "-c", script, file.string)
      #expect(output.status == 0, "\(output.text)")
      let lines = output.text.split(separator: "\n")
      #expect(lines.count == Self.items.count)
      #expect(lines.contains("['big-ids', '', 420, 2097152, 4294967294, 0, 1000000000, '0']"))
      #expect(lines.contains("['late', '', 420, 0, 0, 0, 8589934592, '0']"))
      #expect(lines.contains("['d/text', '', 2541, 1, 2, 7, 3, '0']"))
    }
  }

  @Test("sizes beyond 8 GiB are announced right", arguments: [(1 << 33) - 1, 1 << 33, 1 << 40] as [Int64])
  func sizes(_ size: Int64) throws {
    let sink = ByteSink()
    var writer = TarWriter { sink.append($0) }
    var item = TarItem.file("big")
    item.entry.size = size
    try writer.append(item.entry)
    var reader = try ArchiveReader(format: .tar, object: "x", pull: pulling(sink.bytes))
    #expect(try reader.next()?.size == size)
  }

  @Test("content must be as long as announced") func announced() throws {
    var short = TarItem.file("f", "abc")
    short.entry.size = 4
    #expect(throws: ArchiveError.sizeMismatch(path: "f", expected: 4, actual: 3)) { try tar([short]) }
    short.entry.size = 2
    #expect(throws: ArchiveError.sizeMismatch(path: "f", expected: 2, actual: 3)) { try tar([short, .file("g")]) }
  }

  // MARK: - Reading what others wrote

  @Test("holes of a sparse file are zeros", .needs(.tool("tar"), .tool("truncate", package: "coreutils")))
  func sparse() throws {
    try withTemporaryFolder { folder in
      let file = folder.appending("file")
      try Tool.run("truncate", "-s", "1000000", file.string)
      let data = try OwnedDescriptor.open(file, 1, mode: 0)
      try data.write(Array("begin".utf8).span.bytes)
      let archive = folder.appending("x.tar")
      for format in ["gnu", "posix"] {
        try Tool.run("tar", "--sparse", "--format=\(format)", "-C", folder.string, "-cf", archive.string, "file")
        let bytes = try FileSystem.readFile(archive)
        #expect(bytes.count < 100_000, "the archive is sparse")
        let found = try entries(bytes)
        #expect(found.first?.entry.size == 1_000_000)
        #expect(found.first?.content == Array("begin".utf8) + [UInt8](repeating: 0, count: 999_995), "\(format)")
      }
    }
  }

  @Test("an archive cut off inside an entry is an error", arguments: [1, 100, 511, 513, 1000, 1100, 2000]) func truncated(_ length: Int)
    throws
  {
    let bytes = try tar([.file("a", String(repeating: "x", count: 600)), .file("b", String(repeating: "y", count: 600))])
    #expect(throws: ArchiveError.self) { try entries(Array(bytes[..<length])) }
  }

  @Test func notAnArchive() throws {
    for bytes in [[1], Array("garbage".utf8), [UInt8](repeating: 0x41, count: 5000)] as [[UInt8]] {
      #expect(throws: ArchiveError.self) { try entries(bytes) }
    }
    var damaged = try tar([.file("a", "x"), .file("b", "y")])
    damaged[1024] ^= 1  // The second header's name: its checksum is wrong now.
    #expect(throws: ArchiveError.self) { try entries(damaged) }
    #expect(try entries([UInt8](repeating: 0, count: 1024)).isEmpty, "two zero blocks are an empty archive")
  }

  @Test("names that are not UTF-8 are refused") func badName() throws {
    var bytes = try tar([.file("name")])
    bytes[0] = 0xff
    seal(&bytes)
    #expect(throws: ArchiveError.unreadableName(object: "test archive")) { try entries(bytes) }
  }

  @Test("a link that leads to nothing, or to no text, is named") func badTarget() throws {
    #expect(throws: ArchiveError.missingTarget(object: "test archive", path: "l")) { try entries(try tar([.symlink("l", to: "")])) }
    for item in [TarItem.symlink("l", to: "t"), .hardlink("l", to: "t")] {
      var bytes = try tar([item])
      bytes[157] = 0xff
      seal(&bytes)
      #expect(throws: ArchiveError.unreadableTarget(object: "test archive", path: "l")) { try entries(bytes) }
    }
  }

  @Test("an extended header that contradicts itself is refused", arguments: [UInt8(ascii: "9"), UInt8(ascii: "x")])
  func badRecord(_ digit: UInt8) throws {
    var bytes = try tar([.file("\u{e9}", attributes: ["user.a": [1]])])
    bytes[512] = digit  // The first of the first record's length.
    let chain = DiagnosticChain(try #require(throws: ArchiveError.self) { try entries(bytes) })
    #expect(chain.summaries.first?.hasPrefix("cannot read test archive: Ignoring malformed pax") == true, "\(chain.summaries)")
    #expect(chain.exitCode == .verification)
  }

  /// Gives the first header the checksum it needs.
  private func seal(_ bytes: inout [UInt8]) {
    let sum = bytes[..<512].enumerated().reduce(0) { $0 + ((148..<156).contains($1.offset) ? 32 : Int($1.element)) }
    let digits = Array(String(sum, radix: 8).utf8)
    bytes.replaceSubrange(148..<154, with: [UInt8](repeating: 48, count: 6 - digits.count) + digits)
  }

  @Test("an error of the source comes out unchanged") func sourceError() throws {
    let bytes = try tar([.file("a", String(repeating: "x", count: 5000))])
    let pull = pulling(Array(bytes[..<1024]))
    var reader = try ArchiveReader(format: .tar, object: "x") { span in
      let count = try pull(&span)
      if count == 0 { throw Errno.ioError }
      return count
    }
    _ = try reader.next()
    #expect(throws: Errno.ioError) { _ = try reader.readAll(limit: 10_000) }
  }

  @Test func limit() throws {
    var reader = try ArchiveReader(format: .tar, object: "x", pull: pulling(try tar([.file("a", "12345")])))
    _ = try reader.next()
    #expect(throws: ArchiveError.tooLarge(object: "x", limit: 4)) { _ = try reader.readAll(limit: 4) }
  }

  @Test("a compressed archive is read where filters are allowed and refused where not", .needs(.tool("gzip")))
  func filters() throws {
    try withTemporaryFolder { folder in
      let file = folder.appending("x.tar")
      try FileSystem.writeAtomically(try tar([.file("a", "x")]), to: file)
      try Tool.run("gzip", file.string)
      let bytes = try FileSystem.readFile(folder.appending("x.tar.gz"))
      #expect(try entries(bytes, filters: true).map(\.entry.path) == ["a"])
      #expect(throws: ArchiveError.self) { try entries(bytes) }
    }
  }
}
