/// Credentials from the files and helpers of docker and podman.
import EnvCore
import SafeFS
import SystemPackage
import TestSupport
import Testing

@testable import EnvRegistry

@Suite struct CredentialTests {
  /// base64 of `text`, by hand: the client's own coder is what is tested.
  private static let encoded = ["ada:secret": "YWRhOnNlY3JldA==", "bob:p:q": "Ym9iOnA6cQ==", "a:": "YTo=", "nul:x\0\0": "bnVsOngAAA=="]

  private func credentials(_ registry: String, _ repository: String, _ documents: String...) throws -> Credentials? {
    try withTemporaryFolder { folder in
      let files = try documents.enumerated().map { index, text in
        let file = folder.appending("\(index).json")
        try FileSystem.writeAtomically(Array(text.utf8), to: file)
        return file
      }
      return try CredentialSources(files: [folder.appending("absent")] + files, environment: [:])
        .credentials(registry: registry, repository: repository)
    }
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let registry: String
    let document: String
    let expected: Credentials?
    var testDescription: String { registry + " in " + document }
  }

  static let ada = Credentials.password(user: "ada", password: "secret")
  static let rows: [Row] = [
    Row(registry: "r.test", document: #"{"auths":{"r.test":{"auth":"YWRhOnNlY3JldA=="}}}"#, expected: ada),
    Row(registry: "r.test", document: #"{"auths":{"r.test":{"username":"ada","password":"secret"}}}"#, expected: ada),
    Row(registry: "r.test", document: #"{"auths":{"r.test":{"auth":"","username":"ada","password":"secret"}}}"#, expected: ada),
    // Only the first colon separates, and a missing padding is forgiven.
    Row(registry: "r.test", document: #"{"auths":{"r.test":{"auth":"Ym9iOnA6cQ"}}}"#, expected: .password(user: "bob", password: "p:q")),
    Row(registry: "r.test", document: #"{"auths":{"r.test":{"auth":"bnVsOngAAA=="}}}"#, expected: .password(user: "nul", password: "x")),
    Row(registry: "r.test", document: #"{"auths":{"r.test":{"identitytoken":"t","auth":"YTo="}}}"#, expected: .identityToken("t")),
    Row(registry: "r.test:5000", document: #"{"auths":{"r.test":{"auth":"YWRhOnNlY3JldA=="}}}"#, expected: nil),
    Row(registry: "r.test:5000", document: #"{"auths":{"r.test:5000":{"auth":"YWRhOnNlY3JldA=="}}}"#, expected: ada),
    Row(registry: "r.test", document: #"{"auths":{"https://r.test/v1/":{"auth":"YWRhOnNlY3JldA=="}}}"#, expected: ada),
    Row(registry: "r.test", document: #"{"auths":{"r.test/team":{"auth":"YWRhOnNlY3JldA=="},"r.test":{"auth":"YTo="}}}"#, expected: ada),
    Row(
      registry: "r.test", document: #"{"auths":{"r.test/team/other":{"auth":"YTo="},"r.test":{"auth":"YWRhOnNlY3JldA=="}}}"#, expected: ada),
    Row(registry: "docker.io", document: #"{"auths":{"https://index.docker.io/v1/":{"auth":"YWRhOnNlY3JldA=="}}}"#, expected: ada),
    Row(registry: "docker.io", document: #"{"auths":{"registry-1.docker.io":{"auth":"YWRhOnNlY3JldA=="}}}"#, expected: ada),
    Row(registry: "docker.io", document: #"{"auths":{"docker.io":{"auth":"YWRhOnNlY3JldA=="}}}"#, expected: ada),
    // What people write with capital letters, references carry without.
    Row(registry: "r.test:5000", document: #"{"auths":{"R.Test:5000":{"auth":"YWRhOnNlY3JldA=="}}}"#, expected: ada),
    Row(registry: "r.test", document: #"{"auths":{"https://R.TEST/v2/":{"auth":"YWRhOnNlY3JldA=="}}}"#, expected: ada),
    Row(registry: "r.test", document: #"{"auths":{"R.TEST/team":{"auth":"YWRhOnNlY3JldA=="}}}"#, expected: ada),
    Row(registry: "docker.io", document: #"{"auths":{"Index.Docker.io":{"auth":"YWRhOnNlY3JldA=="}}}"#, expected: ada),
    Row(registry: "r.test", document: #"{"auths":{"r.test":{}}}"#, expected: nil),
    Row(registry: "r.test", document: "{}", expected: nil),
  ]

  @Test(arguments: rows) func finds(_ row: Row) throws {
    try #expect(credentials(row.registry, "team/model", row.document) == row.expected)
  }

  @Test func theFirstFileThatKnowsTheRegistryWins() throws {
    let found = try credentials(
      "r.test", "x", #"{"auths":{"other.test":{"auth":"YTo="}}}"#, #"{"auths":{"r.test":{"auth":"YWRhOnNlY3JldA=="}}}"#,
      #"{"auths":{"r.test":{"auth":"YTo="}}}"#)
    #expect(found == Self.ada)
  }

  @Test(arguments: [#"{"auths":{"r.test":{"auth":"****"}}}"#, #"{"auths":{"r.test":{"auth":"YWRh"}}}"#, "{", "[1]", #"{"auths":[]}"#])
  func malformedFilesAreNamedAndNotQuoted(_ document: String) throws {
    let error = try #require(story { _ = try credentials("r.test", "x", document) })
    #expect(error.summaries.first?.contains("0.json") == true)
    #expect(!error.summaries.joined().contains("YWRh"))
  }

  @Test func placesAreThoseOfTheOtherTools() {
    let sources = CredentialSources(environment: ["HOME": "/h", "XDG_RUNTIME_DIR": "/run/u", "DOCKER_CONFIG": "/d"], user: 0)
    #expect(sources.files == ["/run/u/containers/auth.json", "/h/.config/containers/auth.json", "/d/config.json"])
    #expect(CredentialSources(environment: ["HOME": "/h", "REGISTRY_AUTH_FILE": "/a.json"]).files == ["/a.json"])
    #expect(CredentialSources(environment: [:], user: nil).files.isEmpty)
    #expect(CredentialSources(environment: [:], user: 0).files == ["/run/containers/0/auth.json"])
  }

  // MARK: Helpers

  /// Runs `body` with a credential helper, a real program in a folder of the PATH; the PATH of this process stays as it is.
  private func withHelper(_ script: String, _ body: (CredentialHelper) throws -> Void) throws {
    try withTemporaryFolder { folder in
      let program = folder.appending("docker-credential-tests")
      try FileSystem.writeAtomically(Array("#!/bin/sh\n\(script)\n".utf8), to: program, mode: 0o755)
      try body(CredentialHelper(name: "tests", environment: ["PATH": "\(folder):/usr/bin:/bin"]))
    }
  }

  @Test func aHelperIsAskedForTheRegistry() throws {
    let script = #"read -r host; [ "$1 $host" = "get r.test" ] && printf '{"ServerURL":"r.test","Username":"ada","Secret":"secret"}'"#
    try withHelper(script) { helper in try #expect(helper.get("r.test") == Self.ada) }
  }

  @Test func aHelperMayHoldAnIdentityToken() throws {
    try withHelper(#"printf '{"Username":"<token>","Secret":"t"}'"#) { try #expect($0.get("r.test") == .identityToken("t")) }
  }

  @Test func aHelperThatKnowsNothingIsNoError() throws {
    try withHelper("echo credentials not found in native keychain; exit 1") { try #expect($0.get("r.test") == nil) }
  }

  @Test(arguments: ["echo broken >&2; exit 3", "exit 0", "echo nonsense", #"printf '{"Username":"ada"}'"#])
  func aHelperThatFailsIsNamed(_ script: String) throws {
    try withHelper(script) { helper in
      let error = story { _ = try helper.get("r.test") }
      #expect(error?.summaries.joined().contains("docker-credential-tests") == true)
    }
  }

  @Test(arguments: ["absent", "../tests", ""]) func aHelperThatIsNotThere(_ name: String) {
    let error = #expect(throws: RegistryError.self) {
      try CredentialHelper(name: name, environment: ["PATH": "/usr/bin"]).get("r.test")
    }
    #expect(error?.summary.contains("docker-credential-\(name)") == true)
  }

  // MARK: base64

  @Test func base64IsThatOfTheSpecification() {
    // RFC 4648, section 10.
    for (plain, text) in ["": "", "f": "Zg==", "fo": "Zm8=", "foo": "Zm9v", "foob": "Zm9vYg==", "fooba": "Zm9vYmE=", "foobar": "Zm9vYmFy"] {
      #expect(Base64.encode(Array(plain.utf8)) == text)
      #expect(Base64.decode(text) == Array(plain.utf8))
    }
    for (plain, text) in Self.encoded { #expect(Base64.encode(Array(plain.utf8)) == text) }
    for bytes in (0..<256).map({ count in (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ count) } }) {
      #expect(Base64.decode(Base64.encode(bytes)) == bytes)
    }
    for text in ["!", "Zm9v*", "Zm-_"] { #expect(Base64.decode(text) == nil) }
  }
}
