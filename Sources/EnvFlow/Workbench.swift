/// What every flow works with: the store, the catalog, and somebody to tell the story to.
import CDI
import EnvCatalog
import EnvCore
import EnvDrift
import EnvRegistry
import EnvStore
import OCI
import SafeFS
import SystemPackage

/// The tools of one command.
public struct Workbench: Sendable {
  public let store: Store
  public let catalog: Catalog
  public let reporter: any StageReporter
  public let registry: RegistryClient
  public var platform: Platform
  /// Whether the user goes on with what the pinning rules refuse.
  public var allowsUnpinned = false
  /// Rules about signatures that hold for every project on this machine.
  public var policyFiles: [FilePath] = []
  /// Where CDI specifications lie, least important first.
  public var specificationFolders = CDIRegistry.folders
  /// What everything this command does is joined by: in its log, its metrics and the records it keeps.
  public var traceID = RunFacts.newID()

  public init(
    store: Store, catalog: Catalog, reporter: any StageReporter, registry: RegistryClient, platform: Platform = .host
  ) {
    self.store = store
    self.catalog = catalog
    self.reporter = reporter
    self.registry = registry
    self.platform = platform
  }

  /// Where the store lies: `$ENVCTL_HOME`, else `/var/lib/envctl` for root, else `$XDG_DATA_HOME/envctl` or `~/.local/share/envctl`.
  public static func home(environment: (String) -> String?, isRoot: Bool) throws -> FilePath {
    if let home = environment("ENVCTL_HOME"), !home.isEmpty {
      guard home.hasPrefix("/") else { throw FlowError.relativeHome(home) }
      return FilePath(home).lexicallyNormalized()
    }
    if isRoot { return "/var/lib/envctl" }
    if let data = environment("XDG_DATA_HOME"), data.hasPrefix("/") { return FilePath(data).appending("envctl") }
    guard let home = environment("HOME"), home.hasPrefix("/") else { throw FlowError.noHome }
    return FilePath(home).appending(".local/share/envctl")
  }
}
