/// Making the CDI specification of NVIDIA GPUs from what the host shows.
import CDI
import EnvCatalog
import EnvCore
import SafeFS

/// The specification envctl makes, and where it differs from what `nvidia-ctk cdi generate` writes. `ToolkitComparisonTests` holds ours to
/// this list, against version 1.17.9 on the same host:
///
/// - Indices follow the PCI addresses, which is NVML's order too; MIG instances are named `GPU:N` in the order of their instance ids, which
///   need not be NVML's, and have no UUID names: `/proc` does not tell them.
/// - A GPU in MIG mode can be had by its instances only, as with version 1.18: without their capability nodes nothing computes on it.
/// - A GPU nobody has opened yet has no UUID name: the driver does not know it before.
/// - Hooks are written only where `nvidia-cdi-hook` or `nvidia-ctk` is installed, and only `create-symlinks` and `update-ldcache`, which
///   every version has. `chmod` served an old crun (1.18 writes it no more); `enable-cuda-compat` would change which libcuda is found behind
///   the preflight's back; `disable-device-node-modification` and the links in `/dev/dri/by-path` are left out as well.
/// - Without such a program, the libraries are mounted below `/usr/local/nvidia/lib64` under each of their names, a folder that NVIDIA's
///   images have on their library path, and envctl appends it to `LD_LIBRARY_PATH`.
/// - The files of X11, Vulkan, EGL and GBM, libraries without the driver's version in their name and the variable `NVIDIA_CTK_LIBCUDA_DIR`
///   of newer versions are left out: the environments compute.
/// - Mounts are `rbind,rprivate`, and those of sockets not `ro`, as from version 1.18 on.
/// - The folder of the Multi-Process Service is mounted. nvidia-ctk looks for it too, as a file, and so never finds it.
extension NVIDIAHost {
  static let kind = CDIKind(vendor: "nvidia.com", name: "gpu")
  static let libraryFolder = "/usr/local/nvidia/lib64"

  private static let controlNodes = ["/dev/nvidia-modeset", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidiactl"]
  private static let programs = [
    "nvidia-cuda-mps-control", "nvidia-cuda-mps-server", "nvidia-debugdump", "nvidia-imex", "nvidia-imex-ctl", "nvidia-persistenced",
    "nvidia-smi",
  ]
  private static let programFolders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
  private static let sockets = ["/run/nvidia-persistenced/socket", "/run/nvidia-fabricmanager/socket", "/tmp/nvidia-mps"]
  /// The network OptiX removes noise with, which belongs to one driver as its libraries do.
  private static let data = ["/usr/share/nvidia/nvoptix.bin"]

  /// The specification; nil when no GPU has its device node.
  func spec(_ host: HostTree) throws(FileSystemError) -> GeneratedSpec? {
    let devices = try devices(host)
    guard !devices.isEmpty else { return nil }
    var edits = ContainerEdits()
    edits.env = ["NVIDIA_VISIBLE_DEVICES=void"]
    for node in Self.controlNodes where try host.exists(node) { edits.deviceNodes.append(.init(path: node)) }
    for socket in Self.sockets where try host.exists(socket) { edits.mounts.append(.socket(socket)) }
    for file in Self.data where try host.exists(file) { edits.mounts.append(.readOnly(file)) }
    for program in Self.programs {
      if let path = try Self.program(program, host) { edits.mounts.append(.readOnly(path)) }
    }
    if let version = libraries.version {
      let folder = "/lib/firmware/nvidia/\(version)"
      for name in try host.list(folder) where name.hasPrefix("gsp") && name.hasSuffix(".bin") {
        edits.mounts.append(.readOnly(folder + "/" + name))
      }
    }
    let hook = try Hooks(host)
    edits.mounts += libraryMounts(isHooked: hook != nil)
    edits.hooks = hook.map { hooks($0) } ?? []
    edits.mounts.sort { $0.containerPath < $1.containerPath }
    let hasLibraries = !libraries.libraries.isEmpty
    return GeneratedSpec(
      spec: CDISpec(kind: Self.kind, devices: devices, edits: edits),
      libraryFolders: hook == nil && hasLibraries ? [Self.libraryFolder] : [],
      notes: hasLibraries ? [] : ["no library of the NVIDIA driver was found: only device nodes are passed on"])
  }

  /// Each GPU under its index and its UUID, or its MIG instances, and `all` of them together.
  private func devices(_ host: HostTree) throws(FileSystemError) -> [CDISpec.Device] {
    var devices: [CDISpec.Device] = []
    var everything: [String] = []
    for gpu in gpus where try host.exists(gpu.node) {
      if gpu.instances.isEmpty {
        let nodes = [gpu.node] + gpu.displayNodes
        devices.append(.init(name: "\(gpu.index)", edits: .nodes(nodes)))
        if let uuid = gpu.uuid, QualifiedDevice.isDeviceName(uuid) { devices.append(.init(name: uuid, edits: .nodes(nodes))) }
        everything += nodes
      }
      for (number, instance) in gpu.instances.enumerated() {
        let nodes = [gpu.node] + instance.nodes
        devices.append(.init(name: "\(gpu.index):\(number)", edits: .nodes(nodes)))
        for node in nodes where !everything.contains(node) { everything.append(node) }
      }
    }
    guard !devices.isEmpty else { return [] }
    devices.sort { $0.name < $1.name }
    devices.append(.init(name: "all", edits: .nodes(everything)))
    return devices
  }

  static func program(_ name: String, _ host: HostTree) throws(FileSystemError) -> String? {
    for folder in programFolders where try host.status(folder + "/" + name)?.kind == .file { return folder + "/" + name }
    return nil
  }

  /// The linker knows a library by its SONAME. With hooks, `update-ldcache` makes those links; without, each name is mounted.
  private func libraryMounts(isHooked: Bool) -> [ContainerEdits.Mount] {
    libraries.libraries.flatMap { library -> [ContainerEdits.Mount] in
      if isHooked { return [.readOnly(library.path)] }
      var names = Set(library.names).union([library.fileName])
      if let link = library.furtherLink { names.insert(link.name) }
      return names.sorted().map { .readOnly(library.path, at: Self.libraryFolder + "/" + $0) }
    }
  }

  private func hooks(_ program: Hooks) -> [ContainerEdits.Hook] {
    let folders = Set(libraries.libraries.map(\.folder)).sorted()
    guard !folders.isEmpty else { return [] }
    var hooks: [ContainerEdits.Hook] = []
    let links = libraries.libraries.compactMap { library in library.furtherLink.map { "\($0.target)::\(library.folder)/\($0.name)" } }
    if !links.isEmpty { hooks.append(program.hook("create-symlinks", links.flatMap { ["--link", $0] })) }
    hooks.append(program.hook("update-ldcache", folders.flatMap { ["--folder", $0] }))
    return hooks
  }

  /// NVIDIA's program for hooks, where it is installed.
  struct Hooks {
    let path: String
    private let first: [String]

    init?(_ host: HostTree) throws(FileSystemError) {
      if let path = try NVIDIAHost.program("nvidia-cdi-hook", host) {
        (self.path, first) = (path, ["nvidia-cdi-hook"])
      } else if let path = try NVIDIAHost.program("nvidia-ctk", host) {
        (self.path, first) = (path, ["nvidia-ctk", "hook"])
      } else {
        return nil
      }
    }

    func hook(_ name: String, _ arguments: [String]) -> ContainerEdits.Hook {
      ContainerEdits.Hook(
        hookName: .createContainer, path: path, args: first + [name] + arguments, env: ["NVIDIA_CTK_DEBUG=false"])
    }
  }
}
