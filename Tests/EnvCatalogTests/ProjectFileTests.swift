/// What people write and what they are told when it is wrong: envctl.yaml, the catalog, the lock.
import EnvCore
import OCI
import SafeFS
import StrictYAML
import SystemPackage
import TestSupport
import Testing

@testable import EnvCatalog

@Suite struct ProjectFileTests {
  static let mistakes: [(text: String, message: String, hint: String?)] = [
    ("", "1:1: the file is empty", nil), ("environment: x\n", "1:1: the key 'schema' is missing", nil),
    ("schema: 1\n", "the key 'environment' is missing", nil), ("schema: one\n", "1:9: expected a whole number", nil),
    ("schema: 1\nenviroment: x\n", "2:1: unknown key 'enviroment'", "'environment'"),
    ("schema: 1\nenvironment:\n", "the key 'environment' is missing", nil),
    ("schema: 1\nenvironment: ''\n", "2:14: expected text that is not empty", nil),
    ("schema: 1\nenvironment: x\ngpu: requird\n", "3:6: 'requird' is none of none, optional, required", "'required'"),
    ("schema: 1\nenvironment: x\ncheck: yes\n", "3:8: 'yes' is none of none, quick, full", nil),
    ("schema: 1\nenvironment: x\nmount: nowhere\n", "3:8: expected a folder that exists, found 'nowhere'", nil),
    ("schema: 1\nenvironment: x\nmount: envctl.yaml\n", "3:8: expected a folder that exists", nil),
    ("schema: 1\nenvironment: x\nenv: [A]\n", "3:6: expected a mapping", nil),
    ("schema: 1\nenvironment: x\nenv:\n  A-B: 1\n", "4:3: 'A-B' is not a variable's name", nil),
    ("schema: 1\nenvironment: x\nenv:\n  1A: 1\n", "4:3: '1A' is not a variable's name", nil),
    ("schema: 1\nenvironment: x\nenv:\n  A: [1]\n", "4:6: expected text, found a list", nil),
    ("schema: 1\nenvironment: x\nenvironment: y\n", "stands here twice", nil),
  ]

  @Test(arguments: mistakes) func mistake(_ text: String, _ message: String, _ hint: String?) throws {
    try withTemporaryFolder { folder in
      try FileSystem.writeAtomically(Array(text.utf8), to: folder.appending("envctl.yaml"))
      do {
        _ = try ProjectFile.read(in: folder)
        Issue.record("it was read")
      } catch {
        let chain = DiagnosticChain(error)
        #expect(chain.summaries.first?.hasPrefix("\(folder)/envctl.yaml:") == true)
        #expect(chain.summaries.first?.contains(message) == true, "\(chain.summaries)")
        if let hint { #expect(chain.hint?.contains(hint) == true) }
        #expect(chain.exitCode == .usage)
      }
    }
  }

  @Test func everything() throws {
    try withTemporaryFolder { folder in
      #expect(try ProjectFile.read(in: folder) == nil)
      try FileSystem.createDirectories(folder.appending("src"))
      let text = "schema: 1\nenvironment: paddle\nmount: ./src\nenv:\n  B: 2\n  _a1:\n  C: 'x y'\ngpu: optional\ncheck: none\n"
      try FileSystem.writeAtomically(Array(text.utf8), to: folder.appending("envctl.yaml"))
      let project = try #require(try ProjectFile.read(in: folder))
      #expect(project.environment == "paddle")
      #expect(project.mount == folder.appending("src"))
      #expect(project.variables.map { "\($0.name)=\($0.value)" } == ["B=2", "_a1=", "C=x y"])
      #expect(project.gpu == .optional)
      #expect(project.check == .none)
    }
  }

  @Test("a newer schema is told before its new keys") func newerSchema() {
    let chain = try? #require(throws: CatalogError.self) { try ProjectFile(Array("schema: 2\nnew: x\n".utf8), file: "/p/envctl.yaml") }
    #expect(chain?.summary == "'/p/envctl.yaml' has schema 2; this envctl knows schemas up to 1")
    #expect(chain?.hint == "use a newer envctl")
  }
}

@Suite struct CatalogTests {
  @Test func names() throws {
    try withTemporaryFolder { folder in
      let catalog = Catalog(root: folder)
      for path in ["manifests", "images/paddle-2.6-cpu"] { try FileSystem.createDirectories(folder.appending(path)) }
      let digest = Digest(sha256Bytes: [UInt8](repeating: 7, count: 32))
      let text = "schema: 1\nname: paddle-2.6-cpu\nrecipe: paddle-2.6-cpu\nimages:\n  linux/amd64: \(digest)\n"
      let file = folder.appending("manifests/paddle-2.6-cpu.yaml")
      try FileSystem.writeAtomically(Array(text.utf8), to: file)
      #expect(try catalog.entry("paddle-2.6-cpu").images[Platform(os: "linux", architecture: "amd64")] == digest)
      let unknown = try #require(throws: CatalogError.self) { try catalog.entry("paddle-2.6-gpu") }
      #expect(unknown.summary == "there is no environment 'paddle-2.6-gpu'")
      #expect(unknown.hint == "did you mean 'paddle-2.6-cpu'?")
      #expect(unknown.exitCode == .usage)
      for (old, new) in [
        ("\(digest)", "sha256:x"), ("linux/amd64", "linux"), ("recipe: paddle-2.6-cpu", "recipe: ../out"), ("name: p", "name: q"),
      ] {
        var damaged = text
        damaged.replace(old, with: new)
        try FileSystem.writeAtomically(Array(damaged.utf8), to: file)
        #expect(throws: YAMLError.self, "\(new)") { try catalog.entry("paddle-2.6-cpu") }
      }
    }
  }

  @Test func lock() throws {
    try withTemporaryFolder { folder in
      #expect(try EnvironmentLock.read(in: folder) == nil)
      let digest = Digest(sha256Bytes: [UInt8](repeating: 7, count: 32))
      let layer = EnvironmentLock.Image.Layer(descriptor: Descriptor(mediaType: .layerTar, digest: digest, size: 9), diffID: digest)
      let image = EnvironmentLock.Image(manifest: digest, config: digest, layers: [layer])
      let lock = EnvironmentLock(environment: "e", images: ["linux/amd64": image], baseline: digest)
      try lock.write(in: folder)
      #expect(try EnvironmentLock.read(in: folder) == lock)
      let bytes = try FileSystem.readFile(folder.appending("envctl.lock"))
      try lock.write(in: folder)
      #expect(try FileSystem.readFile(folder.appending("envctl.lock")) == bytes)
      try FileSystem.writeAtomically(Array(#"{"schema": 2, "all": "new"}"#.utf8), to: folder.appending("envctl.lock"))
      #expect(throws: CatalogError.self) { try EnvironmentLock.read(in: folder) }
      for text in ["", "{}", #"{"schema": 1}"#, #"{"schema": 1, "environment": 5, "images": {}}"#] {
        try FileSystem.writeAtomically(Array(text.utf8), to: folder.appending("envctl.lock"))
        #expect(throws: JSONError.self, "\(text)") { try EnvironmentLock.read(in: folder) }
      }
    }
  }
}
