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
    ("schema: 1\nenvironment: x\ncheck: {}\n", "the key 'command' is missing", nil),
    ("schema: 1\nenvironment: x\ncheck: { command: [] }\n", "3:19: expected a program and its arguments", nil),
    ("schema: 1\nenvironment: x\ncheck: { command: python3 }\n", "3:19: expected a list", nil),
    ("schema: 1\nenvironment: x\ncheck: { command: [a], band: {} }\n", "3:24: unknown key 'band'", "'bands'"),
    ("schema: 1\nenvironment: x\ncheck: { command: [a], bands: { loss: -1 } }\n", "3:39: expected a number from 0", nil),
    ("schema: 1\nenvironment: x\ncheck: { command: [a], deadline: 5 }\n", "3:34: expected a time such as 90s", nil),
    ("schema: 1\nenvironment: x\ncheck: { command: [a], deadline: 0s }\n", "3:34: expected a time such as 90s", nil),
    ("schema: 1\nenvironment: x\nmount: nowhere\n", "3:8: expected a folder that exists, found 'nowhere'", nil),
    ("schema: 1\nenvironment: x\nmount: envctl.yaml\n", "3:8: expected a folder that exists", nil),
    ("schema: 1\nenvironment: x\nenv: [A]\n", "3:6: expected a mapping", nil),
    ("schema: 1\nenvironment: x\nenv:\n  A-B: 1\n", "4:3: 'A-B' is not a variable's name", nil),
    ("schema: 1\nenvironment: x\nenv:\n  1A: 1\n", "4:3: '1A' is not a variable's name", nil),
    ("schema: 1\nenvironment: x\nenv:\n  A: [1]\n", "4:6: expected text, found a list", nil),
    ("schema: 1\nenvironment: x\nenvironment: y\n", "stands here twice", nil),
    ("schema: 1\nenvironment: [a]\n", "2:14: expected text or a mapping", nil),
    ("schema: 1\nenvironment: docker.io/Upper:1\n", "2:14: 'docker.io/Upper:1' is not an image reference", "[HOST[:PORT]/]NAME"),
    ("schema: 1\nenvironment:\n  framwork: paddle\n", "3:3: unknown key 'framwork'", "'framework'"),
    ("schema: 1\nenvironment:\n  framework: padle\n  version: 1\n", "3:14: 'padle' is none of paddle", "'paddle'"),
    ("schema: 1\nenvironment:\n  framework: paddle\n", "the key 'version' is missing", nil),
    ("schema: 1\nenvironment:\n  framework: paddle\n  version: new\n", "4:12: 'new' is not a version", nil),
    ("schema: 1\nenvironment:\n  framework: paddle\n  version: 2.6.0\n  cuda: x\n", "5:9: 'x' is not a version of cuda", nil),
    ("schema: 1\nenvironment:\n  framework: paddle\n  version: 2.6.0\n  cudnn: 8\n", "5:10: cudnn is given without cuda", nil),
    ("schema: 1\nenvironment:\n  framework: paddle\n  version: 2.6.0\n  cuda: [1]\n", "5:9: expected text, found a list", nil),
    ("schema: 1\nenvironment: x\nplatforms: linux/amd64\n", "3:12: expected a list", nil),
    ("schema: 1\nenvironment: x\nplatforms: [amd64]\n", "3:13: expected a platform such as linux/amd64", nil),
    ("schema: 1\nenvironment: x\nplatforms: []\n", "3:12: expected at least one platform", nil),
    ("schema: 1\nenvironment: x\nplatforms: [a/b, a/b]\n", "3:18: a/b is listed twice", nil),
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
      #expect(project.environment == .source(.catalog("paddle")))
      #expect(project.platforms == [.host])
      #expect(project.mount == folder.appending("src"))
      #expect(project.variables.map { "\($0.name)=\($0.value)" } == ["B=2", "_a1=", "C=x y"])
      #expect(project.gpu == .optional)
      #expect(project.check == .none)
      #expect(project.program == nil)
      let own = "schema: 1\nenvironment: x\ncheck:\n  command: [python3, t.py]\n  bands: { loss: 1e-6 }\n  deadline: 1.5h\n"
      let program = try #require(try ProjectFile(Array(own.utf8), file: folder.appending("envctl.yaml")).program)
      #expect(program.command == ["python3", "t.py"] && program.bands == ["loss": 1e-6] && program.deadline == .seconds(5400))
    }
  }

  @Test func formsOfTheRequest() throws {
    func request(_ text: String) throws -> EnvironmentRequest {
      try ProjectFile(Array("schema: 1\nenvironment: \(text)\n".utf8), file: "/envctl.yaml").environment
    }
    #expect(try request("paddle-2.6-cpu") == .source(.catalog("paddle-2.6-cpu")))
    #expect(try request("oci:../layout:v1") == .source(.layout("oci:../layout:v1")))
    #expect(try request("registry:5000/team/model") == .source(.image(ImageReference(parsing: "registry:5000/team/model"))))
    #expect(try request("debian:12").description == "docker.io/library/debian:12")
    // YAML would read 12.10 as the number 12.1.
    let triple = try request("{framework: paddle, version: 3.0.0b1, cuda: 12.10, cudnn: 8, trt: 8.60, python: 3.10}")
    #expect(triple.description == "paddle 3.0.0b1, CUDA 12.10, cuDNN 8, TensorRT 8.60, Python 3.10")
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
      let config = Digest(sha256Bytes: [UInt8](repeating: 8, count: 32))
      let text =
        "schema: 1\nname: paddle-2.6-cpu\nrecipe: paddle-2.6-cpu\nimages:\n  linux/amd64: \(digest)\n"
        + "configs:\n  linux/amd64: \(config)\n"
      let file = folder.appending("manifests/paddle-2.6-cpu.yaml")
      try FileSystem.writeAtomically(Array(text.utf8), to: file)
      #expect(try catalog.entry("paddle-2.6-cpu").images[Platform(os: "linux", architecture: "amd64")] == digest)
      #expect(try catalog.entry("paddle-2.6-cpu").configs[Platform(os: "linux", architecture: "amd64")] == config)
      let unknown = try #require(throws: CatalogError.self) { try catalog.entry("paddle-2.6-gpu") }
      #expect(unknown.summary == "there is no environment 'paddle-2.6-gpu'")
      #expect(unknown.hint == "did you mean 'paddle-2.6-cpu'?")
      #expect(unknown.exitCode == .usage)
      for (old, new) in [
        ("\(digest)", "sha256:x"), ("\(config)", "sha256:x"), ("linux/amd64", "linux"), ("recipe: paddle-2.6-cpu", "recipe: ../out"),
        ("name: p", "name: q"),
        ("recipe: p", "cuda: 11.8\nrecipe: p"), ("recipe: p", "framework: paddle\nrecipe: p"),
        ("recipe: p", "framework: paddle\nversion: x\nrecipe: p"), ("recipe: p", "framework: pytorch\nversion: 2.0\nrecipe: p"),
      ] {
        var damaged = text
        damaged.replace(old, with: new)
        try FileSystem.writeAtomically(Array(damaged.utf8), to: file)
        #expect(throws: YAMLError.self, "\(new)") { try catalog.entry("paddle-2.6-cpu") }
      }
    }
  }
}
