/// `envctl cp` and `envctl diff`: the files of a workspace.
import ArgumentParser
import EnvCore
import EnvLaunch

struct CopyCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "cp", abstract: "Copy a file or folder into a workspace or out of it, whether it runs or not.",
    discussion: """
      One of the two is `:PATH` in the project's workspace, or `WORKSPACE:PATH` with a name that `envctl ps` lists. A folder that is there \
      gets the copy put into it; `FOLDER/.` is a folder's content. Copies belong to the owner of the folder they are put into. Links are \
      followed where they are named as the source, replaced where they are the target, and copied as links inside of folders; none in a \
      workspace leads to the host.
      """)
  @OptionGroup var common: CommonOptions
  @OptionGroup var options: WorkspaceOptions

  @Argument(help: "What is copied.", completion: .file())
  var source: String

  @Argument(help: "Where to.", completion: .file())
  var target: String

  func run() throws {
    let launcher = try common.launcher()
    let (from, to) = (try end(source, launcher), try end(target, launcher))
    guard !isNamedTwice else {
      throw ValidationError("--workspace and --name go with ':PATH'; the workspace is named before the colon already")
    }
    guard (from.workspace == nil) != (to.workspace == nil) else {
      throw ValidationError("one of the two is a path in a workspace, such as :/etc/hosts, and the other one of the host")
    }
    let result = try launcher.copy(from, to: to)
    for path in result.leftOut { Console.tell("warning: '\(path)' was left out: it is no file, folder or link, or its name is not UTF-8") }
    switch common.format {
    case .json: try Console.printJSON(result)
    case .text: if !common.tools.quiet { Console.tell("\(result.files) file\(result.files == 1 ? "" : "s"), \(ByteCount(result.bytes))") }
    }
  }

  private var isNamedTwice: Bool {
    (options.workspace != nil || options.label.name != nil) && [source, target].contains { !(Self.parts(of: $0)?.name.isEmpty ?? true) }
  }

  /// A colon before any slash parts a workspace from its path.
  private static func parts(of text: String) -> (name: String, path: String)? {
    guard let colon = text.firstIndex(of: ":"), !text[..<colon].contains("/") else { return nil }
    return (String(text[..<colon]), String(text[text.index(after: colon)...]))
  }

  private func end(_ text: String, _ launcher: ContainerLauncher) throws -> CopyEnd {
    guard let (name, path) = Self.parts(of: text) else { return CopyEnd(workspace: nil, path: text) }
    if name.isEmpty { return CopyEnd(workspace: try options.id(), path: path) }
    if try launcher.workspaceIDs().contains(name) { return CopyEnd(workspace: name, path: path) }
    return CopyEnd(workspace: Workspace.isName(name) ? try options.id(name: name) : name, path: path)
  }
}

struct DiffCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff", abstract: "List what was changed in the workspace since its image: A added, C changed, D removed.",
    discussion: "Mounted folders, such as /workspace, belong to the host and are not looked into.")
  @OptionGroup var common: CommonOptions
  @OptionGroup var options: WorkspaceOptions

  func run() throws {
    let changes = try common.launcher().changes(in: try options.id())
    switch common.format {
    case .json: try Console.printJSON(changes)
    case .text: try Console.printResult(changes.map { "\($0.kind.letter) \($0.path)" })
    }
  }
}

extension PathChange.Kind {
  /// As docker and podman have it.
  fileprivate var letter: String {
    switch self {
    case .added: "A"
    case .changed: "C"
    case .removed: "D"
    }
  }
}
