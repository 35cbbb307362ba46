import OCI
import SafeFS
import Testing

/// From image defaults and requests to a configuration.
@testable import EnvBundle

private let passwd = Array(
  """
  root:x:0:0:root:/root:/bin/sh
  ann:x:1000:1001::/home/ann:/bin/sh
  broken line
  77:x:1077:1077::/home/digits:
  """.utf8)
private let group = Array("root:x:0:\nann:x:1001:\nvideo:x:44:bob,ann\nrender:x:105:ann\n".utf8)
private let users = UserDatabase(passwd: passwd, group: group)

private func builder(_ image: ImageConfig.Execution = ImageConfig.Execution(), hostMounts: [BindMount] = []) -> BundleBuilder {
  BundleBuilder(rootPath: "/rootfs", image: image, users: users, hostMounts: hostMounts)
}

private func request(_ command: [String]? = ["true"], _ change: (inout LaunchRequest) -> Void = { _ in }) -> LaunchRequest {
  var request = LaunchRequest(hostname: "paddle", command: command)
  change(&request)
  return request
}

@Suite struct BundleBuilderTests {
  @Test func defaultsKeepTheSpecification() throws {
    #expect(try violations(of: builder().spec(for: request())) == [])
  }

  @Test(arguments: [OwnerIDs.range, .single]) func aUserNamespaceGetsWhatItMayHave(owners: OwnerIDs) throws {
    var builder = builder()
    builder.owners = owners
    let spec = try builder.spec(for: request())
    #expect(try violations(of: spec) == [])
    #expect(spec.mounts.first { $0.destination == "/sys" }?.type == "bind")
    #expect(spec.mounts.first { $0.destination == "/sys" }?.options.contains("ro") == true)
    #expect(spec.mounts.first { $0.destination == "/dev/pts" }?.options.contains("gid=5") == (owners == .range))
  }

  @Test func everythingAskedForKeepsTheSpecification() throws {
    let image = ImageConfig.Execution(
      user: "ann", environment: ["PATH=/srv/bin", "A=1", "A=2", "NOVALUE"], entrypoint: ["/entry"], command: ["default"],
      workingDirectory: "/srv//x/./y/")
    let spec = try builder(image, hostMounts: [BindMount(source: "/etc/hosts", destination: "/etc/hosts", isReadOnly: true)]).spec(
      for: request(["go"]) {
        $0.environment = ["A": "3", "HOME": "/elsewhere"]
        $0.terminal = true
        $0.cgroupsPath = "/envctl/x"
        $0.resourceLimits = [RuntimeSpec.ResourceLimit(type: "RLIMIT_CORE", soft: 0, hard: 0)]
        $0.mounts = [
          BindMount(source: "/data/sub", destination: "/workspace/sub"), BindMount(source: "/data", destination: "/workspace"),
          BindMount(source: "/shm", destination: "/dev/shm"), BindMount(source: "/my/hosts", destination: "/etc/hosts"),
        ]
      })
    #expect(try violations(of: spec) == [])
    #expect(spec.process.args == ["/entry", "go"])
    #expect(spec.process.cwd == "/srv/x/y")
    #expect(spec.process.env == ["A=3", "HOME=/elsewhere", "PATH=/srv/bin", "TERM=xterm"])
    #expect(spec.process.user == RuntimeSpec.User(uid: 1000, gid: 1001, additionalGids: [44, 105]))
    #expect(spec.process.capabilities.effective.isEmpty)
    #expect(spec.mounts.first { $0.destination == "/etc/hosts" }?.source == "/my/hosts")
    #expect(spec.mounts.first { $0.destination == "/dev/shm" }?.type == "bind")
  }

  @Test(
    arguments: [
      (nil, nil, ["/entry", "cmd"]), (["x"], nil, ["/entry", "x"]), (["x"], [], ["x"]), (["x"], ["/other"], ["/other", "x"]),
      (nil, ["/other"], ["/other"]),
    ] as [([String]?, [String]?, [String])])
  func entrypointAndCommandCombineAsTheImageSpecSays(command: [String]?, entrypoint: [String]?, expected: [String]) throws {
    let image = ImageConfig.Execution(entrypoint: ["/entry"], command: ["cmd"])
    #expect(try builder(image).spec(for: request(command) { $0.entrypoint = entrypoint }).process.args == expected)
  }

  @Test func nothingToRunIsAnError() {
    #expect(throws: BundleError.self) { try builder().spec(for: request(nil)) }
  }

  @Test func isolationIsOnByDefault() throws {
    let spec = try builder().spec(for: request())
    #expect(spec.process.noNewPrivileges)
    #expect(!spec.process.capabilities.bounding.contains("CAP_SYS_ADMIN"))
    #expect(spec.process.capabilities.bounding.count == 14)
    #expect(spec.process.capabilities.inheritable == nil)
    #expect(spec.process.capabilities.ambient == nil)
    #expect(spec.linux.namespaces.map(\.type) == [.pid, .ipc, .uts, .mount, .cgroup])
    #expect(spec.linux.maskedPaths.contains("/proc/kcore"))
    #expect(spec.linux.readonlyPaths.contains("/proc/sys"))
    #expect(spec.linux.resources?.devices.first == RuntimeSpec.DeviceRule(allow: false, access: "rwm"))
    #expect(spec.mounts.first { $0.destination == "/sys" }?.options.contains("ro") == true)
    #expect(spec.mounts.filter { $0.type == "bind" }.allSatisfy { $0.options.contains("nosuid") && $0.options.contains("nodev") })
  }

  @Test(arguments: ["/", "/proc", "/proc/sys", "/sys/kernel", "/dev", "/dev/pts", "//proc/./sys"])
  func reservedPlacesTakeNoMount(destination: String) {
    #expect(throws: BundleError.self) {
      try builder().spec(for: request { $0.mounts = [BindMount(source: "/x", destination: destination)] })
    }
  }

  @Test(arguments: ["relative", "", "/a/../b", "/nul\0"]) func badPathsAreRefused(path: String) {
    #expect(throws: BundleError.self) { try builder().spec(for: request { $0.mounts = [BindMount(source: "/x", destination: path)] }) }
    #expect(throws: BundleError.self) { try builder().spec(for: request { $0.mounts = [BindMount(source: path, destination: "/x")] }) }
    #expect(path.isEmpty || throwsOn { try builder().spec(for: request { $0.workingDirectory = path }) })
  }

  @Test func samePlaceTwiceIsRefused() {
    let mounts = [BindMount(source: "/a", destination: "/w"), BindMount(source: "/b", destination: "/w/")]
    #expect(throws: BundleError.self) { try builder().spec(for: request { $0.mounts = mounts }) }
  }

  @Test(arguments: ["", "A=B", "A\0"]) func badVariableNamesAreRefused(name: String) {
    #expect(throws: BundleError.self) { try builder().spec(for: request { $0.environment = [name: "x"] }) }
  }

  @Test(arguments: [("ok-1.x", true), ("", false), ("under_score", false), ("slash/", false), (String(repeating: "a", count: 65), false)])
  func hostnames(name: String, isGood: Bool) {
    #expect(throwsOn { try builder().spec(for: LaunchRequest(hostname: name, command: ["x"])) } == !isGood)
  }

  @Test func oneMoreProcessKeepsTheSurroundings() throws {
    let first = try builder(ImageConfig.Execution(user: "ann", environment: ["A=1"])).spec(for: request()).process
    var exec = ExecRequest(["id"])
    exec.environment = ["B": "2"]
    let same = try first.entering(exec, users: nil)
    #expect(same.user == first.user)
    #expect(same.env.contains("A=1") && same.env.contains("B=2") && same.env.contains("HOME=/home/ann"))
    exec.user = "root"
    exec.workingDirectory = "/tmp"
    let root = try first.entering(exec, users: users)
    #expect(root.user.uid == 0)
    #expect(root.env.contains("HOME=/root"))
    #expect(root.cwd == "/tmp")
    #expect(root.capabilities.effective == RuntimeSpec.Capabilities.standardNames)
    #expect(root.noNewPrivileges)
  }

  private func throwsOn(_ body: () throws -> some Any) -> Bool {
    do {
      _ = try body()
      return false
    } catch { return true }
  }
}

@Suite struct UserDatabaseTests {
  @Test(
    arguments: [
      ("", 0, 0, nil), ("root", 0, 0, nil), ("ann", 1000, 1001, [44, 105]), ("1000", 1000, 1001, [44, 105]), ("ann:video", 1000, 44, nil),
      ("ann:7", 1000, 7, nil), ("5000", 5000, 0, nil), ("5000:5001", 5000, 5001, nil), ("77", 77, 0, nil), ("ann:", 1000, 1001, [44, 105]),
    ] as [(String, UInt32, UInt32, [UInt32]?)])
  func resolves(text: String, uid: UInt32, gid: UInt32, additional: [UInt32]?) throws {
    #expect(try users.resolve(text).user == RuntimeSpec.User(uid: uid, gid: gid, additionalGids: additional))
  }

  @Test(arguments: ["nobody-here", "ann:nogroup", "-1", "4294967296"]) func unknownNamesAreErrors(text: String) {
    #expect(throws: BundleError.self) { try users.resolve(text) }
  }
}

@Suite struct SeccompTests {
  private let rules = RuntimeSpec.Seccomp.standard.syscalls

  @Test(arguments: [
    "mount", "umount2", "bpf", "kexec_load", "init_module", "reboot", "setns", "unshare", "io_uring_setup", "userfaultfd", "keyctl",
    "swapon",
    "pivot_root", "open_by_handle_at", "perf_event_open", "move_pages",
  ])
  func dangerousCallsAreNotAllowed(name: String) {
    #expect(!rules.contains { $0.action == .allow && $0.names.contains(name) })
  }

  @Test func cloneIsAllowedOnlyWithoutNamespacesAndClone3IsUnknown() throws {
    let clone = try #require(rules.first { $0.names == ["clone"] })
    // CLONE_NEWNS … CLONE_NEWNET as in linux/sched.h; NEWTIME cannot be asked of clone.
    let namespaces: UInt64 = 0x0002_0000 | 0x0200_0000 | 0x0400_0000 | 0x0800_0000 | 0x1000_0000 | 0x2000_0000 | 0x4000_0000
    #expect(clone.args?.first?.value == namespaces)
    #expect(clone.args?.first?.valueTwo == 0)
    #expect(rules.first { $0.names == ["clone3"] }?.errnoRet == 38)
    #expect(!rules.contains { $0.args == nil && $0.names.contains("clone") })
  }

  @Test func noCallIsListedTwice() {
    let plain = rules.filter { $0.args == nil }.flatMap(\.names)
    #expect(Set(plain).count == plain.count)
  }
}
