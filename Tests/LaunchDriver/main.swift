/// A program that makes one call of the launch floor, so that tests can kill it, start it twice and send it signals. It is no part of envctl.
import CDI
import ChildProcess
import EnvBundle
import EnvCatalog
import EnvCore
import EnvLaunch
import EnvStore
import Glibc
import SafeFS
import SystemPackage

struct TellingReporter: StageReporter {
  func began(_ stage: String) {}
  func progressed(_ stage: String, _ progress: StageProgress) {}
  func ended(_ stage: String, summary: String, duration: Duration) {}
  func warned(_ message: String) { tell(message) }
}

/// A proof that lasts until `file` is there, and finds what is in it.
func prove(by file: FilePath, isCancelled: () -> Bool) throws {
  while !FileSystem.exists(file) {
    if isCancelled() { throw CancellationError() }
    usleep(2000)
  }
  let finding = String(decoding: try FileSystem.readFile(file), as: UTF8.self)
  if finding != "as it was" { throw LaunchError.noSuchPath(finding) }
}

func tell(_ text: String) { FileDescriptor.standardError.writeLine(text) }

extension FileDescriptor {
  func writeLine(_ text: String) { _ = try? writeAll((text + "\n").utf8) }
}

/// `HOME IMAGE.json run|exec|shell|start|list|stop|down|rm|diff|copy [FOLDER] [--tty] [--name N] [--recreate] [--owner] [--env N=V] [--user U]
/// [--cwd D] [--devices FILE] [--memory SIZE] [--proof FILE] [--read SECONDS] [-- COMMAND…]`; after `copy` comes `-- FROM TO`, where `:` begins a path in the workspace.
func drive(_ arguments: [String]) throws -> Int32 {
  let launcher = ContainerLauncher(home: FilePath(arguments[0]), reporter: TellingReporter())
  var image = try CanonicalJSON.decode(LaunchImage.self, from: try FileSystem.readFile(FilePath(arguments[1])), object: arguments[1])
  let split = arguments.firstIndex(of: "--") ?? arguments.endIndex
  let command = arguments[split...].isEmpty ? nil : Array(arguments[(split + 1)...])
  var request = LaunchRequest(hostname: "test", command: command)
  var positional: [String] = []
  var (name, recreates, mapsOwner): (String?, Bool, Bool) = (nil, false, false)
  // Until when an exec's output is read line by line.
  var deadline: Duration?
  var rest = arguments[3..<split]
  while let word = rest.popFirst() {
    switch word {
    case "--tty": request.terminal = true
    case "--name": name = rest.popFirst()
    case "--recreate": recreates = true
    case "--owner": mapsOwner = true
    case "--read": deadline = .seconds(Int(rest.popFirst() ?? "") ?? 0)
    case "--user": request.user = rest.popFirst()
    case "--cwd": request.workingDirectory = rest.popFirst()
    case "--memory":
      var resources = ResourceRequest()
      try resources.set(.memory, to: rest.popFirst() ?? "")
      request.resources = resources
    case "--proof":
      let file = FilePath(rest.popFirst() ?? "")
      let proof = LayerProof(of: []) { try prove(by: file, isCancelled: $0) }
      image = LaunchImage(digest: image.digest, config: image.config, layers: image.layers.map { FilePath($0) }, proof: proof)
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
  var id: String { Workspace.id(forFolder: folder, name: name) }
  switch arguments[2] {
  case "run":
    if folder != "/" { request.mounts = [BindMount(source: folder.string, destination: "/workspace")] }
    if mapsOwner, let owner = try FileSystem.status(folder) { request.mounts[0].owner = FileOwner(uid: owner.uid, gid: owner.gid) }
    return try launcher.run(request, image: image).code
  case "exec", "shell":
    var exec = ExecRequest(command ?? [])
    exec.terminal = request.terminal
    exec.user = request.user
    exec.workingDirectory = request.workingDirectory
    exec.environment = request.environment
    if let deadline {
      let streams = ContainerStreams.lines(output: { FileDescriptor.standardOutput.writeLine($0) }, errors: { tell($0) })
      return try launcher.exec(exec, in: id, streams: streams, deadline: deadline).code
    }
    return try arguments[2] == "shell" ? launcher.shell(exec, in: id).code : launcher.exec(exec, in: id).code
  case "start":
    request.mounts = [BindMount(source: folder.string, destination: "/workspace")]
    let wanted = WorkspaceRequest(folder: folder, name: name, environment: "test", image: image, launch: request)
    let result = try launcher.start(wanted, discardingChanges: recreates)
    FileDescriptor.standardOutput.writeLine("\(result.wasStarted ? "started" : "found") \(result.workspace.id)")
  case "list":
    for status in try launcher.list() {
      FileDescriptor.standardOutput.writeLine("\(status.workspace.id) \(status.state.rawValue) \(status.pid ?? 0)")
    }
  case "stop": try launcher.stop(id, grace: .seconds(3))
  case "rm": try launcher.removeStopped(id)
  case "diff":
    for change in try launcher.changes(in: id) { FileDescriptor.standardOutput.writeLine("\(change.kind.rawValue) \(change.path)") }
  case "copy":
    let ends = (command ?? []).map {
      CopyEnd(workspace: $0.hasPrefix(":") ? id : nil, path: $0.hasPrefix(":") ? String($0.dropFirst()) : $0)
    }
    let result = try launcher.copy(ends[0], to: ends[1])
    FileDescriptor.standardOutput.writeLine("\(result.files) \(result.leftOut.joined(separator: " "))")
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
