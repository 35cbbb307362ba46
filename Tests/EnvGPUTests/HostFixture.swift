/// A whole host described in a folder: its device nodes, what /proc and /sys say, its libraries and the linker's cache of them.
import EnvCore
import EnvGPU
import SafeFS
import SystemPackage
import TestSupport

struct HostFixture {
  let root: FilePath
  private var cache: [(name: String, path: String, flags: UInt32)] = []
  private static let (wide, narrow): (UInt32, UInt32) = (0x0303, 0x0003)

  init(_ root: FilePath) throws {
    self.root = root
    for folder in ["dev", "proc", "sys", "run", "etc", "usr/bin", "usr/lib/x86_64-linux-gnu", "var"] {
      try FileSystem.createDirectories(root.appending(folder))
    }
    var tree = try RootDirectory(root)
    try tree.makeSymlink(try RelativePath("var/run"), target: "/run")
    try tree.makeSymlink(try RelativePath("lib"), target: "usr/lib")
  }

  /// Runs `body` on an empty host.
  static func with(_ body: (inout HostFixture) throws -> Void) throws {
    try withTemporaryFolder { root in
      var host = try HostFixture(root)
      try body(&host)
    }
  }

  func write(_ path: String, _ text: String = "", mode: UInt32 = 0o644) throws {
    let file = root.appending(String(path.dropFirst()))
    try FileSystem.createDirectories(file.removingLastComponent())
    try FileSystem.writeAtomically(Array(text.utf8), to: file, mode: mode)
  }

  func remove(_ path: String) throws { try FileSystem.removeFile(root.appending(String(path.dropFirst()))) }

  func link(_ path: String, to target: String) throws {
    var tree = try RootDirectory(root)
    try tree.makeSymlink(try RelativePath(path), target: target)
  }

  func node(_ path: String, _ major: UInt32, _ minor: UInt32, gid: UInt32 = 0) throws {
    var tree = try RootDirectory(root)
    try tree.makeNode(try RelativePath(path), kind: .characterDevice, major: major, minor: minor)
    try tree.setAttributes(
      try RelativePath(path), FileAttributes(permissions: 0o666, uid: 0, gid: gid, modified: 0), isSymlink: false)
  }

  /// The kernel module as it presents itself.
  func kernelModule(_ version: String, isOpen: Bool = false) throws {
    let name = isOpen ? "NVIDIA UNIX Open Kernel Module for x86_64" : "NVIDIA UNIX x86_64 Kernel Module"
    try write(
      "/proc/driver/nvidia/version",
      "NVRM version: \(name)  \(version)  Release Build  (builder@host)  Tue Sep 23 09:55:41 UTC 2025\nGCC version:  gcc version 12.2.0\n")
  }

  /// A GPU with its node.
  func gpu(minor: Int, bus: String, model: String, uuid: String, hasNode: Bool = true) throws {
    try write(
      "/proc/driver/nvidia/gpus/\(bus)/information",
      "Model: \t\t \(model)\nIRQ:   \t\t 77\nGPU UUID: \t \(uuid)\nBus Location: \t \(bus)\nDevice Minor: \t \(minor)\nGPU Excluded:\t No\n"
    )
    if hasNode { try node("/dev/nvidia\(minor)", 195, UInt32(minor)) }
  }

  func controlNodes() throws {
    try node("/dev/nvidiactl", 195, 255)
    try node("/dev/nvidia-modeset", 195, 254)
    try node("/dev/nvidia-uvm", 510, 0)
    try node("/dev/nvidia-uvm-tools", 510, 1)
  }

  /// A MIG instance with its capability nodes.
  func instance(gpu: Int, _ gi: Int, _ ci: Int, capabilities: (Int, Int)) throws {
    let base = "/proc/driver/nvidia/capabilities/gpu\(gpu)/mig/gi\(gi)"
    for (folder, minor) in [(base, capabilities.0), (base + "/ci\(ci)", capabilities.1)] {
      try write(folder + "/access", "DeviceFileMinor: \(minor)\nDeviceFileMode: 292\nDeviceFileModify: 1\n")
      if !FileSystem.exists(root.appending("dev/nvidia-caps/nvidia-cap\(minor)")) {
        try node("/dev/nvidia-caps/nvidia-cap\(minor)", 237, UInt32(minor))
      }
    }
  }

  /// A library with its link, known to the linker.
  ///
  /// - Parameter soname: The number in its SONAME; nil for one that is asked for by its full name.
  mutating func library(
    _ name: String, _ version: String, soname: Int? = 1, in folder: String = "/usr/lib/x86_64-linux-gnu", isCached: Bool = true,
    isWide: Bool = true
  ) throws {
    let file = "\(name).so.\(version)"
    let asked = soname.map { "\(name).so.\($0)" } ?? file
    try write("\(folder)/\(file)")
    if asked != file {
      try remove("\(folder)/\(asked)")
      try link("\(folder)/\(asked)", to: file)
    }
    if isCached { cache.append((asked, "\(folder.dropFirst(4))/\(asked)", isWide ? Self.wide : Self.narrow)) }
  }

  /// The libraries and programs of a driver.
  mutating func driverFiles(_ version: String) throws {
    for name in ["libcuda", "libnvidia-ml", "libnvidia-ptxjitcompiler"] { try library(name, version) }
    // Opened by its full name: the cache does not list it.
    try write("/usr/lib/x86_64-linux-gnu/libnvidia-gpucomp.so.\(version)")
    for name in ["nvidia-smi", "nvidia-persistenced"] { try write("/usr/bin/" + name) }
    try write("/usr/lib/firmware/nvidia/\(version)/gsp_ga10x.bin")
    try write("/run/nvidia-persistenced/socket")
    try writeCache()
  }

  func writeCache() throws {
    let others = [("libc.so.6", "/lib/x86_64-linux-gnu/libc.so.6", Self.wide)]
    try FileSystem.writeAtomically(LinkerCacheBuilder(entries: cache + others).bytes, to: root.appending("etc/ld.so.cache"))
  }

  func inventory() throws -> GPUInventory { try GPUInventory(try HostTree(root: root)) }

  /// A server with two data-centre GPUs, everything as it should be.
  mutating func server(_ version: String = "550.54.14", model: String = "NVIDIA A100-SXM4-80GB") throws {
    try kernelModule(version)
    try controlNodes()
    try gpu(minor: 0, bus: "0000:17:00.0", model: model, uuid: "GPU-11111111-2222-3333-4444-555555555555")
    try gpu(minor: 1, bus: "0000:65:00.0", model: model, uuid: "GPU-66666666-7777-8888-9999-000000000000")
    try driverFiles(version)
  }
}

/// Writes linker caches as ldconfig does.
struct LinkerCacheBuilder {
  var entries: [(name: String, path: String, flags: UInt32)]
  /// Puts the table of the older format before.
  var hasOldTable = false
  var endianness: UInt8 = 2

  var bytes: [UInt8] {
    var old: [UInt8] = []
    if hasOldTable {
      old = Array("ld.so-1.7.0\0".utf8) + word(UInt32(entries.count)) + [UInt8](repeating: 7, count: 12 * entries.count)
      while old.count % 8 != 0 { old.append(0) }
    }
    var strings: [UInt8] = []
    var table: [UInt8] = []
    let start = UInt32(48 + 24 * entries.count)
    for entry in entries {
      let key = start + UInt32(strings.count)
      strings += Array(entry.name.utf8) + [0]
      let value = start + UInt32(strings.count)
      strings += Array(entry.path.utf8) + [0]
      table += word(entry.flags) + word(key) + word(value) + word(0) + word(0) + word(0)
    }
    let header =
      Array("glibc-ld.so.cache1.1".utf8) + word(UInt32(entries.count)) + word(UInt32(strings.count)) + [endianness, 0, 0, 0]
      + [UInt8](repeating: 0, count: 16)
    return old + header + table + strings
  }

  private func word(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(8 * $0)) } }
}
