/// Whole hosts without an installed specification, and what envctl makes of them.
import CDI
import EnvCatalog
import EnvCore
import EnvGPU
import SafeFS
import TestSupport
import Testing

@Suite(.needs(.root)) struct GenerationTests {
  private func names(_ spec: CDISpec) -> [String] { spec.devices.map(\.name) }
  private func nodes(_ edits: ContainerEdits?) -> [String] { edits?.deviceNodes.map(\.path) ?? [] }

  /// The generated specification, which has to keep the rules of CDI itself.
  private func made(_ host: HostFixture, _ kind: String) throws -> GeneratedSpec {
    let made = try #require(try host.inventory().generated.first { $0.spec.kind.description == kind })
    let again = try CDISpec(try CanonicalJSON.encodePretty(made.spec), file: "made.json")
    #expect(again == made.spec)
    return made
  }

  @Test func aServerWithNVIDIAsProgramForHooks() throws {
    try HostFixture.with { host in
      try host.server()
      try host.write("/usr/bin/nvidia-cdi-hook")
      let made = try made(host, "nvidia.com/gpu")
      let spec = made.spec
      #expect(spec.version == .v0_5)
      #expect(
        names(spec) == ["0", "1", "GPU-11111111-2222-3333-4444-555555555555", "GPU-66666666-7777-8888-9999-000000000000", "all"])
      #expect(nodes(spec["1"]?.edits) == ["/dev/nvidia1"])
      #expect(nodes(spec["all"]?.edits) == ["/dev/nvidia0", "/dev/nvidia1"])
      #expect(spec.edits.env == ["NVIDIA_VISIBLE_DEVICES=void"])
      #expect(nodes(spec.edits) == ["/dev/nvidia-modeset", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidiactl"])
      let folder = "/usr/lib/x86_64-linux-gnu/"
      #expect(
        spec.edits.mounts.map(\.containerPath) == [
          "/lib/firmware/nvidia/550.54.14/gsp_ga10x.bin", "/run/nvidia-persistenced/socket", "/usr/bin/nvidia-persistenced",
          "/usr/bin/nvidia-smi", folder + "libcuda.so.550.54.14", folder + "libnvidia-gpucomp.so.550.54.14",
          folder + "libnvidia-ml.so.550.54.14", folder + "libnvidia-ptxjitcompiler.so.550.54.14",
        ])
      #expect(spec.edits.mounts.allSatisfy { $0.hostPath == $0.containerPath })
      let options = try #require(spec.edits.mounts.first { $0.hostPath.hasSuffix("libcuda.so.550.54.14") }?.options)
      #expect(options == ["ro", "nosuid", "nodev", "rbind", "rprivate"])
      #expect(spec.edits.mounts.first { $0.hostPath.hasSuffix("/socket") }?.options?.last == "noexec")
      #expect(
        spec.edits.hooks.map(\.args) == [
          ["nvidia-cdi-hook", "create-symlinks", "--link", "libcuda.so.1::/usr/lib/x86_64-linux-gnu/libcuda.so"],
          ["nvidia-cdi-hook", "update-ldcache", "--folder", "/usr/lib/x86_64-linux-gnu"],
        ])
      #expect(spec.edits.hooks.allSatisfy { $0.hookName == .createContainer && $0.path == "/usr/bin/nvidia-cdi-hook" })
      #expect(made.libraryFolders.isEmpty)
    }
  }

  @Test func withoutHooksEveryNameOfALibraryIsMounted() throws {
    try HostFixture.with { host in
      try host.server("570.133.20")
      let made = try made(host, "nvidia.com/gpu")
      #expect(made.spec.edits.hooks.isEmpty)
      #expect(made.libraryFolders == ["/usr/local/nvidia/lib64"])
      let cuda = made.spec.edits.mounts.filter { $0.hostPath.hasSuffix("/libcuda.so.570.133.20") }.map(\.containerPath)
      #expect(
        cuda == [
          "/usr/local/nvidia/lib64/libcuda.so", "/usr/local/nvidia/lib64/libcuda.so.1", "/usr/local/nvidia/lib64/libcuda.so.570.133.20",
        ])
      // The name of one the cache does not list is the one all of the driver's libraries have.
      #expect(made.spec.edits.mounts.contains { $0.containerPath == "/usr/local/nvidia/lib64/libnvidia-gpucomp.so.1" })
    }
  }

  @Test func theOlderProgramForHooksWillDo() throws {
    try HostFixture.with { host in
      try host.server()
      try host.write("/usr/bin/nvidia-ctk")
      #expect(try made(host, "nvidia.com/gpu").spec.edits.hooks.first?.args?.prefix(3) == ["nvidia-ctk", "hook", "create-symlinks"])
    }
  }

  @Test func theNodesForDisplaysBelongToTheirGPU() throws {
    try HostFixture.with { host in
      try host.server()
      for name in ["card1", "renderD129"] {
        try host.write("/sys/bus/pci/devices/0000:65:00.0/drm/\(name)/dev")
        try host.node("/dev/dri/" + name, 226, 1)
      }
      let spec = try made(host, "nvidia.com/gpu").spec
      #expect(nodes(spec["0"]?.edits) == ["/dev/nvidia0"])
      #expect(nodes(spec["1"]?.edits) == ["/dev/nvidia1", "/dev/dri/card1", "/dev/dri/renderD129"])
    }
  }

  @Test func instancesOfMIGTakeThePlaceOfTheirGPU() throws {
    try HostFixture.with { host in
      try host.server()
      try host.instance(gpu: 1, 2, 0, capabilities: (21, 22))
      try host.instance(gpu: 1, 1, 0, capabilities: (12, 13))
      let spec = try made(host, "nvidia.com/gpu").spec
      #expect(names(spec) == ["0", "1:0", "1:1", "GPU-11111111-2222-3333-4444-555555555555", "all"])
      #expect(nodes(spec["1:0"]?.edits) == ["/dev/nvidia1", "/dev/nvidia-caps/nvidia-cap12", "/dev/nvidia-caps/nvidia-cap13"])
      #expect(nodes(spec["all"]?.edits).count == 6)
      let selection = try #require(try host.inventory().select(try GPURequest(parsing: "1:1")))
      #expect(
        selection.injection.edits.deviceNodes.contains { $0.path == "/dev/nvidia-caps/nvidia-cap22" && $0.major == 237 && $0.minor == 22 })
      #expect(selection.gpus.map(\.index) == [1])
    }
  }

  @Test func aGPUNobodyHasOpenedHasNoUUID() throws {
    try HostFixture.with { host in
      try host.kernelModule("580.65.06", isOpen: true)
      try host.gpu(minor: 0, bus: "0000:01:00.0", model: "NVIDIA H200", uuid: "GPU-????????-????-????-????-????????????")
      try host.driverFiles("580.65.06")
      #expect(names(try made(host, "nvidia.com/gpu").spec) == ["0", "all"])
      #expect(try host.inventory().nvidia?.driver?.description == "580.65.06")
    }
  }

  @Test func windowsBringsOneNodeForAll() throws {
    try HostFixture.with { host in
      try host.node("/dev/dxg", 10, 125)
      for file in ["libcuda.so.1", "libdxcore.so", "libnvidia-ml.so.1"] { try host.write("/usr/lib/wsl/lib/" + file) }
      let store = "/usr/lib/wsl/drivers/nv_dispi.inf_amd64_1"
      for file in ["libcuda.so.1.1", "libcuda_loader.so", "nvidia-smi"] { try host.write("\(store)/\(file)") }
      try host.write("/usr/lib/wsl/drivers/other.inf/readme")
      let plain = try made(host, "nvidia.com/gpu")
      #expect(names(plain.spec) == ["all"])
      #expect(nodes(plain.spec["all"]?.edits) == ["/dev/dxg"])
      #expect(plain.libraryFolders == ["/usr/lib/wsl/lib", store])
      #expect(plain.spec.edits.mounts.contains { $0.hostPath == "\(store)/nvidia-smi" && $0.containerPath == "/usr/bin/nvidia-smi" })
      try host.write("/usr/bin/nvidia-cdi-hook")
      let hooked = try made(host, "nvidia.com/gpu")
      #expect(hooked.libraryFolders.isEmpty)
      #expect(hooked.spec.edits.hooks.first?.args?.last == "\(store)/nvidia-smi::/usr/bin/nvidia-smi")
      try host.write("/usr/lib/wsl/drivers/second.inf/libcuda.so.1.1")
      #expect(try made(host, "nvidia.com/gpu").notes == ["several drivers lie in /usr/lib/wsl/drivers; which one Windows uses is not told"])
    }
  }

  @Test func amdByRenderNodesAndGroups() throws {
    try HostFixture.with { host in
      try host.node("/dev/kfd", 510, 0, gid: 105)
      for (number, vendor) in [(128, "0x1002"), (129, "0x10de"), (130, "0x1002")] {
        try host.node("/dev/dri/renderD\(number)", 226, UInt32(number), gid: 105)
        try host.node("/dev/dri/card\(number - 128)", 226, UInt32(number - 128), gid: 44)
        try host.write("/sys/class/drm/renderD\(number)/device/vendor", vendor + "\n")
        try host.write("/sys/class/drm/renderD\(number)/device/drm/card\(number - 128)/dev")
      }
      let spec = try made(host, "amd.com/gpu").spec
      #expect(spec.version == .v0_7)
      #expect(names(spec) == ["0", "1", "all"])
      #expect(nodes(spec.edits) == ["/dev/kfd"])
      #expect(nodes(spec["1"]?.edits) == ["/dev/dri/card2", "/dev/dri/renderD130"])
      #expect(spec.edits.additionalGIDs == [44, 105])
    }
  }

  @Test func othersAreMarkedAsUnverified() throws {
    try HostFixture.with { host in
      for name in ["xpu0", "xpu1", "xpuctrl", "davinci0", "davinci_manager", "hisi_hdc"] { try host.node("/dev/" + name, 240, 0) }
      let kunlun = try made(host, "kunlunxin.com/xpu").spec
      #expect(names(kunlun) == ["0", "1", "all"])
      #expect(nodes(kunlun.edits) == ["/dev/xpuctrl"])
      let ascend = try made(host, "huawei.com/npu").spec
      #expect(nodes(ascend.edits) == ["/dev/davinci_manager", "/dev/hisi_hdc"])
      let listings = try host.inventory().listings
      #expect(listings.count == 5)
      #expect(listings.allSatisfy { !$0.isVerified })
    }
  }

  @Test func aHostWithoutAny() throws {
    try HostFixture.with { host in
      let inventory = try host.inventory()
      #expect(inventory.nvidia == nil && inventory.generated.isEmpty && inventory.listings.isEmpty)
    }
  }
}
