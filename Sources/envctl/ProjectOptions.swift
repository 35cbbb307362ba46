/// Which project a command works on: the folder it runs in, or the one named.
import ArgumentParser
import EnvCatalog
import EnvCore
import EnvFlow
import EnvGPU
import EnvLaunch
import SafeFS
import SystemPackage

struct ProjectOptions: ParsableArguments {
  @Option(name: [.customShort("C"), .customLong("folder")], help: "The project's folder.", completion: .directory)
  var folder = "."

  @Option(
    help: "The environment, for a folder without envctl.yaml.",
    completion: .custom { _, _, _ in (try? ToolOptions.completionCatalog().names()) ?? [] })
  var environment: String?

  @Flag(help: "Go on with what the pinning rules refuse; envctl.lock records that it was allowed.")
  var allowUnpinned = false

  /// The tools for the project's command.
  ///
  /// - Parameter asRoot: see `ToolOptions.workbench`.
  func workbench(_ common: CommonOptions, isTerse: Bool = false, asRoot: Bool = false) throws -> Workbench {
    try workbench(common.tools, isTerse: isTerse, asRoot: asRoot)
  }

  /// The tools for the project's command.
  func workbench(_ tools: ToolOptions, isTerse: Bool = false, asRoot: Bool = false) throws -> Workbench {
    var workbench = try tools.workbench(isTerse: isTerse, asRoot: asRoot)
    workbench.allowsUnpinned = allowUnpinned
    return workbench
  }

  /// The project of the folder.
  func project(_ catalog: Catalog) throws -> ProjectFile {
    let folder = try canonicalFolder()
    let named = try environment.map { try EnvironmentRequest(parsing: $0) }
    if let project = try ProjectFile.read(in: folder) {
      if let environment, named != project.environment {
        throw ValidationError("--environment \(environment) contradicts envctl.yaml, which says \(project.environment)")
      }
      return project
    }
    guard let named else { throw FlowError.noProject(folder: folder, known: try catalog.names()) }
    return ProjectFile(environment: named, folder: folder)
  }

  func canonicalFolder() throws -> FilePath { try FileSystem.canonicalPath(FilePath(folder)) }
}

/// Which workspace a command works on: that of the folder, or the one named, for a folder that has moved or gone.
struct WorkspaceOptions: ParsableArguments {
  @Option(name: [.customShort("C"), .customLong("folder")], help: "The project's folder.", completion: .directory)
  var folder = "."

  @OptionGroup var label: NameOption

  @Option(
    help: "The workspace by what `envctl ps` lists first, whatever became of its folder.",
    completion: .custom { _, _, _ in (try? ToolOptions.completionLauncher().workspaceIDs()) ?? [] })
  var workspace: String?

  func validate() throws {
    if workspace != nil, label.name != nil { throw ValidationError("--workspace names one already; leave --name out") }
  }

  /// - Parameter name: Instead of the one on the command line.
  func id(name: String? = nil) throws -> String {
    guard let workspace else {
      do {
        return Workspace.id(forFolder: try FileSystem.canonicalPath(FilePath(folder)), name: name ?? label.name)
      } catch {
        throw NoSuchFolder(folder: folder, underlying: error)
      }
    }
    // It becomes part of a path.
    guard workspace.utf8.allSatisfy({ $0 == 45 || (48...57).contains($0) || (97...122).contains($0) }), !workspace.isEmpty else {
      throw ValidationError("'\(workspace)' is no workspace's name: lowercase letters, digits and hyphens only")
    }
    return workspace
  }
}

/// Which of several workspaces of one folder.
struct NameOption: ParsableArguments {
  @Option(
    help: "One of several workspaces of the folder: lowercase letters, digits and hyphens.",
    completion: .custom { _, _, _ in
      // A key pressed in a shell must not tidy up, as `list` does.
      guard let launcher = try? ToolOptions.completionLauncher(), let ids = try? launcher.workspaceIDs() else { return [] }
      let folder = try? FileSystem.canonicalPath(".").string
      return ids.compactMap { try? launcher.state(of: $0).workspace }.filter { $0.folder == folder }.compactMap(\.name)
    })
  var name: String?

  func validate() throws {
    if let name, !Workspace.isName(name) {
      throw ValidationError("'\(name)' cannot be a workspace's name: 1 to 20 lowercase letters, digits and hyphens")
    }
  }
}

/// A project's folder that is not there any more may still have a workspace.
struct NoSuchFolder: Diagnostic {
  let folder: String
  let underlying: FileSystemError

  var summary: String { "the project's folder '\(folder)' cannot be found" }
  var cause: (any Error)? { underlying }
  var hint: String? { "`envctl ps` lists the workspaces; name one with --workspace" }
  var exitCode: EnvCore.ExitCode { .usage }
}

/// Which GPUs a container gets.
struct GPUOptions: ParsableArguments {
  @Option(help: "GPUs: none, optional, required, all, or devices such as 0,1; `envctl gpu list` names them. Default: as envctl.yaml says.")
  var gpu: String?

  /// Nil: as the project says.
  var request: GPURequest? {
    get throws { try gpu.map { try GPURequest(parsing: $0) } }
  }
}
