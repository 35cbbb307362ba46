/// A small real root filesystem in layers, a store folder of its own, and calls of the driver in it.
import ChildProcess
import EnvCore
import EnvLaunch
import Glibc
import OCI
import SafeFS
import SystemPackage
import TestSupport
import Testing

extension Capability {
  /// One static program that is a whole userland.
  static let busybox = tool("busybox", package: "busybox-static")
}

/// Removed with all containers in it when the test is done with it.
final class LaunchFixture {
  let folder: FilePath
  let project: FilePath
  var home: FilePath { folder.appending("home") }
  private var layers: FilePath { folder.appending("layers") }
  private var image: FilePath { folder.appending("image.json") }

  init(workingDirectory: String? = nil, user: String? = nil) throws {
    folder = FilePath("/tmp/envctl-launch-" + FileSystem.uniqueSuffix())
    project = folder.appending("project")
    for path in [project, layers, home] { try FileSystem.createDirectories(path) }
    try makeLowerLayer()
    try makeUpperLayer()
    let config = ImageConfig.Execution(
      user: user, environment: ["FROM_IMAGE=1", "PATH=/bin"], command: ["sh"], workingDirectory: workingDirectory)
    let digest = try Digest(hex: String(repeating: "a", count: 64))
    let launchImage = LaunchImage(digest: digest, config: config, layers: [layers.appending("1"), layers.appending("2")])
    try FileSystem.writeAtomically(try CanonicalJSON.encode(launchImage), to: image)
  }

  deinit {
    _ = try? run(["down", project.string])
    _ = try? run(["list"])
    try? FileSystem.removeTree(folder)
  }

  private func makeLowerLayer() throws {
    let path = layers.appending("1")
    try FileSystem.createDirectories(path.appending("etc"))
    for name in ["lower", "opaque", "proc", "sys", "dev", "run", "tmp"] { try FileSystem.createDirectories(path.appending(name)) }
    try write("root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n", to: path.appending("etc/passwd"))
    try write("root:x:0:\nann:x:1000:\nvideo:x:44:ann\n", to: path.appending("etc/group"))
    try write("kept", to: path.appending("lower/kept"))
    try write("hidden", to: path.appending("lower/hidden"))
    try write("old", to: path.appending("opaque/old"))
    for name in ["changed", "kept", "gone"] { try write(name, to: path.appending("tmp/" + name)) }
    try write("no program", to: path.appending("lower/plain"))
  }

  /// Whiteouts in overlayfs form: a 0/0 character device, and an opaque folder (kernel: overlayfs.rst, "whiteouts and opaque directories").
  private func makeUpperLayer() throws {
    let path = layers.appending("2")
    for name in ["bin", "lower", "opaque"] { try FileSystem.createDirectories(path.appending(name)) }
    var root = try RootDirectory(path)
    try root.makeNode(RelativePath("lower/hidden"), kind: .characterDevice, major: 0, minor: 0)
    let opaque = FileAttributes(
      permissions: 0o755, uid: 0, gid: 0, modified: 1_000_000_000, extended: ["trusted.overlay.opaque": [UInt8(ascii: "y")]])
    try root.setAttributes(RelativePath("opaque"), opaque, isSymlink: false)
    try write("new", to: path.appending("opaque/new"))
    _ = try Command("/bin/cp", [#require(Tool.path("busybox")).string, path.appending("bin/busybox").string]).runSuccessfully()
    for name in [
      "sh", "true", "cat", "sleep", "id", "env", "ls", "touch", "mount", "unshare", "hostname", "kill", "wc", "tty", "chroot", "mkdir",
      "chmod", "rm", "grep", "stty", "ln", "mkfifo", "setsid", "ps", "mv", "chown",
    ] {
      try root.makeSymlink(RelativePath("bin/" + name), target: "busybox")
    }
  }

  func launchImage() throws -> LaunchImage {
    try CanonicalJSON.decode(LaunchImage.self, from: try FileSystem.readFile(image), object: image.string)
  }

  func setLayersBelow(_ more: [FilePath]) throws { try setLayers(more + [layers.appending("1"), layers.appending("2")]) }
  func setLayersAbove(_ more: [FilePath]) throws { try setLayers([layers.appending("1"), layers.appending("2")] + more) }

  /// The same layers as another image.
  func setDigest(_ digest: Digest) throws {
    let old = try launchImage()
    let new = LaunchImage(digest: digest, config: old.config, layers: old.layers.map { FilePath($0) })
    try FileSystem.writeAtomically(try CanonicalJSON.encode(new), to: image)
  }

  private func setLayers(_ paths: [FilePath]) throws {
    let old = try launchImage()
    let new = LaunchImage(digest: old.digest, config: old.config, layers: paths)
    try FileSystem.writeAtomically(try CanonicalJSON.encode(new), to: image)
  }

  private func write(_ text: String, to path: FilePath) throws { try FileSystem.writeAtomically(Array(text.utf8), to: path) }

  /// The driver as a command; `arguments` begin with the verb.
  func command(_ arguments: [String], environment: [String: String] = [:]) throws -> Command {
    let tests = try FileSystem.canonicalPath("/proc/self/exe")
    let driver = tests.removingLastComponent().appending("launch-driver")
    return Command(
      driver, [home.string, image.string] + arguments, environment: ProcessEnvironment.inherited.merging(environment) { $1 })
  }

  @discardableResult
  func run(_ arguments: [String], environment: [String: String] = [:]) throws -> Outcome {
    Outcome(try command(arguments, environment: environment).run(deadline: .seconds(60)))
  }

  /// A shell script in a throw-away container.
  func script(_ text: String, options: [String] = []) throws -> Outcome { try run(["run"] + options + ["--", "sh", "-c", text]) }

  /// The driver on a terminal of its own, with `keys` (in the notation of printf(1)) typed after a while.
  func typed(_ keys: String, into arguments: [String]) throws -> Outcome {
    let command = try command(arguments)
    let line = ([command.executable.string] + command.arguments).map { "'\($0)'" }.joined(separator: " ")
    let pipeline = "(sleep 1.5; printf '\(keys)'; sleep 1.5) | script -qec \"\(line)\" /dev/null"
    return Outcome(try Command("/bin/sh", ["-c", pipeline]).run(deadline: .seconds(60)))
  }

  /// All that the layers hold, as text that changes when anything in them does.
  func layerListing() throws -> String {
    let find = Command("/usr/bin/find", [layers.string, "-printf", "%p %y %m %U %G %s %T@ %l\\n"])
    return String(decoding: try find.runSuccessfully().output, as: UTF8.self).split(separator: "\n").sorted().joined(separator: "\n")
  }

  /// Sends a command that `run` has started a signal it traps, and expects its answer, its status and nothing left.
  func expectSignalToReachTheCommand(_ number: Int32, options: [String] = []) throws {
    let script = "trap 'echo got; exit 5' \(number); echo up; while :; do sleep 0.05; done"
    let child = try command(["run"] + options + ["--", "sh", "-c", script]).start()
    let pid = child.pid
    var lines: [String] = []
    let completion = try child.finish(
      output: .lines { line in
        lines.append(line)
        if line == "up" { kill(pid, number) }
      }, deadline: .seconds(30))
    #expect(lines == ["up", "got"])
    #expect(completion.status == .exited(5))
    #expect(try leftovers() == [])
  }

  /// What is still there of containers: state of runtimes, throw-away folders, cgroups, mounts.
  func leftovers() throws -> [String] {
    let run = home.appending("run")
    var found = try ["runc", "crun", "throwaway"].map { run.appending($0) }.filter { FileSystem.exists($0) }
      .flatMap { folder in try FileSystem.list(folder).map { folder.appending($0).string } }
    let cgroups = Command("/usr/bin/find", ["/sys/fs/cgroup", "-maxdepth", "6", "-name", "run-*", "-o", "-name", "project-*"])
    let ownCgroups = String(decoding: try cgroups.run().output, as: UTF8.self).split(separator: "\n").map(String.init)
    found += ownCgroups.filter { path in known.contains { path.hasSuffix($0) } }
    found += try Self.hostMounts().filter { $0.contains(folder.string) }
    return found
  }

  /// The containers this fixture has started, as far as it has seen them; cgroups of other tests are not its business.
  var known: Set<String> = []

  func noteContainers() {
    for folder in ["run/runc", "run/throwaway"] { known.formUnion((try? FileSystem.list(home.appending(folder))) ?? []) }
  }

  static func hostMounts() throws -> [String] {
    String(decoding: try FileSystem.readFile("/proc/self/mounts"), as: UTF8.self).split(separator: "\n").map(String.init)
  }
}

/// What one call of the driver gave.
struct Outcome {
  /// The exit code, or 128 plus the signal's number.
  let code: Int32
  let output: String
  let errors: String

  init(_ completion: Completion) {
    code = completion.status.code
    output = String(decoding: completion.output, as: UTF8.self)
    errors = completion.errorText
  }

  var isSuccess: Bool { code == 0 }
  var lines: [String] { output.split(separator: "\n").map(String.init) }
}
