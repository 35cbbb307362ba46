/// The host on which NVIDIA's program and envctl are compared: what Debian's packages of driver 550 install, two GPUs, one in MIG mode.
import EnvCore
import EnvGPU
import SafeFS
import SystemPackage

extension HostFixture {
  static let toolkitDriver = "550.54.14"

  /// Describes the host. What `nvidia-ctk` reads besides and envctl does not is there too: `mig-minors`, links by path, files for graphics.
  mutating func toolkitHost() throws {
    try kernelModule(Self.toolkitDriver)
    try controlNodes()
    try twoGPUs()
    try instances()
    try toolkitLibraries()
    try toolkitFiles()
    try writeCache()
  }

  private func twoGPUs() throws {
    let model = "NVIDIA A100-PCIE-40GB"
    try gpu(minor: 0, bus: "0000:17:00.0", model: model, uuid: "GPU-11111111-2222-3333-4444-555555555555")
    try gpu(minor: 1, bus: "0000:65:00.0", model: model, uuid: "GPU-66666666-7777-8888-9999-000000000000")
    // The console's own adapter is the first card.
    try node("/dev/dri/card0", 226, 0)
    for (number, bus) in [(0, "0000:17:00.0"), (1, "0000:65:00.0")] {
      for (name, minor, kind) in [("card\(number + 1)", number + 1, "card"), ("renderD\(128 + number)", 128 + number, "render")] {
        try write("/sys/bus/pci/devices/\(bus)/drm/\(name)/dev", "226:\(minor)\n")
        try node("/dev/dri/" + name, 226, UInt32(minor))
        try FileSystem.createDirectories(root.appending("dev/dri/by-path"))
        try link("/dev/dri/by-path/pci-\(bus)-\(kind)", to: "../" + name)
      }
    }
  }

  private func instances() throws {
    for minor: UInt32 in [1, 2] { try node("/dev/nvidia-caps/nvidia-cap\(minor)", 237, minor) }
    try instance(gpu: 1, 1, 0, capabilities: (147, 148))
    try instance(gpu: 1, 2, 0, capabilities: (156, 157))
    try write(
      "/proc/driver/nvidia-caps/mig-minors",
      """
      config 1
      monitor 2
      gpu1/gi1/access 147
      gpu1/gi1/ci0/access 148
      gpu1/gi2/access 156
      gpu1/gi2/ci0/access 157

      """)
  }

  private mutating func toolkitLibraries() throws {
    let version = Self.toolkitDriver
    let numbered = [
      "libcuda", "libcudadebugger", "libnvidia-ml", "libnvidia-opencl", "libnvidia-ptxjitcompiler", "libnvidia-cfg", "libnvidia-encode",
      "libnvcuvid", "libnvidia-opticalflow", "libnvidia-fbc", "libnvidia-allocator", "libnvidia-ngx", "libnvoptix", "libGLESv1_CM_nvidia",
    ]
    for name in numbered { try library(name, version) }
    for (name, soname) in [("libnvidia-nvvm", 4), ("libGLX_nvidia", 0), ("libEGL_nvidia", 0), ("libGLESv2_nvidia", 2)] {
      try library(name, version, soname: soname)
    }
    let asked = [
      "libnvidia-pkcs11", "libnvidia-pkcs11-openssl3", "libnvidia-gpucomp", "libnvidia-eglcore", "libnvidia-glcore", "libnvidia-glsi",
      "libnvidia-glvkspirv", "libnvidia-rtcore", "libnvidia-tls",
    ]
    for name in asked { try library(name, version, soname: nil) }
    let folder = "/usr/lib/x86_64-linux-gnu"
    try library("libvdpau_nvidia", version, in: folder + "/vdpau", isCached: false)
    try library("libnvidia-egl-gbm", "1.1.1")
    try library("libnvidia-egl-wayland", "1.1.13")
    for name in ["libcuda", "libnvidia-ml"] {
      try library(name, version, in: "/usr/lib/i386-linux-gnu", isWide: false)
      try link("\(folder)/\(name).so", to: name + ".so.1")
    }
    try FileSystem.createDirectories(root.appending("usr/lib/x86_64-linux-gnu/gbm"))
    try link(folder + "/gbm/nvidia-drm_gbm.so", to: "../libnvidia-allocator.so.1")
  }

  private func toolkitFiles() throws {
    let programs = [
      "nvidia-smi", "nvidia-debugdump", "nvidia-persistenced", "nvidia-cuda-mps-control", "nvidia-cuda-mps-server", "nvidia-settings",
      "nvidia-cdi-hook",
    ]
    for name in programs { try write("/usr/bin/" + name, mode: 0o755) }
    let shared = [
      "glvnd/egl_vendor.d/10_nvidia.json", "egl/egl_external_platform.d/15_nvidia_gbm.json",
      "egl/egl_external_platform.d/10_nvidia_wayland.json", "vulkan/icd.d/nvidia_icd.json", "vulkan/implicit_layer.d/nvidia_layers.json",
      "nvidia/nvoptix.bin", "X11/xorg.conf.d/nvidia-drm-outputclass.conf",
    ]
    for name in shared { try write("/usr/share/" + name) }
    let modules = ["drivers/nvidia_drv.so", "extensions/libglxserver_nvidia.so.\(Self.toolkitDriver)"]
    for name in modules { try write("/usr/lib/xorg/modules/" + name) }
    for name in ["gsp_ga10x.bin", "gsp_tu10x.bin"] { try write("/usr/lib/firmware/nvidia/\(Self.toolkitDriver)/\(name)") }
    try write("/etc/OpenCL/vendors/nvidia.icd")
    try write("/run/nvidia-persistenced/socket")
    try FileSystem.createDirectories(root.appending("tmp/nvidia-mps"))
  }
}
