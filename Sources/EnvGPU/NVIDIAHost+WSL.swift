/// NVIDIA GPUs under the Windows Subsystem for Linux: one node for all of them, and libraries that Windows brings.
import CDI
import EnvCore
import SafeFS

extension NVIDIAHost {
  private static let libraryRoot = "/usr/lib/wsl/lib"
  private static let storeRoot = "/usr/lib/wsl/drivers"

  /// What CUDA and NVML need of the driver (nvidia-container-toolkit, pkg/nvcdi/driver-wsl.go).
  private static let files = [
    "libcuda.so.1.1", "libcuda_loader.so", "libdxcore.so", "libnvdxgdmal.so.1", "libnvidia-ml.so.1", "libnvidia-ml_loader.so",
    "libnvidia-ptxjitcompiler.so.1", "nvcubins.bin", "nvidia-smi",
  ]

  /// The specification, with `all` as its only device: Windows does not tell one GPU from another here.
  ///
  /// `nvidia-ctk` asks Windows which folder of the driver store is in use. Nothing in the file system tells, so every one that holds CUDA is
  /// searched in the order of names, and a second one is noted. Without NVIDIA's program for hooks the folder `/usr/lib/wsl/lib` is mounted.
  func windowsSpec(_ host: HostTree) throws(FileSystemError) -> GeneratedSpec? {
    var stores: [String] = []
    for name in try host.list(Self.storeRoot) where try host.exists("\(Self.storeRoot)/\(name)/libcuda.so.1.1") {
      stores.append(Self.storeRoot + "/" + name)
    }
    var edits = ContainerEdits()
    edits.env = ["NVIDIA_VISIBLE_DEVICES=void"]
    var found: [String] = []
    for file in Self.files {
      for folder in stores + [Self.libraryRoot] where try host.exists(folder + "/" + file) {
        found.append(folder + "/" + file)
        break
      }
    }
    edits.mounts = found.map { .readOnly($0) }
    let hook = try Hooks(host)
    let smi = found.first { $0.hasSuffix("/nvidia-smi") }
    if let hook {
      if let smi { edits.hooks.append(hook.hook("create-symlinks", ["--link", "\(smi)::/usr/bin/nvidia-smi"])) }
      edits.hooks.append(hook.hook("update-ldcache", (stores + [Self.libraryRoot]).flatMap { ["--folder", $0] }))
    } else {
      edits.mounts.append(.readOnly(Self.libraryRoot))
      if let smi { edits.mounts.append(.readOnly(smi, at: "/usr/bin/nvidia-smi")) }
    }
    edits.mounts.sort { $0.containerPath < $1.containerPath }
    let spec = CDISpec(kind: Self.kind, devices: [.init(name: "all", edits: .nodes(["/dev/dxg"]))], edits: edits)
    var notes: [String] = []
    if stores.isEmpty { notes.append("no driver with CUDA was found in \(Self.storeRoot)") }
    if stores.count > 1 { notes.append("several drivers lie in \(Self.storeRoot); which one Windows uses is not told") }
    return GeneratedSpec(spec: spec, libraryFolders: hook == nil ? [Self.libraryRoot] + stores : [], notes: notes)
  }
}
