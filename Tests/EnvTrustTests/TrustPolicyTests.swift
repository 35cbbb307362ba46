/// Rules: how they are read, which one decides, and that documents cannot weaken each other.
import EnvCatalog
import EnvCore
import OCI
import SafeFS
import StrictYAML
import SystemPackage
import TestSupport
import Testing

@testable import EnvTrust

@Suite(.needs(.tool("openssl"))) struct TrustPolicyTests {
  /// A folder with the keys `a.pub` and `b.pub`.
  private func withKeys(_ body: (FilePath) throws -> Void) throws {
    try withTemporaryFolder { folder in
      for name in ["a", "b"] { _ = try KeyPair(name: name, in: folder) }
      try body(folder)
    }
  }

  private func rules(_ text: String, _ folder: FilePath) throws -> [TrustRule] {
    let file = folder.appending("policy.yaml")
    try FileSystem.writeAtomically(Array(("schema: 1\nverify:\n" + text).utf8), to: file)
    return try TrustPolicy.readRules(file)
  }

  private func subject(_ text: String) throws -> TrustSubject { .registry(try ImageReference(parsing: text)) }

  @Test func everything() throws {
    try withKeys { folder in
      let text = """
        - images: host.example/team/**
          keys: [a.pub, ./b.pub]
          annotations: {env: prod}
        - {images: host.example/team/free, require: any}
        - {images: "oci:layouts/**", require: signed, keys: ["\(folder)/a.pub"]}
        """
      let policy = TrustPolicy(documents: [try rules(text, folder)])
      let demand = try #require(try policy.rules(for: subject("host.example/team/app:1")).first)
      #expect(demand.demand.keys.map(\.name) == ["a.pub", "./b.pub"])
      #expect(demand.demand.annotations == ["env": "prod"])
      #expect("\(demand.rule.mark)" == "\(folder)/policy.yaml:3:11")
      #expect(try policy.rules(for: subject("host.example/team/free")).isEmpty)
      #expect(try policy.rules(for: subject("host.example/other/app")).isEmpty)
      #expect(policy.rules(for: .layout(folder.appending("layouts/x"))).count == 1)
      #expect(policy.rules(for: .layout("/elsewhere")).isEmpty)
    }
  }

  @Test func theMostSpecificRuleDecidesWhereverItStands() throws {
    try withKeys { folder in
      let wide = "- {images: \"**\", keys: [a.pub]}\n"
      let narrow = "- {images: host.example/team/*, keys: [b.pub]}\n"
      let exact = "- {images: host.example/team/free, require: any}\n"
      for text in [wide + narrow + exact, exact + narrow + wide, narrow + exact + wide] {
        let policy = TrustPolicy(documents: [try rules(text, folder)])
        #expect(try policy.rules(for: subject("host.example/team/app")).map { $0.demand.keys.map(\.name) } == [["b.pub"]])
        #expect(try policy.rules(for: subject("debian")).map { $0.demand.keys.map(\.name) } == [["a.pub"]])
        #expect(try policy.rules(for: subject("host.example/team/free")).isEmpty)
      }
    }
  }

  @Test func aProjectCannotWeakenTheOperator() throws {
    try withKeys { folder in
      let op = try rules("- {images: \"**\", keys: [a.pub]}\n", folder)
      for project in ["- {images: host.example/app, require: any}\n", "- {images: host.example/app, keys: [b.pub]}\n"] {
        for documents in [[op, try rules(project, folder)], [try rules(project, folder), op]] {
          let demanded = try TrustPolicy(documents: documents).rules(for: subject("host.example/app")).map { $0.demand.keys.map(\.name) }
          #expect(demanded.contains(["a.pub"]))
          #expect(demanded.count == (project.contains("any") ? 1 : 2))
        }
      }
    }
  }

  @Test(arguments: [
    ("- {images: x, key: [a.pub]}", "3:15: unknown key 'key'"), ("- {keys: [a.pub]}", "the key 'images' is missing"),
    ("- {images: x}", "the key 'keys' is missing"), ("- {images: x, keys: []}", "expected at least one key file"),
    ("- {images: x, keys: a.pub}", "expected a list"), ("- {images: 'x:1', keys: [a.pub]}", "covers every tag and digest"),
    ("- {images: x, keys: [a.pub], require: sometimes}", "none of signed, any"),
    ("- {images: x, require: any, keys: [a.pub]}", "'keys' says nothing"),
    ("- {images: x, require: any, annotations: {a: b}}", "'annotations' says nothing"),
    ("- {images: x, keys: [a.pub], annotations: }", "the key 'annotations' has no value"),
    ("- {images: x, keys: [a.pub]}\n- {images: docker.io/library/x, keys: [b.pub]}", "has a rule already"), ("  x", "expected a list"),
  ])
  func mistakes(_ text: String, _ message: String) throws {
    try withKeys { folder in
      let error = #expect(throws: YAMLError.self) { try rules(text, folder) }
      #expect(error?.summary.contains(message) == true, "\(error?.summary ?? "")")
      #expect(error?.exitCode == .usage)
    }
  }

  @Test(arguments: ["a.pem", "missing.pub", "policy.yaml", "."]) func keysThatCannotBeUsed(_ name: String) throws {
    try withKeys { folder in
      let error = #expect(throws: TrustError.self) { try rules("- {images: x, keys: [\(name)]}", folder) }
      guard case .unusableKey(let place, _) = error else { Issue.record("unexpected \(String(describing: error))"); return }
      #expect(place.hasPrefix("\(folder)/policy.yaml:3:"))
      #expect(error?.exitCode == .usage)
    }
  }

  @Test func aPolicyThatCannotBeReadIsNotNone() throws {
    try withTemporaryFolder { folder in
      let error = #expect(throws: TrustError.self) { try TrustPolicy.readRules(folder.appending("missing.yaml")) }
      guard case .unreadablePolicy = error else { Issue.record("unexpected \(String(describing: error))"); return }
      for text in ["", "schema: 1\n", "schema: 1\nverify:\nextra: 1\n"] {
        let file = folder.appending("policy.yaml")
        try FileSystem.writeAtomically(Array(text.utf8), to: file)
        #expect(throws: YAMLError.self) { try TrustPolicy.readRules(file) }
      }
      try FileSystem.writeAtomically(Array("schema: 2\nnew: 1\n".utf8), to: folder.appending("policy.yaml"))
      #expect(throws: CatalogError.self) { try TrustPolicy.readRules(folder.appending("policy.yaml")) }
    }
  }
}
