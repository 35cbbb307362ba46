/// A program that makes one call of the launch floor, so that tests can kill it, start it twice and send it signals. It is no part of envctl.
import CDI
import ChildProcess
import EnvBundle
import EnvCore
import EnvLaunch
import Glibc
import SafeFS
import SystemPackage

struct TellingReporter: StageReporter {
  func began(_ stage: String) {}
  func progressed(_ stage: String, _ progress: StageProgress) {}
  func ended(_ stage: String, summary: String, duration: Duration) {}
  func warned(_ message: String) { tell(message) }
}

func tell(_ text: String) { FileDescriptor.standardError.writeLine(text) }

extension FileDescriptor {
  func writeLine(_ text: String) { _ = try? writeAll((text + "\n").utf8) }
}

/// `HOME IMAGE.json run|exec|start|list|stop|down [FOLDER] [--tty] [--env N=V] [--user U] [--cwd D] [--devices FILE] [-- COMMAND…]`
func drive(_ arguments: [String]) throws -> Int32 {
  let launcher = ContainerLauncher(home: FilePath(arguments[0]), reporter: TellingReporter())
  let image = try CanonicalJSON.decode(LaunchImage.self, from: try FileSystem.readFile(FilePath(arguments[1])), object: arguments[1])
  let split = arguments.firstIndex(of: "--") ?? arguments.endIndex
  let command = arguments[split...].isEmpty ? nil : Array(arguments[(split + 1)...])
  var request = LaunchRequest(hostname: "test", command: command)
  var positional: [String] = []
  var rest = arguments[3..<split]
  while let word = rest.popFirst() {
    switch word {
    case "--tty": request.terminal = true
    case "--user": request.user = rest.popFirst()
    case "--cwd": request.workingDirectory = rest.popFirst()
    case "--devices":
      let file = rest.popFirst() ?? ""
      request.devices = try CanonicalJSON.decode(DeviceInjection.self, from: try FileSystem.readFile(FilePath(file)), object: file)
    case "--env":
      let pair = (rest.popFirst() ?? "").split(separator: "=", maxSplits: 1)
      request.environment[String(pair[0])] = String(pair[1])
    default: positional.append(word)
    }
  }
  let folder = positional.first.map { FilePath($0) } ?? "/"
  var id: String { Workspace.id(forFolder: folder) }
  switch arguments[2] {
  case "run":
    if folder != "/" { request.mounts = [BindMount(source: folder.string, destination: "/workspace")] }
    return try launcher.run(request, image: image).code
  case "exec":
    var exec = ExecRequest(command ?? [])
    exec.terminal = request.terminal
    exec.user = request.user
    exec.workingDirectory = request.workingDirectory
    exec.environment = request.environment
    return try launcher.exec(exec, in: id).code
  case "start":
    request.mounts = [BindMount(source: folder.string, destination: "/workspace")]
    let result = try launcher.start(WorkspaceRequest(folder: folder, environment: "test", image: image, launch: request))
    FileDescriptor.standardOutput.writeLine("\(result.wasStarted ? "started" : "found") \(result.workspace.id)")
  case "list":
    for status in try launcher.list() {
      FileDescriptor.standardOutput.writeLine("\(status.workspace.id) \(status.state.rawValue) \(status.pid ?? 0)")
    }
  case "stop": try launcher.stop(id, grace: .seconds(3))
  case "down": try launcher.remove(id, grace: .seconds(3))
  default: return 2
  }
  return 0
}

do {
  exit(try drive(Array(CommandLine.arguments.dropFirst())))
} catch {
  let chain = DiagnosticChain(error)
  tell(chain.summaries.joined(separator: ": ") + (chain.hint.map { "\nhint: " + $0 } ?? ""))
  exit((error as? LaunchError)?.commandStatus ?? chain.exitCode.rawValue)
}
