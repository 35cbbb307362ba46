/// The root of the command line and the options all commands share.
import ArgumentParser
import CDI
import ChildProcess
import EnvCatalog
import EnvCore
import EnvFlow
import EnvLaunch
import EnvRegistry
import EnvReport
import EnvStore
import EnvTrust
import Glibc
import SafeFS
import SystemPackage

struct Envctl: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "envctl",
    abstract: "Reproducible container environments: pinned, proven, launched, and measured.",
    discussion: """
      Exit status: 0 as expected, 1 failed, 2 usage, 3 drift, 4 policy, 5 verification (a digest differs), \
      6 the host cannot (runtime, kernel, permission). `run`, `exec` and `shell` end with the command's own status.

      `envctl --version` prints the version. The store lies in $ENVCTL_HOME (default: /var/lib/envctl for root, else $XDG_DATA_HOME/envctl).
      """,
    subcommands: [
      UpCommand.self, ShellCommand.self, ExecCommand.self, RunCommand.self, PsCommand.self, LogsCommand.self, CopyCommand.self,
      DiffCommand.self, StopCommand.self, DownCommand.self, RemoveCommand.self, CheckCommand.self, ReportCommand.self, BisectCommand.self,
      BaselineCommand.self, VerifyCommand.self, LintCommand.self, ImageCommand.self, ResolveCommand.self, LockCommand.self,
      TrustCommand.self, GPUCommand.self, ModelCommand.self, DoctorCommand.self,
    ])

  static let programVersion = "0.1.0"
}

/// How a result is printed on stdout.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
  case text, json
}

/// How the story on stderr is told.
enum LogFormat: String, ExpressibleByArgument, CaseIterable {
  case text, ecs
}

/// What every command has whose result has forms of its own.
struct ToolOptions: ParsableArguments {
  @Flag(help: "Tell nothing on stderr but warnings and errors.")
  var quiet = false

  @Option(help: "How the story is told on stderr: text, or ecs (JSON lines in the Elastic Common Schema).")
  var logFormat: LogFormat = .text

  @Option(
    help: ArgumentHelp("A registry that may be spoken to without TLS; also $ENVCTL_INSECURE_REGISTRIES.", valueName: "host:port"))
  var insecureRegistry: [String] = []

  /// The catalog alone, for commands that need no store.
  func catalog() throws -> Catalog {
    try Catalog.locate(override: Self.variable("ENVCTL_CATALOG"), executable: "/proc/self/exe")
  }

  /// Opens the store and the catalog.
  ///
  /// - Parameters:
  ///   - isTerse: Stages that were quick stay untold, for commands whose own output is what matters.
  ///   - asRoot: The command unpacks layers or starts containers, which an ordinary user does as root of a user namespace.
  func workbench(isTerse: Bool = false, asRoot: Bool = false) throws -> Workbench {
    let home = try home()
    if asRoot { try RootlessNamespace.enter(home: home, reporter: reporter(isTerse: isTerse)) }
    let catalog = try catalog()
    var settings = RegistrySettings(environment: ProcessEnvironment.inherited)
    settings.insecure.formUnion(insecureRegistry)
    var workbench = Workbench(
      store: try Store(home: home), catalog: catalog, reporter: reporter(isTerse: isTerse),
      registry: RegistryClient(settings: settings))
    workbench.policyFiles = try TrustPolicy.machineFiles(override: Self.variable("ENVCTL_POLICY"))
    workbench.specificationFolders = Self.specificationFolders
    workbench.traceID = Console.traceID
    return workbench
  }

  /// What looks after containers; it needs neither store nor catalog.
  func launcher() throws -> ContainerLauncher {
    let (home, reporter) = (try home(), reporter(isTerse: true))
    // Whoever only looks or ends has heard the warnings when it was started.
    try RootlessNamespace.enter(home: home, reporter: SilentReporter())
    return ContainerLauncher(home: home, reporter: reporter)
  }

  /// For completions, which have no options of a command.
  static func completionLauncher() throws -> ContainerLauncher { ContainerLauncher(home: try home()) }
  static func completionCatalog() throws -> Catalog {
    try Catalog.locate(override: variable("ENVCTL_CATALOG"), executable: "/proc/self/exe")
  }

  /// Where CDI specifications lie: the standard's folders, or those of `$ENVCTL_CDI_FOLDERS`, separated by colons.
  static var specificationFolders: [String] {
    let folders = variable("ENVCTL_CDI_FOLDERS")?.split(separator: ":").map(String.init) ?? []
    return folders.isEmpty ? CDIRegistry.folders : folders
  }

  func home() throws -> FilePath { try Self.home() }

  private static func home() throws -> FilePath {
    try Workbench.home(environment: variable, isRoot: RootlessNamespace.isStartedByRoot)
  }

  private func reporter(isTerse: Bool) -> any StageReporter {
    if logFormat == .ecs { return Console.ecs(tellsAll: !quiet) }
    return quiet ? QuietReporter() : StreamReporter(telling: isTerse ? .seconds(1) : .zero)
  }

  private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}

/// What most commands have in common.
struct CommonOptions: ParsableArguments {
  @Option(help: "How the result is printed on stdout: text or json.")
  var format: OutputFormat = .text

  @OptionGroup var tools: ToolOptions

  /// The catalog alone, for commands that need no store.
  func catalog() throws -> Catalog { try tools.catalog() }

  /// Opens the store and the catalog.
  ///
  /// - Parameters: see `ToolOptions.workbench`.
  func workbench(isTerse: Bool = false, asRoot: Bool = false) throws -> Workbench { try tools.workbench(isTerse: isTerse, asRoot: asRoot) }

  /// What looks after containers; it needs neither store nor catalog.
  func launcher() throws -> ContainerLauncher { try tools.launcher() }

  func home() throws -> FilePath { try tools.home() }
}

/// Lets only warnings through.
private struct QuietReporter: StageReporter {
  func began(_ stage: String) {}
  func progressed(_ stage: String, _ progress: StageProgress) {}
  func ended(_ stage: String, summary: String, duration: Duration) {}
  func warned(_ message: String) { Console.tell("warning: " + message) }
}
