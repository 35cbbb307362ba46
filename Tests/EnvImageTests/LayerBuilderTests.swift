/// The tar of a layer: order, attributes, conflicts.
import Archive
import EnvCore
import SafeFS
import Testing

@testable import EnvImage

@Suite struct LayerBuilderTests {
  private func header(_ path: String, _ permissions: UInt32 = 0o644, modified: Int64 = 0) throws -> FileHeader {
    FileHeader(path: try RelativePath(path), permissions: permissions, modified: modified)
  }

  @Test func parentsComeFirstAndOnce() throws {
    let layer = try BuiltLayer { layer in
      try layer.file(header("a/b/c"), [1], origin: "x")
      try layer.file(header("a/b/d"), [2], origin: "x")
      try layer.directory(header("a", 0o700), origin: "y")
    }
    #expect(layer.paths == ["./", "a/", "a/b/", "a/b/c", "a/b/d"])
    #expect(layer.entry("a")?.permissions == 0o755)
    #expect(layer.contents["a/b/d"] == [2])
  }

  @Test func timesAreClampedToTheImages() throws {
    let layer = try BuiltLayer(created: Timestamp(secondsSinceEpoch: 50)) { layer in
      try layer.file(header("new", modified: 60_000_000_000), [], origin: "x")
      try layer.file(header("old", modified: 40_000_000_000), [], origin: "x")
    }
    #expect(layer.entry("new")?.modified == 50_000_000_000)
    #expect(layer.entry("old")?.modified == 40_000_000_000)
  }

  @Test func anIdenticalFileIsWrittenOnce() throws {
    let layer = try BuiltLayer { layer in
      try layer.file(header("same"), [1, 2], origin: "x")
      try layer.file(header("same"), [1, 2], origin: "y")
      try layer.symlink(header("link", 0o777), target: "same", origin: "x")
      try layer.symlink(header("link", 0o777), target: "same", origin: "y")
    }
    #expect(layer.paths == ["./", "same", "link"])
  }

  @Test func differencesAtOnePathAreConflicts() throws {
    func expectConflict(_ second: (inout LayerBuilder) throws -> Void) throws {
      let error = #expect(throws: ImageError.self) {
        try BuiltLayer { layer in
          try layer.file(header("p"), [1], origin: "first")
          try second(&layer)
        }
      }
      guard case .conflict("p", "first", "second") = error else { Issue.record("unexpected \(String(describing: error))"); return }
    }
    try expectConflict { try $0.file(header("p"), [2], origin: "second") }
    try expectConflict { try $0.file(header("p", 0o755), [1], origin: "second") }
    try expectConflict { try $0.symlink(header("p"), target: "q", origin: "second") }
    try expectConflict { try $0.directory(header("p"), origin: "second") }
    try expectConflict { try $0.file(header("p/q"), [1], origin: "second") }
  }

  @Test func nothingIsWrittenThroughALink() throws {
    let error = #expect(throws: ImageError.self) {
      try BuiltLayer { layer in
        try layer.symlink(header("etc", 0o777), target: "/", origin: "first")
        try layer.file(header("etc/passwd"), [1], origin: "second")
      }
    }
    guard case .conflict("etc", "first", "second") = error else { Issue.record("unexpected \(String(describing: error))"); return }
  }

  @Test func aHardLinkNeedsItsFile() throws {
    #expect(throws: ImageError.self) {
      try BuiltLayer { try $0.hardlink(header("h"), target: RelativePath("missing"), origin: "x") }
    }
  }

  @Test func layersMayShareFoldersAndNothingElse() throws {
    func layer(_ content: UInt8, replacing: Bool = false) throws -> LayerInventory {
      try BuiltLayer { layer in
        if replacing {
          try layer.replacement(header("a/b"), [content], origin: "l\(content)")
        } else {
          try layer.file(header("a/b"), [content], origin: "l\(content)")
        }
      }.inventory
    }
    try LayerInventory.requireNoConflicts([layer(1), layer(1)])
    try LayerInventory.requireNoConflicts([layer(1), layer(2, replacing: true)])
    let different = try [layer(1), layer(2)]
    let error = #expect(throws: ImageError.self) { try LayerInventory.requireNoConflicts(different) }
    guard case .conflict("a/b", "l1", "l2") = error else { Issue.record("unexpected \(String(describing: error))"); return }
  }
}
