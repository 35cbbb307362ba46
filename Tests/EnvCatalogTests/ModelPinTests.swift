/// `models:` in envctl.yaml and in the lock.
import EnvCore
import OCI
import SafeFS
import StrictYAML
import SystemPackage
import TestSupport
import Testing

@testable import EnvCatalog

@Suite struct ModelPinTests {
  private static let hash = String(repeating: "ab", count: 32)

  private func project(_ models: String) throws -> ProjectFile {
    try ProjectFile(Array(("schema: 1\nenvironment: e\nmodels:\n" + models).utf8), file: "/p/envctl.yaml")
  }

  @Test func forms() throws {
    let models = try project(
      """
        - {url: "https://models.example/a/risk.pdparams?rev=2", sha256: \(Self.hash), size: 12, mount: /models/}
        - {name: other, path: ../w/risk.pdopt, sha256: "sha256:\(Self.hash)", size: 3, mount: /opt/w/risk.pdopt, allow: [a.b.C]}
      """
    ).models
    #expect(models.map(\.name) == ["risk.pdparams", "other"])
    #expect(models.map(\.mount) == ["/models/risk.pdparams", "/opt/w/risk.pdopt"])
    #expect(models.map(\.source) == [.url("https://models.example/a/risk.pdparams?rev=2"), .path("../w/risk.pdopt")])
    #expect(models.allSatisfy { $0.sha256.hex == Self.hash } && models.map(\.size) == [12, 3] && models[1].allow == ["a.b.C"])
    #expect(try project("").models.isEmpty)
  }

  @Test(arguments: [
    ("path: a", "url: https://h/a, path: b", "not both"), ("path: a, ", "", "a model needs a url or a path"),
    ("path: a", "url: ftp://h/a", "models cannot be fetched by 'ftp'"), ("path: a", "url: file:///a", "models cannot be fetched by 'file'"),
    ("path: a", "url: s3://b/a", "models cannot be fetched by 's3'"), ("path: a", "url: h/a", "expected a URL"),
    ("path: a", "url: 'https:///a'", "expected a URL"),
    ("path: a", "url: 'https://h/a b'", "expected a URL"), ("path: a", "url: 'https://me:pw@h/a'", "name or password"),
    ("path: a", "url: https://h/", "the model needs a name"), ("path: a", "url: https://h", "the model needs a name"),
    ("path: a", "path: ..", "the model needs a name"),
    ("path: a", "path: a, name: b/c", "a file name without '/'"), ("path: a", "path: a, name: ..", "a file name without '/'"),
    ("sha256: HASH", "sha256: AB", "64 lowercase hexadecimal"), ("size: 1", "size: 0", "number of the file's bytes"),
    ("size: 1", "size: -1", "number of the file's bytes"), ("size: 1", "size: 1.5", "a whole number"),
    ("size: 1", "size: 99999999999999999999", "a whole number"),
    ("size: 1, ", "", "the key 'size' is missing"), ("mount: /m/a", "mount: m/a", "absolute path"),
    ("mount: /m/a", "mount: /m/../a", "without '.'"),
    ("mount: /m/a", "mount: //a", "without '.'"), ("mount: /m/a", "mount: /etc/passwd", "over the system's '/etc/passwd'"),
    ("mount: /m/a", "mount: /usr/", "over the system's '/usr/a'"), ("mount: /m/a", "mount: /tmp", "over the system's '/tmp'"),
    ("mount: /m/a", "mount: /proc/self/a", "over the system's"), ("mount: /m/a", "mount: /workspace/a", "inside the project's folder"),
    ("mount: /m/a", "mount: /workspace", "inside the project's folder"), ("mount: /m/a", "mount: /m/a, allow: [os]", "a global name"),
    ("mount: /m/a", "mount: /m/a, allow: ['os.*']", "a global name"), ("mount: /m/a", "mount: /m/a, allow: ", "has no value"),
    ("mount: /m/a", "mount: /m/a, digest: x", "unknown key 'digest'"),
  ]) func mistakes(_ old: String, _ new: String, _ message: String) throws {
    var text = "  - {path: a, sha256: HASH, size: 1, mount: /m/a}\n"
    text.replace(old, with: new)
    text.replace("HASH", with: Self.hash)
    let error = try #require(throws: YAMLError.self, "\(text)") { try project(text) }
    #expect(error.summary.contains(message), "\(error.summary)")
    #expect(error.exitCode == .usage)
  }

  @Test("one without a hash is against the policy, under the rule's name") func unpinned() throws {
    let error = try #require(throws: CatalogError.self) { try project("  - {path: a, size: 1, mount: /m/a}\n") }
    #expect(error.summary == "/p/envctl.yaml:4:5: the model 'a' has no sha256 [EC401]")
    #expect(error.exitCode == .policy)
  }

  @Test(arguments: [
    ("a", "/m/b", "two models are named 'a'"), ("b", "/m/a", "mounted over one another"), ("b", "/m/a/b", "mounted over one another"),
    ("b", "/m", "mounted over one another"),
  ])
  func collisions(_ name: String, _ mount: String, _ message: String) throws {
    let rest = "sha256: \(Self.hash), size: 1"
    let error = #expect(throws: YAMLError.self) {
      try project("  - {path: a, \(rest), mount: /m/a}\n  - {path: \(name), \(rest), mount: \(mount)}\n")
    }
    #expect(error?.summary.contains(message) == true)
  }

  @Test("the lock keeps models, reads locks from before there were any, and tells which differs") func lock() throws {
    let project = try project("  - {path: a, sha256: \(Self.hash), size: 1, mount: /m/a}\n")
    var lock = EnvironmentLock(environment: project.environment, resolved: .catalog("e"), images: [:])
    #expect(!String(decoding: try CanonicalJSON.encode(lock), as: UTF8.self).contains("models"))
    try lock.requireModels(of: project)
    lock.models = project.lockedModels
    let read = try CanonicalJSON.decode(EnvironmentLock.self, from: try CanonicalJSON.encode(lock), object: "lock")
    #expect(read == lock && read.models == project.lockedModels)
    try lock.requireModels(of: project)
    for (models, message) in [
      ("  - {path: a, sha256: \(Self.hash), size: 2, mount: /m/a}\n", "locks the model 'a' with another source"),
      ("  - {path: b, sha256: \(Self.hash), size: 1, mount: /m/a}\n", "locks the model 'a', which envctl.yaml does not name"),
      (
        "  - {path: a, sha256: \(Self.hash), size: 1, mount: /m/a}\n  - {path: c, sha256: \(Self.hash), size: 1, mount: /m/c}\n",
        "does not lock the model 'c'"
      ),
      ("", "locks the model 'a', which envctl.yaml does not name"),
    ] {
      let error = try #require(throws: CatalogError.self) { try lock.requireModels(of: try self.project(models)) }
      #expect(error.summary.contains(message), "\(error.summary)")
      #expect(error.exitCode == .policy)
    }
  }
}
