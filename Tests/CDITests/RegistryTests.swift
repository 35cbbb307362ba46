/// Folders of specifications: which file describes a device, and what several devices change together.
import CDI
import EnvCore
import SafeFS
import SystemPackage
import TestSupport
import Testing

@Suite struct RegistryTests {
  private func spec(_ kind: String, _ devices: [String], variable: String, common: String? = nil) -> String {
    let list = devices.map { "{name: \($0), containerEdits: {env: [\"\(variable)_\($0)=1\"]}}" }.joined(separator: ", ")
    let edits = common.map { "containerEdits: {env: [\"\($0)=1\"]}\n" } ?? ""
    return "cdiVersion: 0.5.0\nkind: \(kind)\n\(edits)devices: [\(list)]\n"
  }

  /// A host with these files; `/var/run` leads to `/run` by an absolute link, as on real ones.
  private func registry(_ files: [String: String], _ body: (CDIRegistry) throws -> Void) throws {
    try withTemporaryFolder { root in
      try FileSystem.createDirectories(root.appending("run/cdi"))
      try FileSystem.createDirectories(root.appending("etc/cdi"))
      var tree = try RootDirectory(root)
      try tree.makeSymlink(try RelativePath("var/run"), target: "/run")
      for (path, text) in files { try FileSystem.writeAtomically(Array(text.utf8), to: root.appending(path)) }
      try body(CDIRegistry(host: try HostTree(root: root)))
    }
  }

  private func device(_ text: String) throws -> QualifiedDevice { try #require(QualifiedDevice(parsing: text)) }

  @Test func theLaterFolderWins() throws {
    try registry([
      "etc/cdi/a.yaml": spec("v/c", ["x", "y"], variable: "OLD"), "run/cdi/b.json": spec("v/c", ["x"], variable: "NEW"),
      "etc/cdi/notes.txt": "no specification",
    ]) { registry in
      #expect(registry.broken.isEmpty)
      #expect(registry.devices.map(\.description) == ["v/c=x", "v/c=y"])
      let file = try registry.file(of: device("v/c=x"))
      #expect(file.path == "/var/run/cdi/b.json")
      let edits = try registry.edits(for: [device("v/c=x"), device("v/c=y")])
      #expect(edits.env == ["NEW_x=1", "OLD_y=1"])
    }
  }

  @Test func twoOfOneLevelAreAConflictUntilALaterFolderDecides() throws {
    let two = ["etc/cdi/a.yaml": spec("v/c", ["x", "y"], variable: "A"), "etc/cdi/b.yaml": spec("v/c", ["x"], variable: "B")]
    try registry(two) { registry in
      #expect(registry.devices.map(\.description) == ["v/c=y"])
      #expect(registry.conflicts.map(\.files) == [["/etc/cdi/a.yaml", "/etc/cdi/b.yaml"]])
      let wanted = try device("v/c=x")
      do throws(CDIError) {
        _ = try registry.file(of: wanted)
        Issue.record("a device in conflict was chosen")
      } catch {
        #expect(error.summary == "the device 'v/c=x' is described twice: in /etc/cdi/a.yaml and in /etc/cdi/b.yaml")
        #expect(error.exitCode == .host)
      }
    }
    try registry(two.merging(["run/cdi/c.yaml": spec("v/c", ["x"], variable: "C")]) { $1 }) { registry in
      #expect(registry.conflicts.isEmpty)
      let edits = try registry.edits(for: [device("v/c=x")])
      #expect(edits.env == ["C_x=1"])
    }
  }

  @Test func whatAFileNeedsComesOnceAndFirst() throws {
    try registry([
      "etc/cdi/a.yaml": spec("v/c", ["x", "y"], variable: "A", common: "COMMON"),
      "etc/cdi/b.yaml": spec("w/d", ["z"], variable: "B", common: "OTHER"),
    ]) { registry in
      let edits = try registry.edits(for: [device("v/c=x"), device("w/d=z"), device("v/c=y"), device("v/c=x")])
      #expect(edits.env == ["COMMON=1", "A_x=1", "OTHER=1", "B_z=1", "A_y=1"])
    }
  }

  @Test func aBrokenFileHarmsNoOther() throws {
    try registry([
      "etc/cdi/a.yaml": "cdiVersion: 0.5.0\nkind: v/c\nsurprise: 1\n", "etc/cdi/b.yaml": spec("v/c", ["x"], variable: "B"),
    ]) { registry in
      #expect(registry.devices.map(\.description) == ["v/c=x"])
      #expect(registry.broken.map(\.path) == ["/etc/cdi/a.yaml"])
      let chain = DiagnosticChain(try #require(registry.broken.first).error)
      #expect(chain.summaries.last == "/etc/cdi/a.yaml:3:1: unknown key 'surprise'")
      let wanted = try device("v/c=xx")
      do throws(CDIError) {
        _ = try registry.file(of: wanted)
        Issue.record("an unknown device was found")
      } catch {
        #expect(error.summary.contains("these could not be read: /etc/cdi/a.yaml"))
        #expect(error.hint == "did you mean 'v/c=x'?")
      }
    }
  }

  @Test("nodes are completed from the host's", .needs(.root)) func completion() throws {
    try withTemporaryFolder { root in
      var tree = try RootDirectory(root)
      try tree.makeNode(try RelativePath("dev/a"), kind: .characterDevice, major: 195, minor: 7)
      try tree.setAttributes(
        try RelativePath("dev/a"), FileAttributes(permissions: 0o660, uid: 3, gid: 44, modified: 0), isSymlink: false)
      try tree.makeNode(try RelativePath("dev/b"), kind: .blockDevice, major: 8, minor: 1)
      try tree.makeNode(try RelativePath("dev/p"), kind: .fifo, major: 0, minor: 0)
      try FileSystem.writeAtomically([], to: root.appending("dev/plain"))
      let host = try HostTree(root: root)
      func complete(_ path: String, _ change: (inout ContainerEdits.DeviceNode) -> Void = { _ in }) throws -> ContainerEdits.DeviceNode? {
        var edits = ContainerEdits()
        var node = ContainerEdits.DeviceNode(path: path)
        change(&node)
        edits.deviceNodes = [node]
        return try edits.completed(on: host).deviceNodes.first
      }
      let a = try #require(try complete("/dev/a"))
      #expect(a.type == "c" && a.major == 195 && a.minor == 7 && a.fileMode == 0o660 && a.uid == 3 && a.gid == 44)
      let own = try #require(try complete("/dev/a") { $0.fileMode = 0o600 })
      #expect(own.fileMode == 0o600 && own.uid == 3)
      let moved = try #require(try complete("/dev/elsewhere") { $0.hostPath = "/dev/b" })
      #expect(moved.path == "/dev/elsewhere" && moved.type == "b" && moved.major == 8)
      let pipe = try #require(try complete("/dev/p"))
      #expect(pipe.type == "p" && pipe.major == nil)
      // With its numbers in the file, a node need not be on the host.
      let absent = try #require(try complete("/dev/absent") { ($0.type, $0.major, $0.minor) = ("c", 5, 6) })
      #expect(absent.major == 5 && absent.fileMode == nil)
      #expect(throws: CDIError.self) { try complete("/dev/absent") }
      #expect(throws: CDIError.self) { try complete("/dev/plain") }
      #expect(throws: CDIError.self) { try complete("/dev/a") { $0.type = "b" } }
      #expect(try complete("/dev/a") { $0.type = "u" }?.type == "u")
    }
  }
}
