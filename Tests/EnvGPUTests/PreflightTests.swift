/// Hosts and images that fit, and all the ways in which they do not.
import CDI
import EnvCatalog
import EnvCore
import EnvGPU
import SafeFS
import TestSupport
import Testing

@Suite(.needs(.root)) struct PreflightTests {
  private func findings(
    _ host: HostFixture, _ environment: [String] = [], facts: EnvironmentFacts? = nil, built: [String] = [], devices: String = "all"
  ) throws -> [PreflightFinding] {
    let inventory = try host.inventory()
    let selection = try #require(try inventory.select(try GPURequest(parsing: devices)))
    let image = ImageGPUNeeds(environment: environment, facts: facts, computeCapabilities: built.compactMap { Version(parsing: $0) })
    return try GPUPreflight(inventory, selection, image).findings()
  }

  @Test func aHostThatFits() throws {
    try HostFixture.with { host in
      try host.server("550.54.14")
      let image = ["CUDA_VERSION=12.4.0", "NVIDIA_REQUIRE_CUDA=cuda>=12.4 brand=tesla,driver>=470,driver<471"]
      #expect(try findings(host, image, built: ["7.0", "8.0", "9.0"]) == [])
    }
  }

  @Test func theFloorDecidesAndBothNumbersAreTold() throws {
    try HostFixture.with { host in
      try host.server("470.82.01")
      // Minor-version compatibility: CUDA 11.8 on a driver that came with 11.4.
      #expect(try findings(host, ["CUDA_VERSION=11.8.0", "NVIDIA_REQUIRE_CUDA=cuda>=11.0"]) == [])
      let finding = try #require(try findings(host, ["CUDA_VERSION=12.1.0", "NVIDIA_REQUIRE_CUDA=cuda>=11.0"]).first)
      #expect(finding.check == .driverVersion && finding.severity == .error && finding.exitCode == .host)
      #expect(finding.summary == "CUDA 12.1.0: wanted driver 525.60.13 or newer (530.30.02 ships with it), found driver 470.82.01")
    }
  }

  @Test func theMinimumOfTheLockCounts() throws {
    try HostFixture.with { host in
      try host.server("550.54.14")
      var facts = EnvironmentFacts()
      facts.driver = DriverRequirement(shipped: nil, floor: Version(parsing: "560"))
      let finding = try #require(try findings(host, facts: facts).first)
      #expect(finding.expression == "the lock's driver" && finding.wanted == "driver 560 or newer")
    }
  }

  @Test func aConditionThatFailsIsNamedWithBothValues() throws {
    try HostFixture.with { host in
      try host.server("535.54.03")
      let image = ["NVIDIA_REQUIRE_CUDA=cuda>=12.4 brand=geforce,driver>=535", "NVIDIA_REQUIRE_ARCH=arch>=9.0"]
      let found = try findings(host, image)
      #expect(found.map(\.check) == [.requirement, .requirement])
      // Both GPUs are of one model: each condition is told once.
      #expect(
        found.map(\.summary) == [
          "NVIDIA_REQUIRE_ARCH=arch>=9.0: wanted arch>=9.0, found cuda 12.2, driver 535.54.03, arch 8.0, brand nvidia or tesla",
          "NVIDIA_REQUIRE_CUDA=cuda>=12.4 brand=geforce,driver>=535: wanted cuda>=12.4 (or the other alternative), "
            + "found cuda 12.2, driver 535.54.03, arch 8.0, brand nvidia or tesla",
        ])
      #expect(try findings(host, image + ["NVIDIA_DISABLE_REQUIRE=1"]) == [])
      #expect(throws: GPUError.self) { try findings(host, ["NVIDIA_REQUIRE_CUDA=cuda"]) }
    }
  }

  @Test func everyChosenGPUHasToMeetTheConditions() throws {
    try HostFixture.with { host in
      try host.server("550.54.14")
      try host.gpu(minor: 2, bus: "0000:ca:00.0", model: "Tesla V100-SXM2-16GB", uuid: "GPU-v")
      let image = ["NVIDIA_REQUIRE_ARCH=arch>=8.0"]
      #expect(try findings(host, image, devices: "0,1") == [])
      #expect(try findings(host, image, devices: "2").count == 1)
      #expect(try findings(host, image, devices: "all").map(\.severity) == [.error])
    }
  }

  @Test func anUnknownModelLeavesAConditionOpen() throws {
    try HostFixture.with { host in
      try host.server("550.54.14", model: "NVIDIA Something")
      let finding = try #require(try findings(host, ["NVIDIA_REQUIRE_ARCH=arch>=8.0"]).first)
      #expect(finding.severity == .warning)
      #expect(finding.found.hasSuffix("it cannot be decided"))
    }
  }

  @Test func anOldImageImpliesItsCUDA() throws {
    try HostFixture.with { host in
      try host.server("470.82.01")
      let compatible = try #require(try findings(host, ["CUDA_VERSION=11.8.0"]).first)
      #expect(compatible.severity == .warning && compatible.wanted.hasPrefix("cuda>=11.8"))
      #expect(try findings(host, ["CUDA_VERSION=12.1.0"]).map(\.severity) == [.error, .error])
      #expect(try findings(host, ["CUDA_VERSION=11.2.0"]) == [])
      #expect(try findings(host, ["CUDA_VERSION=11.8.0", "NVIDIA_DISABLE_REQUIRE=true"]) == [])
      #expect(ImageGPUNeeds(environment: ["CUDA_VERSION=11.8.0"]).isLegacy)
      #expect(!ImageGPUNeeds(environment: ["CUDA_VERSION=11.8.0", "NVIDIA_REQUIRE_CUDA="]).isLegacy)
    }
  }

  @Test func binariesHaveToFitTheGPU() throws {
    try HostFixture.with { host in
      try host.server("550.54.14", model: "NVIDIA A10")
      // 8.0 runs on 8.6; 8.9 and 7.5 do not.
      #expect(try findings(host, built: ["8.0"]) == [])
      let old = try findings(host, built: ["6.1", "7.5"])
      #expect(old.count == 2 && old.allSatisfy { $0.check == .computeCapability && $0.severity == .warning })
      let new = try #require(try findings(host, built: ["9.0"], devices: "0").first)
      #expect(
        new.severity == .error && new.summary == "GPU 0 (NVIDIA A10): wanted binaries for compute capability 8.6, found binaries for 9.0")
    }
  }

  @Test func aHalfRemovedDriver() throws {
    try HostFixture.with { host in
      try host.kernelModule("550.54.14")
      try host.controlNodes()
      try host.gpu(minor: 0, bus: "0000:01:00.0", model: "Tesla T4", uuid: "GPU-1")
      let none = try #require(try findings(host).first)
      #expect(none.summary == "libcuda.so.550.54.14: wanted libraries of the loaded kernel module 550.54.14, found no libcuda")
      // An upgrade without a restart: the libraries are newer than the module.
      try host.driverFiles("560.28.03")
      let newer = try #require(try findings(host).first)
      #expect(newer.check == .driverLibraries && newer.found == "libcuda of 560.28.03")
      #expect(newer.hint?.hasPrefix("restart the host") == true)
    }
  }

  @Test func librariesWithoutAKernelModule() throws {
    try HostFixture.with { host in
      try host.node("/dev/nvidia0", 195, 0)
      try host.driverFiles("550.54.14")
      let finding = try #require(try findings(host).first)
      #expect(finding.check == .kernelModule && finding.wanted == "the kernel module of driver 550.54.14")
    }
  }

  @Test func twoDriversOfWhichOneIsLoaded() throws {
    try HostFixture.with { host in
      try host.server("535.54.03")
      try host.library("libcuda", "550.54.14", in: "/usr/lib/x86_64-linux-gnu")
      #expect(try findings(host) == [])
      let mounts = try #require(try host.inventory().select(.required)).injection.edits.mounts
      #expect(mounts.contains { $0.hostPath.hasSuffix("libcuda.so.535.54.03") })
      #expect(!mounts.contains { $0.hostPath.hasSuffix("550.54.14") })
    }
  }

  @Test func aStaleSpecification() throws {
    try HostFixture.with { host in
      try host.server("535.54.03")
      let made = try #require(try host.inventory().generated.first).spec
      try host.write("/etc/cdi/nvidia.json", String(decoding: try CanonicalJSON.encodePretty(made), as: UTF8.self))
      #expect(try findings(host) == [])
      // The driver is upgraded and the host restarted; nobody writes the specification anew.
      try host.kernelModule("550.54.14")
      for name in ["libcuda", "libnvidia-ml", "libnvidia-ptxjitcompiler"] {
        try host.remove("/usr/lib/x86_64-linux-gnu/\(name).so.535.54.03")
      }
      try host.driverFiles("550.54.14")
      let found = try findings(host)
      #expect(found.map(\.check) == [.staleSpecification, .staleSpecification])
      #expect(found.first?.expression == "/etc/cdi/nvidia.json")
      #expect(found.first?.wanted == "/usr/lib/x86_64-linux-gnu/libcuda.so.535.54.03 and 2 more")
      #expect(found.last?.summary == "/etc/cdi/nvidia.json: wanted libraries of the running driver 550.54.14, found libraries of 535.54.03")
    }
  }

  @Test func switchesNeedTheirManager() throws {
    try HostFixture.with { host in
      try host.server()
      try host.node("/dev/nvidia-nvswitchctl", 511, 255)
      #expect(try findings(host) == [])
      for number in 0..<2 { try host.node("/dev/nvidia-nvswitch\(number)", 511, UInt32(number)) }
      let finding = try #require(try findings(host).first)
      #expect(finding.check == .fabricManager && finding.expression == "2 NVSwitches")
      try host.write("/run/nvidia-fabricmanager/socket")
      #expect(try findings(host) == [])
    }
  }

  @Test func errorsStopAndWarningsAreHandedBack() throws {
    try HostFixture.with { host in
      try host.server("470.82.01")
      let inventory = try host.inventory()
      let selection = try #require(try inventory.select(.required))
      let warned = try GPUPreflight(inventory, selection, ImageGPUNeeds(environment: ["CUDA_VERSION=11.8.0"])).require()
      #expect(warned.map(\.severity) == [.warning])
      do throws(GPUError) {
        _ = try GPUPreflight(inventory, selection, ImageGPUNeeds(environment: ["CUDA_VERSION=12.1.0"])).require()
        Issue.record("a driver below the floor was accepted")
      } catch {
        #expect(error.exitCode == .host)
        #expect(error.summary.contains("found driver 470.82.01"))
        #expect(error.hint != nil)
      }
    }
  }

  @Test func driversOfOtherVendorsAreNotNVIDIAs() throws {
    try HostFixture.with { host in
      try host.node("/dev/kfd", 510, 0)
      try host.node("/dev/dri/renderD128", 226, 128)
      #expect(try findings(host, ["CUDA_VERSION=12.1.0", "NVIDIA_REQUIRE_CUDA=cuda>=12.1"]) == [])
    }
  }
}
