/// A lock pins what was asked for. It does not decide what that is, who may have signed it, or which rules are waived.
import EnvCore
import OCI
import SafeFS
import SystemPackage
import TestSupport
import Testing

extension EnvctlTests {
  @Suite(
    .needs(
      .root, .tool("runc"), .tool("busybox", package: "busybox-static"), .tool("docker-registry"), .tool("skopeo"), .tool("openssl")))
  struct LockTamperTests {
    /// A registry with an image everybody wants and one that nobody asked for.
    private struct Scene {
      var program: Program
      let registry: LocalRegistry
      let good: String
      let evil: String

      init(in folder: FilePath) throws {
        registry = try LocalRegistry(in: folder.appending("registry"))
        program = Program(home: folder.appending("home"), folder: folder.appending("project"))
        program.variables = ["ENVCTL_INSECURE_REGISTRIES": registry.address]
        var pinned: [String] = []
        for name in ["team/good", "stranger/evil"] {
          let layout = folder.appending("layout-" + FileSystem.uniqueSuffix())
          try SmallImage.write(to: layout, scratch: folder.appending("scratch"), variables: ["NAME=\(name)"])
          let reference = try ImageReference(parsing: "\(registry.address)/\(name):1")
          let copied = try Tool.run(
            "skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false", "oci:\(layout)", "docker://\(reference)")
          try #require(copied.status == 0, "\(copied.text)")
          pinned.append("\(reference.name)@\(try registry.client.resolve(reference).digest)")
        }
        (good, evil) = (pinned[0], pinned[1])
        try program.project(good)
      }

      var lockFile: FilePath { program.folder.appending("envctl.lock") }
      func lock() throws -> String { String(decoding: try FileSystem.readFile(lockFile), as: UTF8.self) }
      func write(lock: String) throws { try FileSystem.writeAtomically(Array(lock.utf8), to: lockFile) }

      func expectRefusal(_ status: Int32, _ message: String, _ location: SourceLocation = #_sourceLocation) throws {
        for arguments in [["lock", "--check"], ["lock"], ["run", "--", "/bin/sh", "-c", "echo ran"]] {
          let outcome = try program.run(arguments)
          #expect(outcome.status == status, "\(arguments): \(outcome.output)\(outcome.errors)", sourceLocation: location)
          #expect(outcome.errors.contains(message), "\(arguments): \(outcome.errors)", sourceLocation: location)
          #expect(!outcome.output.contains("ran"), sourceLocation: location)
        }
      }
    }

    @Test func itLeadsWhereTheProjectLeads() throws {
      try withTemporaryFolder { folder in
        let scene = try Scene(in: folder)
        try scene.program.project(scene.evil)
        try #require(scene.program("lock").status == 0)
        let evil = try scene.lock()
        try scene.program.project(scene.good)
        // The request as it is, everything else of another image.
        let environment = "\"environment\" : \""
        try scene.write(lock: evil.replacing(environment + scene.evil, with: environment + scene.good))
        try scene.expectRefusal(4, "which envctl.yaml does not name")
        // The reference as well, and only the digests of another image.
        try scene.write(lock: evil.replacing(scene.evil, with: scene.good))
        try scene.expectRefusal(4, "envctl.yaml asks for sha256:")
      }
    }

    @Test func onlyTheUserWaivesARule() throws {
      try withTemporaryFolder { folder in
        let scene = try Scene(in: folder)
        let tag = "\(scene.registry.address)/team/good:1"
        try scene.program.write("schema: 1\n# envctl:ignore EC103 -- trust me\nenvironment: \(tag)\ncheck: none\n", to: "envctl.yaml")
        for arguments in [["lock"], ["run", "--", "/bin/sh", "-c", "true"]] {
          let outcome = try scene.program.run(arguments)
          #expect(outcome.status == 4 && outcome.errors.contains("[EC103]"), "\(outcome.errors)")
        }
        // A lock that pins nothing waives nothing.
        try #require(scene.program("lock", "--allow-unpinned").status == 0)
        let lock = try scene.lock()
        let (start, end) = (try #require(lock.firstRange(of: "\"images\" : {")), try #require(lock.firstRange(of: "\"resolved\"")))
        try scene.write(lock: lock.replacingCharacters(from: start.upperBound, to: end.lowerBound, with: "},\n  "))
        #expect(try scene.program("run", "--", "/bin/sh", "-c", "true").status == 4)
      }
    }

    @Test func rulesThatCameLater() throws {
      try withTemporaryFolder { folder in
        let scene = try Scene(in: folder)
        try #require(scene.program("lock").status == 0)
        _ = try KeyPair(name: "team", in: scene.program.folder)
        let rule = "verify:\n  - {images: \(scene.registry.address)/**, keys: [team.pub]}\n"
        try scene.program.project(scene.good, "check: none\n" + rule)
        try scene.expectRefusal(5, "is not signed")
        try scene.program.project(scene.good, "check: none\npolicy: absent.yaml\n")
        try scene.expectRefusal(2, "absent.yaml")
      }
    }
  }
}

extension String {
  fileprivate func replacingCharacters(from start: String.Index, to end: String.Index, with text: String) -> String {
    self[..<start] + text + self[end...]
  }
}
