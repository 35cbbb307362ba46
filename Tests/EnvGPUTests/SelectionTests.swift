/// From words to devices.
import CDI
import EnvCore
import EnvGPU
import SafeFS
import TestSupport
import Testing

@Suite struct RequestTests {
  @Test func words() throws {
    #expect(try GPURequest(parsing: "none") == .none)
    #expect(try GPURequest(parsing: "optional") == .optional)
    #expect(try GPURequest(parsing: "required") == .required)
    #expect(try GPURequest(parsing: "0,GPU-1,nvidia.com/gpu=all") == .devices(["0", "GPU-1", "nvidia.com/gpu=all"]))
  }

  @Test(arguments: ["", ",", "0,", "0,none", "required,1", "0,0"]) func whatIsNoRequest(text: String) {
    #expect(throws: GPUError.self) { try GPURequest(parsing: text) }
  }
}

@Suite(.needs(.root)) struct SelectionTests {
  private func select(_ host: HostFixture, _ words: String) throws -> GPUSelection? {
    try host.inventory().select(try GPURequest(parsing: words))
  }

  private func refusal(_ host: HostFixture, _ words: String) throws -> GPUError? {
    do {
      _ = try select(host, words)
      return nil
    } catch let error as GPUError { return error }
  }

  @Test(
    arguments: [
      ("0", "nvidia.com/gpu=0"), ("GPU-66666666-7777-8888-9999-000000000000", "nvidia.com/gpu=GPU-66666666-7777-8888-9999-000000000000"),
      ("GPU-666", "nvidia.com/gpu=GPU-66666666-7777-8888-9999-000000000000"), ("all", "nvidia.com/gpu=all"),
      ("required", "nvidia.com/gpu=all"), ("optional", "nvidia.com/gpu=all"), ("nvidia.com/gpu=1", "nvidia.com/gpu=1"),
    ])
  func everyWayToNameADevice(word: String, device: String) throws {
    try HostFixture.with { host in
      try host.server()
      let selection = try #require(try select(host, word))
      #expect(selection.devices.map(\.description) == [device])
      #expect(selection.isGenerated)
      #expect(selection.injection.edits.deviceNodes.allSatisfy { $0.type == "c" && ($0.major ?? 0) > 0 && $0.fileMode == 0o666 })
      #expect(selection.injection.edits.deviceNodes.contains { $0.path == "/dev/nvidiactl" && $0.minor == 255 })
      #expect(selection.injection.libraryFolders == ["/usr/local/nvidia/lib64"])
    }
  }

  @Test func noneIsNone() throws {
    try HostFixture.with { host in
      try host.server()
      #expect(try select(host, "none") == nil)
    }
  }

  @Test func severalDevicesBringWhatTheyShareOnce() throws {
    try HostFixture.with { host in
      try host.server()
      let selection = try #require(try select(host, "1,0"))
      let paths = selection.injection.edits.deviceNodes.map(\.path)
      #expect(Set(paths).count == paths.count)
      #expect(paths.contains("/dev/nvidia0") && paths.contains("/dev/nvidia1"))
      #expect(selection.gpus.map(\.index) == [0, 1])
    }
  }

  @Test func aHostWithoutGPUIsAnErrorOnlyWhereOneIsRequired() throws {
    try HostFixture.with { host in
      #expect(try select(host, "optional") == nil)
      let error = try #require(try refusal(host, "required"))
      #expect(error.summary.hasPrefix("a GPU is required and none was found: no CDI specification in /etc/cdi"))
      #expect(error.exitCode == .host)
    }
  }

  @Test func aDriverWithoutNodesIsABrokenHost() throws {
    try HostFixture.with { host in
      try host.kernelModule("550.54.14")
      try host.gpu(minor: 0, bus: "0000:01:00.0", model: "Tesla T4", uuid: "GPU-1", hasNode: false)
      for word in ["optional", "required"] {
        #expect(try refusal(host, word)?.summary.contains("none of its GPUs has a device node") == true)
      }
    }
  }

  @Test func aWrongNameIsToldWithTheNearest() throws {
    try HostFixture.with { host in
      try host.server()
      let error = try #require(try refusal(host, "7"))
      #expect(error.summary == "there is no GPU '7'")
      #expect(error.exitCode == .usage)
      #expect(try refusal(host, "nvidia.com/gpu=7")?.exitCode == .host)
    }
  }

  @Test func twoVendorsMakeAnIndexAmbiguous() throws {
    try HostFixture.with { host in
      try host.server()
      try host.node("/dev/kfd", 510, 0)
      try host.node("/dev/dri/renderD128", 226, 128)
      let error = try #require(try refusal(host, "0"))
      #expect(error.summary == "'0' may be amd.com/gpu=0 or nvidia.com/gpu=0")
      #expect(try select(host, "required")?.devices.map(\.description) == ["nvidia.com/gpu=all"])
      let both = try #require(try select(host, "nvidia.com/gpu=0,amd.com/gpu=0"))
      let paths = both.injection.edits.deviceNodes.map(\.path)
      #expect(paths.contains("/dev/kfd") && paths.contains("/dev/nvidia0"))
    }
  }

  private let installed = """
    cdiVersion: 0.5.0
    kind: nvidia.com/gpu
    containerEdits: {deviceNodes: [{path: /dev/nvidiactl}], env: [NVIDIA_VISIBLE_DEVICES=void]}
    devices:
      - {name: "0", containerEdits: {deviceNodes: [{path: /dev/nvidia0}]}}
      - {name: "1", containerEdits: {deviceNodes: [{path: /dev/nvidia1}]}}
    """

  @Test func theVendorsOwnSpecificationComesBeforeOurs() throws {
    try HostFixture.with { host in
      try host.server()
      try host.write("/etc/cdi/nvidia.yaml", installed)
      let selection = try #require(try select(host, "required"))
      // It describes no "all": each of its devices is taken.
      #expect(selection.devices.map(\.name) == ["0", "1"])
      #expect(!selection.isGenerated)
      #expect(selection.files.map(\.path) == ["/etc/cdi/nvidia.yaml"])
      #expect(try host.inventory().generated.isEmpty)
      let listing = try #require(try host.inventory().listings.first)
      #expect(listing.source == "/etc/cdi/nvidia.yaml" && listing.model == "NVIDIA A100-SXM4-80GB")
      #expect(listing.computeCapability?.description == "8.0")
    }
  }

  @Test func twoSpecificationsInConflict() throws {
    try HostFixture.with { host in
      try host.server()
      try host.write("/etc/cdi/a.yaml", installed)
      try host.write("/etc/cdi/b.yaml", installed)
      let error = try #require(try refusal(host, "0"))
      let chain = DiagnosticChain(error)
      #expect(chain.summaries.last == "the device 'nvidia.com/gpu=0' is described twice: in /etc/cdi/a.yaml and in /etc/cdi/b.yaml")
      #expect(chain.hint?.contains("/var/run/cdi") == true)
      #expect(chain.exitCode == .host)
      #expect(try host.inventory().listings.allSatisfy { $0.problem != nil })
    }
  }

  @Test func aSpecificationWhoseNodeIsGone() throws {
    try HostFixture.with { host in
      try host.server()
      try host.write("/etc/cdi/nvidia.yaml", installed)
      try host.remove("/dev/nvidia1")
      #expect(try refusal(host, "0") == nil)
      let error = try #require(try refusal(host, "1"))
      #expect(DiagnosticChain(error).summaries.last?.hasPrefix("the device node '/dev/nvidia1' is not there") == true)
    }
  }
}
