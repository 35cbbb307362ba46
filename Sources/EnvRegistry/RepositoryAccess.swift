/// Proving to one registry that one repository may be used: Basic, or a Bearer token that is fetched, kept and renewed.
import EnvCore
import HTTP
import OCI
import Synchronization

/// The authorizations of a client, by what they are good for.
final class AuthorizationCache: Sendable {
  struct Key: Hashable {
    var registry: String
    var repository: String
    var actions: String
  }

  private let values = Mutex<[Key: String]>([:])

  func value(_ key: Key) -> String? { values.withLock { $0[key] } }

  /// The value that replaces `used`, made by one caller and shared by those that wait for it meanwhile.
  func replace(_ key: Key, used: String?, _ make: () throws -> String?) rethrows -> String? {
    try values.withLock { values in
      // Somebody else has renewed it since `used` was handed out.
      if let present = values[key], present != used { return present }
      values[key] = try make()
      return values[key]
    }
  }
}

/// Answers a registry's challenges for one repository (distribution-spec; token authentication specification of the CNCF distribution).
final class RepositoryAccess: HTTPAuthorizer {
  private let key: AuthorizationCache.Key
  private let settings: RegistrySettings
  private let cache: AuthorizationCache
  private let client: HTTPClient
  private let lastUsed = Mutex<String?>(nil)

  init(_ reference: ImageReference, actions: String, settings: RegistrySettings, cache: AuthorizationCache, client: HTTPClient) {
    key = AuthorizationCache.Key(registry: reference.registry, repository: reference.repository, actions: actions)
    self.settings = settings
    self.cache = cache
    self.client = client
  }

  func authorization() throws -> String? {
    let value = cache.value(key)
    lastUsed.withLock { $0 = value }
    return value
  }

  func authorization(after refusal: ErrorAnswer) throws -> String? {
    let used = lastUsed.withLock { $0 }
    let value = try cache.replace(key, used: used) {
      try answer(AuthenticationChallenge.parse(refusal.headers.all("www-authenticate")))
    }
    lastUsed.withLock { $0 = value }
    return value == used ? nil : value
  }

  var hasCredentials: Bool { (try? credentials()) != nil }

  private func credentials() throws -> Credentials? {
    try settings.credentials.credentials(registry: key.registry, repository: key.repository)
  }

  private func answer(_ challenges: [AuthenticationChallenge]) throws -> String? {
    let credentials = try credentials()
    if let bearer = challenges.first(where: { $0.scheme == "bearer" }) {
      return "Bearer " + (try fetchToken(bearer.parameters, credentials))
    }
    guard challenges.contains(where: { $0.scheme == "basic" }), case .password(let user, let password) = credentials else { return nil }
    return Self.basic(user, password)
  }

  private static func basic(_ user: String, _ password: String) -> String {
    "Basic " + Base64.encode(Array("\(user):\(password)".utf8))
  }

  private func fetchToken(_ parameters: [String: String], _ credentials: Credentials?) throws -> String {
    let object = "a token for \(key.registry)/\(key.repository)"
    guard let realm = parameters["realm"], realm.hasPrefix("https://") || realm.hasPrefix("http://") else {
      throw RegistryError.protocolViolation(object: object, reason: "its challenge names no realm to get one from")
    }
    guard realm.hasPrefix("https://") || settings.isInsecure(key.registry) else {
      throw RegistryError.protocolViolation(
        object: object, reason: "its challenge leads from TLS to the unencrypted '\(redacted(url: realm))'")
    }
    var fields: [(String, String)] = []
    if let service = parameters["service"], !service.isEmpty { fields.append(("service", service)) }
    // What is needed is known here; the registry's own idea of it may be empty or too small.
    fields.append(("scope", "repository:\(key.repository):\(key.actions)"))
    let (_, body) = try tokenAnswer(realm, fields, credentials, object: object)
    struct Answer: Decodable {
      var token: String?
      var access_token: String?
    }
    let answer = try CanonicalJSON.decode(Answer.self, from: body, object: "the answer for \(object)")
    guard let token = answer.token ?? answer.access_token, !token.isEmpty, token.utf8.allSatisfy({ $0 > 32 && $0 < 127 }) else {
      throw RegistryError.protocolViolation(object: object, reason: "the token server's answer holds no usable token")
    }
    return token
  }

  private func tokenAnswer(
    _ realm: String, _ fields: [(String, String)], _ credentials: Credentials?, object: String
  ) throws -> (response: HTTPResponse, body: [UInt8]) {
    var headers = [(name: "Accept", value: "application/json")]
    var request: HTTPRequest
    let separator = realm.contains("?") ? "&" : "?"
    if case .identityToken(let token) = credentials {
      let form = fields + [("grant_type", "refresh_token"), ("client_id", "envctl"), ("refresh_token", token)]
      headers.append(("Content-Type", "application/x-www-form-urlencoded"))
      request = HTTPRequest(realm, method: .post, headers: headers, body: .bytes(Array(Self.query(form).utf8)), sizeLimit: 1 << 20)
      // The body is the secret itself, and libcurl takes it along wherever a redirect leads.
      request.followsRedirects = false
    } else {
      if case .password(let user, let password) = credentials { headers.append(("Authorization", Self.basic(user, password))) }
      request = HTTPRequest(realm + separator + Self.query(fields), headers: headers, sizeLimit: 1 << 20)
    }
    request.tls = try settings.tls(for: key.registry)
    do {
      return try client.get(request)
    } catch HTTPError.status(_, let status, let answer) where status == 401 || status == 403 || status == 400 {
      throw RegistryError.unauthorized(
        object: "\(key.registry)/\(key.repository)", registry: key.registry, hasCredentials: credentials != nil, said: said(answer))
    } catch {
      throw RegistryError.unavailable(object: object, said: nil, underlying: error)
    }
  }

  private static func query(_ fields: [(String, String)]) -> String {
    fields.map { "\($0)=\(percentEncoded($1))" }.joined(separator: "&")
  }
}

/// RFC 3986, section 2.1: everything but unreserved characters.
func percentEncoded(_ text: String) -> String {
  text.utf8.map { byte in
    let isUnreserved = (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || "-._~".utf8.contains(byte)
    if isUnreserved { return String(UnicodeScalar(byte)) }
    return "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
  }.joined()
}

/// What a registry's error document says (distribution-spec, "Error Codes"), made fit for one line.
func said(_ answer: ErrorAnswer) -> String? {
  struct Document: Decodable {
    struct Item: Decodable {
      var code: String?
      var message: String?
    }
    var errors: [Item]?
    var details: String?
  }
  guard let document = try? CanonicalJSON.decode(Document.self, from: answer.body, object: "") else { return nil }
  let items = (document.errors ?? []).prefix(3).map { [$0.code, $0.message].compactMap { $0 }.joined(separator: ": ") }
  let text = items.isEmpty ? document.details ?? "" : items.joined(separator: "; ")
  let printable = String(String.UnicodeScalarView(text.unicodeScalars.filter { $0.value >= 32 && $0.value != 127 }.prefix(300)))
  return printable.isEmpty ? nil : printable
}
