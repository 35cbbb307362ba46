/// Which project a command works on: the folder it runs in, or the one named.
import ArgumentParser
import EnvCatalog
import EnvCore
import EnvFlow
import EnvLaunch
import SafeFS
import SystemPackage

struct ProjectOptions: ParsableArguments {
  @Option(name: [.customShort("C"), .customLong("folder")], help: "The project's folder.", completion: .directory)
  var folder = "."

  @Option(help: "The environment, for a folder without envctl.yaml.")
  var environment: String?

  /// The project of the folder.
  func project(_ catalog: Catalog) throws -> ProjectFile {
    let folder = try canonicalFolder()
    if let project = try ProjectFile.read(in: folder) {
      if let environment, environment != project.environment {
        throw ValidationError("--environment \(environment) contradicts envctl.yaml, which says \(project.environment)")
      }
      return project
    }
    guard let environment else { throw FlowError.noProject(folder: folder, known: try catalog.names()) }
    return ProjectFile(environment: environment, folder: folder)
  }

  /// The id of the folder's workspace.
  func workspaceID() throws -> String { Workspace.id(forFolder: try canonicalFolder()) }

  private func canonicalFolder() throws -> FilePath { try FileSystem.canonicalPath(FilePath(folder)) }
}

/// A variable given as NAME=VALUE.
struct VariableOption: ExpressibleByArgument {
  let name: String
  let value: String

  init?(argument: String) {
    guard let equals = argument.firstIndex(of: "="), equals != argument.startIndex else { return nil }
    name = String(argument[..<equals])
    value = String(argument[argument.index(after: equals)...])
  }
}
