/// Credentials for registries, from the files and helpers that docker, podman and skopeo share. They never stand on a command line or in a message.
import EnvCore
import Glibc
import OCI
import SafeFS
import SystemPackage

/// What one proves oneself with to a registry.
enum Credentials: Sendable, Equatable {
  case password(user: String, password: String)
  /// An OAuth2 refresh token, which `docker login` calls an identity token.
  case identityToken(String)
}

/// Where credentials are looked up.
public struct CredentialSources: Sendable {
  /// Files in the form of docker's `config.json`; the first that knows the registry wins (containers-auth.json(5)).
  public var files: [FilePath]
  /// Variables for credential helpers.
  public var environment: [String: String]

  public init(files: [FilePath], environment: [String: String]) {
    self.files = files
    self.environment = environment
  }

  /// `$REGISTRY_AUTH_FILE`, or else podman's and docker's files in their order.
  ///
  /// - Parameter user: Whose file in /run is looked for where there is no `$XDG_RUNTIME_DIR`, as with root (containers-auth.json(5)). In a user
  ///   namespace there is none: what is called root there is somebody else.
  public init(environment: [String: String], user: UInt32? = OwnerIDs.current == .all ? geteuid() : nil) {
    func path(_ variable: String, _ rest: String) -> FilePath? {
      guard let folder = environment[variable], folder.hasPrefix("/") else { return nil }
      return FilePath(folder).appending(rest)
    }
    self.environment = environment
    if let file = environment["REGISTRY_AUTH_FILE"], !file.isEmpty {
      files = [FilePath(file)]
    } else {
      files = [
        path("XDG_RUNTIME_DIR", "containers/auth.json") ?? user.map { FilePath("/run/containers/\($0)/auth.json") },
        path("XDG_CONFIG_HOME", "containers/auth.json") ?? path("HOME", ".config/containers/auth.json"),
        path("DOCKER_CONFIG", "config.json") ?? path("HOME", ".docker/config.json"),
      ].compactMap { $0 }
    }
  }

  /// The credentials for a repository such as `registry.example:5000/team/model`; nil for anonymous access.
  func credentials(registry: String, repository: String) throws -> Credentials? {
    for file in files where FileSystem.exists(file) {
      let bytes = try FileSystem.readFile(file, limit: 4 << 20)
      let document: AuthFile
      do {
        document = try CanonicalJSON.decode(AuthFile.self, from: bytes, object: "'\(file)'")
      } catch {
        throw RegistryError.unreadableCredentials(file: file, underlying: error)
      }
      if let found = try find(registry, repository, in: document, file: file) { return found }
    }
    return nil
  }

  private func find(_ registry: String, _ repository: String, in document: AuthFile, file: FilePath) throws -> Credentials? {
    // From the longest namespace to the registry alone.
    var components = repository.split(separator: "/").map(String.init)
    while true {
      let key = ([registry] + components).joined(separator: "/")
      if let (name, key) = document.helper(key) { return try CredentialHelper(name: name, environment: environment).get(key) }
      if let entry = document.entry(key), let found = try entry.credentials(key: key, file: file) { return found }
      guard components.popLast() != nil else { break }
    }
    guard let helper = document.credsStore, !helper.isEmpty else { return nil }
    return try CredentialHelper(name: helper, environment: environment).get(registry == "docker.io" ? AuthFile.dockerHub : registry)
  }
}

/// docker's `config.json` and podman's `auth.json`.
private struct AuthFile: Decodable {
  struct Entry: Decodable {
    var auth: String?
    var username: String?
    var password: String?
    var identitytoken: String?

    func credentials(key: String, file: FilePath) throws -> Credentials? {
      if let identitytoken, !identitytoken.isEmpty { return .identityToken(identitytoken) }
      if let auth, !auth.isEmpty {
        // Some writers leave the padding out, or wrap lines.
        let digits = auth.utf8.filter { $0 > 32 && $0 != UInt8(ascii: "=") }
        let padding = [UInt8](repeating: UInt8(ascii: "="), count: (4 - digits.count % 4) % 4)
        guard let bytes = Base64.decode(digits + padding), let colon = bytes.firstIndex(of: UInt8(ascii: ":")) else {
          throw RegistryError.malformedCredentials(file: file, key: key)
        }
        // Some writers pad the password with NULs.
        let password = bytes[(colon + 1)...].prefix { $0 != 0 }
        return .password(user: String(decoding: bytes[..<colon], as: UTF8.self), password: String(decoding: password, as: UTF8.self))
      }
      guard let username, !username.isEmpty else { return nil }
      return .password(user: username, password: password ?? "")
    }
  }

  static let dockerHub = "https://index.docker.io/v1/"

  var auths: [String: Entry]?
  var credHelpers: [String: String]?
  var credsStore: String?

  /// The entry for `key`; older files write a URL in its place.
  func entry(_ key: String) -> Entry? {
    guard let auths else { return nil }
    if let entry = auths[key] { return entry }
    if key == "docker.io" {
      for name in [Self.dockerHub, "index.docker.io", "registry-1.docker.io"] {
        if let entry = auths[name] { return entry }
      }
    }
    for form in ["https://\(key)", "https://\(key)/", "http://\(key)", "https://\(key)/v1/", "https://\(key)/v2/"] {
      if let entry = auths[form] { return entry }
    }
    return auths.sorted { $0.key < $1.key }.first { Self.canonical($0.key) == key }?.value
  }

  /// The helper for `key`, with the spelling under which it knows the registry.
  func helper(_ key: String) -> (name: String, key: String)? {
    guard let credHelpers else { return nil }
    if let name = credHelpers[key] { return (name, key) }
    return credHelpers.sorted { $0.key < $1.key }.first { Self.canonical($0.key) == key }.map { ($0.value, $0.key) }
  }

  /// `host[:port][/namespace]` with the host as references carry it; nil for what is none.
  private static func canonical(_ key: String) -> String? {
    var rest = key[...]
    for scheme in ["https://", "http://"] where rest.hasPrefix(scheme) {
      rest = rest.dropFirst(scheme.count)
      for tail in ["/v1/", "/v2/", "/v1", "/v2", "/"] where rest.hasSuffix(tail) {
        rest = rest.dropLast(tail.count)
        break
      }
    }
    let host = rest.prefix { $0 != "/" }
    return ImageReference.canonicalRegistry(host).map { $0 + rest.dropFirst(host.count) }
  }
}
