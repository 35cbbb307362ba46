/// Every kind of CDI edit in a runtime configuration.
import CDI
import EnvCore
import OCI
import Testing

@testable import EnvBundle

@Suite struct DeviceInjectionTests {
  private let image = ImageConfig.Execution(environment: ["A=image", "LD_PRELOAD=/image/evil.so", "LD_LIBRARY_PATH=/image/lib"])

  private func spec(_ edits: ContainerEdits, folders: [String] = [], _ change: (inout LaunchRequest) -> Void = { _ in }) throws
    -> RuntimeSpec
  {
    var request = LaunchRequest(hostname: "gpu", command: ["true"])
    request.devices = DeviceInjection(edits: edits, libraryFolders: folders)
    change(&request)
    let users = UserDatabase(passwd: Array("root:x:0:0::/root:\nann:x:1000:1000::/home/ann:\n".utf8), group: Array("video:x:44:ann\n".utf8))
    return try BundleBuilder(rootPath: "/rootfs", image: image, users: users).spec(for: request)
  }

  private func node(_ path: String, _ type: String, _ major: Int64?, _ minor: Int64?, permissions: String? = nil)
    -> ContainerEdits.DeviceNode
  {
    var node = ContainerEdits.DeviceNode(path: path)
    (node.type, node.major, node.minor, node.permissions) = (type, major, minor, permissions)
    (node.fileMode, node.uid, node.gid) = (0o660, 1, 2)
    return node
  }

  @Test func nothingIsNothing() throws {
    var request = LaunchRequest(hostname: "gpu", command: ["true"])
    let users = UserDatabase(passwd: [], group: [])
    let builder = BundleBuilder(rootPath: "/rootfs", image: image, users: users)
    let plain = try builder.spec(for: request)
    request.devices = DeviceInjection(edits: ContainerEdits())
    #expect(try builder.spec(for: request) == plain)
    #expect(plain.hooks == nil && plain.linux.devices == nil)
  }

  @Test func variablesAreReplacedAndTheRestStays() throws {
    var edits = ContainerEdits()
    edits.env = ["A=cdi", "NVIDIA_VISIBLE_DEVICES=void", "X=a=b"]
    let env = try spec(edits).process.env
    #expect(env.contains("A=cdi") && env.contains("NVIDIA_VISIBLE_DEVICES=void") && env.contains("X=a=b"))
    #expect(env.contains("LD_PRELOAD=/image/evil.so"))
    #expect(!env.contains("A=image"))
    #expect(env == env.sorted())
  }

  @Test func libraryFoldersComeBehindTheImages() throws {
    let env = try spec(ContainerEdits(), folders: ["/usr/local/nvidia/lib64", "/image/lib"]).process.env
    #expect(env.contains("LD_LIBRARY_PATH=/image/lib:/usr/local/nvidia/lib64"))
  }

  @Test func aDeviceNeedsItsNodeAndItsRule() throws {
    var edits = ContainerEdits()
    edits.deviceNodes = [
      node("/dev/nvidia0", "c", 195, 0), node("/dev/sdx", "b", 8, 16, permissions: "r"), node("/dev/u", "u", 7, 1),
      node("/dev/pipe", "p", nil, nil), node("/dev/closed", "c", 9, 9, permissions: "none"), node("/dev/nvidia0", "c", 195, 5),
    ]
    let spec = try spec(edits)
    #expect(spec.linux.devices?.map(\.path) == ["/dev/sdx", "/dev/u", "/dev/pipe", "/dev/closed", "/dev/nvidia0"])
    let first = try #require(spec.linux.devices?.last)
    #expect(first.type == "c" && first.major == 195 && first.minor == 5 && first.fileMode == 0o660 && first.uid == 1 && first.gid == 2)
    let rules = try #require(spec.linux.resources?.devices)
    // What is not allowed stays forbidden: the general rule comes first.
    #expect(rules.first == RuntimeSpec.DeviceRule(allow: false, access: "rwm"))
    #expect(rules.contains(RuntimeSpec.DeviceRule(allow: true, access: "rwm", type: "c", major: 195, minor: 5)))
    #expect(rules.contains(RuntimeSpec.DeviceRule(allow: true, access: "r", type: "b", major: 8, minor: 16)))
    #expect(rules.contains(RuntimeSpec.DeviceRule(allow: true, access: "rwm", type: "c", major: 7, minor: 1)))
    #expect(!rules.contains { $0.major == 9 })
    #expect(try violations(of: spec) == [])
  }

  @Test func aNodeNobodyLookedAtIsRefused() {
    var edits = ContainerEdits()
    edits.deviceNodes = [ContainerEdits.DeviceNode(path: "/dev/nvidia0")]
    #expect(throws: BundleError.self) { try spec(edits) }
  }

  @Test func mountsReplaceAndAreOrdered() throws {
    var edits = ContainerEdits()
    edits.mounts = [
      .init(hostPath: "/host/deep", containerPath: "/opt/a/b/", options: ["ro", "bind", "nosuid"]),
      .init(hostPath: "/host/opt", containerPath: "/opt", type: "bind", options: ["ro"]),
      .init(hostPath: "tmpfs", containerPath: "/scratch", type: "tmpfs", options: ["size=1k"]),
      .init(hostPath: "/host/shm", containerPath: "/dev/shm"),
    ]
    let spec = try spec(edits) { $0.mounts = [BindMount(source: "/mine", destination: "/opt/a/b")] }
    #expect(spec.mounts.filter { $0.destination == "/opt/a/b" }.map(\.source) == ["/host/deep"])
    #expect(spec.mounts.first { $0.destination == "/opt/a/b" }?.options == ["ro", "bind", "nosuid"])
    #expect(spec.mounts.first { $0.destination == "/opt" }?.options == ["ro", "rbind"])
    let scratch = try #require(spec.mounts.first { $0.destination == "/scratch" })
    #expect(scratch.type == "tmpfs" && scratch.source == "tmpfs" && scratch.options == ["size=1k"])
    #expect(spec.mounts.first { $0.destination == "/dev/shm" }?.type == "bind")
    #expect(try violations(of: spec) == [])
  }

  @Test(arguments: ["/", "/proc", "/sys", "/dev"]) func theIsolationsOwnPlacesAreKept(place: String) {
    var edits = ContainerEdits()
    edits.mounts = [.init(hostPath: "/x", containerPath: place)]
    #expect(throws: BundleError.self) { try spec(edits) }
  }

  @Test func hooksOfEachStageWithAnEnvironmentOfTheirOwn() throws {
    var edits = ContainerEdits()
    edits.hooks = ContainerEdits.Hook.Stage.allCases.map {
      .init(
        hookName: $0, path: "/usr/bin/\($0.rawValue)", args: ["hook", "go"], env: $0 == .poststop ? ["PATH=/own"] : ["K=1"], timeout: 3)
    }
    edits.hooks.append(.init(hookName: .prestart, path: "/second"))
    let spec = try spec(edits)
    let hooks = try #require(spec.hooks)
    #expect(hooks.prestart?.map(\.path) == ["/usr/bin/prestart", "/second"])
    let stages = [hooks.createRuntime, hooks.createContainer, hooks.startContainer, hooks.poststart, hooks.poststop]
    #expect(stages.map { $0?.count } == [1, 1, 1, 1, 1])
    let all = (hooks.prestart ?? []) + stages.flatMap { $0 ?? [] }
    for hook in all {
      // Neither empty, so that no runtime fills it, nor with anything of the image's (CVE-2025-23266).
      #expect(hook.env.contains { $0.hasPrefix("PATH=") })
      #expect(!hook.env.contains { $0.hasPrefix("LD_") || $0.hasPrefix("A=") })
    }
    #expect(try violations(of: spec) == [])
    #expect(hooks.poststop?.first?.env == ["PATH=/own"])
    #expect(hooks.createContainer?.first?.args == ["hook", "go"] && hooks.createContainer?.first?.timeout == 3)
    #expect(hooks.createContainer?.first?.env.contains("K=1") == true)
  }

  @Test func groupsAreAddedButNotRoots() throws {
    var edits = ContainerEdits()
    edits.additionalGIDs = [0, 44, 105, 105]
    #expect(try spec(edits) { $0.user = "ann" }.process.user.additionalGids == [44, 105])
    edits.additionalGIDs = [0]
    #expect(try spec(edits).process.user.additionalGids == nil)
  }

  @Test func resourceDirector() throws {
    var edits = ContainerEdits()
    var rdt = ContainerEdits.IntelRdt()
    (rdt.closID, rdt.schemata, rdt.enableMonitoring) = ("a", ["L3:0=f"], true)
    edits.intelRdt = rdt
    let written = try #require(try spec(edits).linux.intelRdt)
    #expect(written.closID == "a" && written.schemata == ["L3:0=f"] && written.enableMonitoring == true)
  }

  @Test func networkDevicesAreMovedOrRefused() throws {
    let list = Array("[{\"hostInterfaceName\":\"ib0\",\"name\":\"net0\"}]".utf8)
    var edits = ContainerEdits()
    edits.netDevices = try CanonicalJSON.decode([ContainerEdits.NetDevice].self, from: list, object: "devices")
    do throws(BundleError) {
      var plain = try spec0()
      try plain.inject(DeviceInjection(edits: edits))
      Issue.record("a device was moved into the host's own network")
    } catch {
      #expect(error.summary == "the network device ib0 cannot be moved into the container: it shares the host's network")
      #expect(error.exitCode == .host)
    }
    var own = try spec0()
    own.linux.namespaces.append(RuntimeSpec.Namespace(type: .network))
    #expect(throws: BundleError.self) { try own.inject(DeviceInjection(edits: edits)) }
    try own.inject(DeviceInjection(edits: edits), movesNetDevices: true)
    #expect(own.linux.netDevices == ["ib0": RuntimeSpec.NetDevice(name: "net0")])
  }

  private func spec0() throws(BundleError) -> RuntimeSpec {
    try BundleBuilder(rootPath: "/rootfs", image: image, users: UserDatabase(passwd: [], group: [])).spec(
      for: LaunchRequest(hostname: "gpu", command: ["true"]))
  }
}
