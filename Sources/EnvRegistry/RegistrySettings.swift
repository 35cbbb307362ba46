/// What is known of registries beforehand: which may be spoken to without TLS, whose certificates to trust, where credentials are.
import EnvCore
import HTTP
import OCI
import SafeFS
import SystemPackage

/// Settings of a registry client.
public struct RegistrySettings: Sendable {
  /// `host[:port]` of registries that may be spoken to in plain HTTP. No registry is unless it is named here, not even on loopback.
  public var insecure: Set<String>
  /// Folders that hold `HOST:PORT/*.crt`, `*.cert` and `*.key` (containers-certs.d(5)); the first that knows the registry wins.
  public var certificateFolders: [FilePath]
  public var credentials: CredentialSources
  public var policy: HTTPPolicy

  public init(
    insecure: Set<String> = [], certificateFolders: [FilePath] = [], credentials: CredentialSources, policy: HTTPPolicy = .registry
  ) {
    self.insecure = insecure
    self.certificateFolders = certificateFolders
    self.credentials = credentials
    self.policy = policy
  }

  /// The settings every container tool of this user and host has: `$XDG_CONFIG_HOME/containers/certs.d`, `/etc/containers/certs.d`,
  /// `/etc/docker/certs.d`, the auth files; and `$ENVCTL_INSECURE_REGISTRIES`, separated by commas.
  public init(environment: [String: String]) {
    let named = (environment["ENVCTL_INSECURE_REGISTRIES"] ?? "").split(whereSeparator: { $0 == "," || $0 == " " }).map(String.init)
    let user = environment["XDG_CONFIG_HOME"].map { FilePath($0) } ?? environment["HOME"].map { FilePath($0).appending(".config") }
    self.init(
      insecure: Set(named),
      certificateFolders: (user.map { [$0.appending("containers/certs.d")] } ?? [])
        + ["/etc/containers/certs.d", "/etc/docker/certs.d"],
      credentials: CredentialSources(environment: environment))
  }

  /// Certificates kept for a registry; nil when there are none.
  func tls(for registry: String) throws -> TLSIdentity? {
    try RegistryCertificates(for: registry, in: certificateFolders)?.identity()
  }

  /// Whether the registry was named as one without TLS, in any spelling.
  func isInsecure(_ registry: String) -> Bool {
    insecure.contains(registry) || insecure.contains { ImageReference.canonicalRegistry($0) == registry }
  }

  /// `https://host:port/v2/`.
  func base(of registry: String) -> String {
    // Docker Hub's registry answers under another name than its images carry.
    let host = registry == "docker.io" ? "registry-1.docker.io" : registry
    return (isInsecure(registry) ? "http" : "https") + "://\(host)/v2/"
  }
}

extension HTTPPolicy {
  /// People wait for the first answer of a registry: one that says nothing is given up in about a minute and a half.
  public static var registry: HTTPPolicy {
    var policy = HTTPPolicy()
    policy.attempts = 4
    policy.connectTimeout = .seconds(10)
    policy.stallTimeout = .seconds(20)
    return policy
  }
}
