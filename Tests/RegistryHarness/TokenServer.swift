/// A token server for a real registry (distribution's token authentication specification): JSON web tokens, signed by the openssl program.
import EnvCore
import Glibc
import LoopbackHTTP
import SafeFS
import Synchronization
import SystemPackage
import TestSupport

/// Gives everybody a token to pull, and its one user, by password or by refresh token, a token for whatever is asked.
public final class TokenServer: Sendable {
  static let service = "registry of the tests"
  static let issuer = "token server of the tests"
  public static let user = "ada"
  public static let password = "of:the tests"
  public static let refreshToken = "refresh-of-the-tests"

  /// Whose tokens a registry believes: PEM file of the authority that issued the signing certificate.
  public let authority: FilePath
  private let server: LoopbackServer

  /// - Parameter folder: For the signing key and what is signed.
  public init(in folder: FilePath) throws {
    let authority = try CertificateAuthority(in: folder)
    let signer = TokenSigner(folder: folder, identity: try authority.issue("signer"))
    self.authority = authority.certificate
    server = try LoopbackServer(answering: { request in
      do {
        return try Self.answer(request, signer)
      } catch {
        return .ok(Array("\(error)".utf8), status: "500 Internal Server Error")
      }
    })
  }

  public var realm: String { server.url("/token") }
  /// The heads of all requests so far.
  public var requests: [String] { server.requests }
  public func stop() { server.stop() }

  private static func answer(_ request: Request, _ signer: TokenSigner) throws -> Answer {
    let query =
      request.method == "POST" ? String(decoding: request.body, as: UTF8.self) : String(request.path.drop { $0 != "?" }.dropFirst())
    let fields = Dictionary(query.split(separator: "&").map(Self.field)) { $1 }
    let basic = try "Basic " + signer.base64(Array("\(user):\(password)".utf8))
    let isUser = request.headers["authorization"] == basic || fields["refresh_token"] == refreshToken
    if !isUser, request.headers["authorization"] != nil || fields["refresh_token"] != nil {
      return .ok(Array(#"{"errors":[{"code":"UNAUTHORIZED","message":"who is that?"}]}"#.utf8), status: "401 Unauthorized")
    }
    let scope = (fields["scope"] ?? "").split(separator: ":").map(String.init)
    guard scope.count == 3 else { return .ok([], status: "400 Bad Request") }
    let actions = scope[2].split(separator: ",").map(String.init).filter { isUser || $0 == "pull" }
    let token = try signer.token(service: fields["service"] ?? "", repository: scope[1], actions: actions)
    return .ok(Array(#"{"\#(request.method == "POST" ? "access_token" : "token")":"\#(token)","expires_in":300}"#.utf8))
  }

  private static func field(_ text: Substring) -> (String, String) {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    return (parts[0], parts.count > 1 ? decodePercent(parts[1]) : "")
  }

  private static func decodePercent(_ text: String) -> String {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%"), let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
        bytes.append(byte)
        continue
      }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// Makes JSON web tokens (RFC 7519) signed with RS256, whose header carries the certificate (RFC 7515, section 4.1.6).
private struct TokenSigner: Sendable {
  let folder: FilePath
  let identity: CertificateAuthority.Identity

  func token(service: String, repository: String, actions: [String]) throws -> String {
    let now = time(nil)
    let granted = actions.map { "\"\($0)\"" }.joined(separator: ",")
    let claims = """
      {"iss":"\(TokenServer.issuer)","sub":"\(TokenServer.user)","aud":"\(service)","exp":\(now + 300),"nbf":\(now - 60),"iat":\(now),\
      "jti":"\(FileSystem.uniqueSuffix())","access":[{"type":"repository","name":"\(repository)","actions":[\(granted)]}]}
      """
    let certificate = String(decoding: try FileSystem.readFile(identity.certificate), as: UTF8.self)
      .split(separator: "\n").filter { !$0.hasPrefix("-----") }.joined()
    let header = #"{"typ":"JWT","alg":"RS256","x5c":["\#(certificate)"]}"#
    let signed = try base64URL(Array(header.utf8)) + "." + base64URL(Array(claims.utf8))
    return try withFile(Array(signed.utf8)) { input in
      let signature = FilePath(input.string + ".sig")
      try run(["dgst", "-sha256", "-sign", identity.key.string, "-out", signature.string, input.string])
      defer { try? FileSystem.removeFile(signature) }
      return try signed + "." + base64URL(FileSystem.readFile(signature))
    }
  }

  func base64(_ bytes: [UInt8]) throws -> String { try withFile(bytes) { try run(["base64", "-A", "-in", $0.string]) } }

  private func base64URL(_ bytes: [UInt8]) throws -> String {
    String(try base64(bytes).compactMap { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 == "=" ? nil : $0 })
  }

  private func withFile<Value>(_ bytes: [UInt8], _ body: (FilePath) throws -> Value) throws -> Value {
    let file = folder.appending("sign." + FileSystem.uniqueSuffix())
    try FileSystem.writeAtomically(bytes, to: file)
    defer { try? FileSystem.removeFile(file) }
    return try body(file)
  }

  @discardableResult
  private func run(_ arguments: [String]) throws -> String {
    let output = try Tool.run("openssl", arguments)
    guard output.status == 0 else { throw HarnessError.toolFailed("openssl", output.text) }
    return output.text
  }
}
