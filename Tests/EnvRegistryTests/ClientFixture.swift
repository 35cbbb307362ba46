/// Clients for the tests: quick to give up, with the credentials a test gives them.
import EnvCore
import HTTP
import LoopbackHTTP
import OCI
import RegistryHarness
import SafeFS
import SystemPackage
import TestSupport

@testable import EnvRegistry

enum Clients {
  /// A client that may speak to `insecure` registries without TLS, and whose retries wait for milliseconds.
  static func client(insecure: String..., auth: FilePath? = nil, certificates: FilePath? = nil, attempts: Int = 3) -> RegistryClient {
    var policy = HTTPPolicy()
    policy.attempts = attempts
    policy.firstDelay = .milliseconds(1)
    policy.longestDelay = .milliseconds(1200)
    return RegistryClient(
      settings: RegistrySettings(
        insecure: Set(insecure), certificateFolders: certificates.map { [$0] } ?? [],
        credentials: CredentialSources(files: auth.map { [$0] } ?? [], environment: [:]), policy: policy))
  }

  /// An auth file in `folder` that gives a password, or an identity token, for `registry`.
  static func authFile(in folder: FilePath, _ registry: String, user: String = "ada", password: String = "secret", token: String? = nil)
    throws
    -> FilePath
  {
    let file = folder.appending("auth-\(FileSystem.uniqueSuffix()).json")
    let entry = token.map { #""identitytoken":"\#($0)""# } ?? #""auth":"\#(Base64.encode(Array("\(user):\(password)".utf8)))""#
    try FileSystem.writeAtomically(Array(#"{"auths":{"\#(registry)":{\#(entry)}}}"#.utf8), to: file)
    return file
  }

  static func reference(_ host: String, tag: String? = "v1", digest: Digest? = nil) -> ImageReference {
    ImageReference(registry: host, repository: ScriptedRegistry.repository, tag: tag, digest: digest)
  }
}

extension RegistryClient {
  /// The bytes of a blob.
  func blob(_ descriptor: Descriptor, in reference: ImageReference) throws -> [UInt8] {
    var bytes: [UInt8] = []
    try download(descriptor, in: reference, object: "a blob") { span in span.withUnsafeBytes { bytes.append(contentsOf: $0) } }
    return bytes
  }
}

extension Answer {
  /// A refusal with this challenge.
  static func unauthorized(_ challenge: String) -> Answer {
    .ok(Array(#"{"errors":[{"code":"UNAUTHORIZED"}]}"#.utf8), headers: ["WWW-Authenticate: \(challenge)"], status: "401 Unauthorized")
  }
}

/// Runs `body` with a server that answers by the whole request.
func serving(_ answer: @escaping @Sendable (Request) -> Answer, _ body: (LoopbackServer) throws -> Void) throws {
  let server = try LoopbackServer(answering: answer)
  defer { server.stop() }
  try body(server)
}

extension LoopbackServer {
  var host: String { "127.0.0.1:\(port)" }
}

/// The error's whole story: what, why, hint, exit code.
func story(_ body: () throws -> Void) -> DiagnosticChain? {
  do {
    try body()
    return nil
  } catch {
    return DiagnosticChain(error)
  }
}
