/// Containers from image to process: the steps that throw-away containers and workspaces share. It holds no state; the folders do.
import ChildProcess
import EnvBundle
import EnvCore
import Glibc
import SafeFS
import SystemPackage

/// Where the standard streams of a command in a container lead.
public enum ContainerStreams {
  /// Our own; signals that reach us go to the command.
  case inherited
  /// Standard input is empty; output comes line by line while the command runs.
  case lines(output: (String) -> Void, errors: (String) -> Void)
}

/// Starts, enters and ends containers with an OCI runtime. All calls block; they may come from several processes at once.
public struct ContainerLauncher: Sendable {
  let layout: LaunchLayout
  let reporter: any StageReporter

  /// - Parameter home: the folder of the store (`$ENVCTL_HOME`).
  public init(home: FilePath, reporter: any StageReporter = SilentReporter()) {
    self.layout = LaunchLayout(home: home)
    self.reporter = reporter
  }

  /// Says early that an ordinary user outside a user namespace cannot launch containers, before anything is fetched for them.
  public func requireRoot() throws(LaunchError) {
    guard geteuid() == 0 else { throw .notRoot }
  }

  func client(_ runtime: Runtime) -> RuntimeClient { RuntimeClient(runtime, runFolder: layout.run) }

  func selectRuntime() throws(LaunchError) -> Runtime {
    try RuntimeSelector(home: layout.home, reporter: reporter).select()
  }
}

/// One container about to be started.
struct ContainerStart: Sendable {
  var client: RuntimeClient
  var container: String
  var files: ContainerFolder
  var image: LaunchImage
  var request: LaunchRequest
  /// The container stays when the runtime returns, and pauses when the request has no command.
  var isWorkspace: Bool
  /// The runtime leaves the started process to us and the ended container in place, so that its cgroup can still be asked.
  var isDetached = false
  /// What the runtime waits for before it starts the process.
  var gate: StartGate?
  /// Held by the runtime as long as it works, so that others see an orphaned one.
  var lock: FileDescriptor
  var reporter: any StageReporter

  /// Mounts the root filesystem where only the container sees it, writes the configuration and starts the runtime.
  ///
  /// - Parameter console: A socket for the terminal of the container's process; the runtime returns then and leaves the process to us.
  func start(
    input: StandardStream, output: StandardStream, errors: StandardStream, console: String? = nil
  ) throws(LaunchError) -> ChildProcess {
    try launching("preparing container \(container)") {
      for folder in [files.upper, files.work] { try FileSystem.createDirectories(folder) }
      for file in [files.config, files.hosts, files.pidFile, files.runtimeLog] { try FileSystem.removeFile(file) }
    }
    for mount in request.mounts where !FileSystem.exists(FilePath(mount.source)) { throw .missingMountSource(path: mount.source) }
    return try PrivateMounts.run {
      if files.isBundleInMemory { try MemoryMount.make(at: files.bundle) }
      try FileSystem.createDirectories(files.root)
      try OverlayMount(
        layers: image.layers.map { FilePath($0) }, upper: files.upper, work: files.work, target: files.root, isVolatile: !isWorkspace
      ).mount()
      try RuntimeSelector.write(try CanonicalJSON.encode(try spec()), to: files.config, mode: 0o600)
      var command = client.runCommand(
        container, bundle: files.bundle, detached: isWorkspace || isDetached, console: console, pidFile: files.pidFile,
        log: files.runtimeLog)
      command.standardInput = input
      command.standardOutput = output
      command.standardError = errors
      command.keptDescriptor = lock
      // In the foreground it stays in our group: in another one the runtime stops at the first touch of the terminal.
      if isWorkspace || isDetached { command.processGroup = .newSession }
      let child = try command.start()
      CgroupGracePeriod.begin()
      return child
    }
  }

  /// The configuration, made from what is in the mounted root filesystem.
  private func spec() throws -> RuntimeSpec {
    let root = try ContainerRoot(files.root)
    let initProgram = try InitProgram(in: root)
    var builder = BundleBuilder(rootPath: files.root.string, image: image.config, users: try root.users())
    builder.owners = OwnerIDs.current
    builder.hostMounts = try hostMounts() + initProgram.mounts
    var request = request
    if let parent = request.resources?.cgroupParent { request.cgroupsPath = parent + "/" + container }
    try request.addDeviceNodes(of: try HostTree())
    let pauses = isWorkspace && request.command == nil
    if pauses {
      request.entrypoint = []
      request.command = try initProgram.pause()
    }
    // Looked for before an init is put in front of it.
    var spec = try builder.spec(for: request)
    if builder.owners != .all { spec.mounts = try spec.mounts.map { try $0.withLockedOptions() } }
    try root.requireCommand(of: spec.process, mounts: spec.mounts)
    if !pauses { spec.process.args = initProgram.prefix + spec.process.args }
    spec.process.takeWindowSize()
    try MappedMounts(bundle: files.bundle, reporter: reporter).map(request.mounts, for: spec.process.user, in: &spec.mounts)
    try gate?.holdBack(&spec)
    return spec
  }

  /// The host's name resolution, because the container uses the host's network; its own name resolves to the loopback.
  private func hostMounts() throws -> [BindMount] {
    let hosts = (try? FileSystem.readFile("/etc/hosts", limit: 16 << 20)) ?? Array("127.0.0.1\tlocalhost\n".utf8)
    let separator: [UInt8] = hosts.last == UInt8(ascii: "\n") ? [] : [UInt8(ascii: "\n")]
    try RuntimeSelector.write(hosts + separator + Array("127.0.1.1\t\(request.hostname)\n".utf8), to: files.hosts, mode: 0o644)
    let resolver = FileSystem.exists("/etc/resolv.conf") ? ["/etc/resolv.conf"] : []
    return resolver.map { BindMount(source: $0, destination: $0, isReadOnly: true) }
      + [BindMount(source: files.hosts.string, destination: "/etc/hosts", isReadOnly: true)]
  }
}
