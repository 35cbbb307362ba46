/// The client of OCI distribution registries: one repository, one request, one clear error. What is fetched is proven here or by who takes it.
import EnvCore
import HTTP
import Hashing
import OCI
import SystemPackage

/// Talks to registries as the distribution specification says, with the credentials and certificates the host's other tools use.
///
/// All calls block; the client may be used from several threads at once.
public final class RegistryClient: Sendable {
  let settings: RegistrySettings
  let http: HTTPClient
  private let authorizations = AuthorizationCache()

  public init(settings: RegistrySettings) {
    self.settings = settings
    http = HTTPClient(policy: settings.policy)
  }

  /// What a repository may be used for.
  enum Actions: String {
    case pull
    case push = "pull,push"
  }

  /// The URL of `path` below the repository.
  func url(_ reference: ImageReference, _ path: String) -> String {
    settings.base(of: reference.registry) + reference.repository + "/" + path
  }

  /// A request to the repository of `reference`, with everything the registry may ask for.
  func request(
    _ url: String, _ reference: ImageReference, _ actions: Actions = .pull, method: HTTPMethod = .get,
    headers: [(name: String, value: String)] = [], body: HTTPBody? = nil, expectedSize: Int64? = nil, sizeLimit: Int64 = 1 << 40
  ) throws -> HTTPRequest {
    HTTPRequest(
      url, method: method, headers: headers, body: body, authorizer: access(reference, actions),
      tls: try settings.tls(for: reference.registry), expectedSize: expectedSize, sizeLimit: sizeLimit)
  }

  /// Runs a transfer and turns its failure into what it means for `object`.
  func asking<Value>(_ object: String, _ reference: ImageReference, _ actions: Actions = .pull, _ body: () throws -> Value) throws -> Value
  {
    do {
      return try body()
    } catch let error as HTTPError {
      throw meaning(of: error, object: object, reference, actions)
    }
  }

  private func access(_ reference: ImageReference, _ actions: Actions) -> RepositoryAccess {
    RepositoryAccess(reference, actions: actions.rawValue, settings: settings, cache: authorizations, client: http)
  }

  private func meaning(of error: HTTPError, object: String, _ reference: ImageReference, _ actions: Actions) -> any Error {
    switch error {
    case .status(_, 404, let answer): return RegistryError.notFound(object: object, said: said(answer))
    case .status(_, let status, let answer) where status == 401 || status == 403:
      return RegistryError.unauthorized(
        object: object, registry: reference.registry, hasCredentials: access(reference, actions).hasCredentials, said: said(answer))
    case .status(_, _, let answer): return RegistryError.unavailable(object: object, said: said(answer), underlying: error)
    case .truncated(_, let received, let expected):
      return RegistryError.sizeMismatch(object: object, expected: expected, actual: received)
    case .tooLarge(_, let limit): return RegistryError.tooLarge(object: object, limit: limit)
    case .transferFailed(_, _, let reason) where reason.contains("wrong version number"):
      return RegistryError.unavailable(
        object: object, said: nil, underlying: PlainRegistry(registry: reference.registry, underlying: error))
    default: return RegistryError.unavailable(object: object, said: nil, underlying: error)
    }
  }
}

/// TLS was spoken to a server that answers in something else.
private struct PlainRegistry: Diagnostic {
  let registry: String
  let underlying: HTTPError

  var summary: String { "'\(registry)' does not speak TLS" }
  var cause: (any Error)? { underlying }
  var hint: String? {
    "a registry without TLS is used only when it is named: --insecure-registry \(registry), or ENVCTL_INSECURE_REGISTRIES"
  }
}
