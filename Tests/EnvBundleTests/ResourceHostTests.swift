import EnvCore
import OCI
import SafeFS
import SystemPackage
import TestSupport
import Testing

/// Limits in the runtime's configuration, and hosts of all kinds that can enforce them or not.
@testable import EnvBundle
@testable import EnvCatalog

/// A host's cgroups described in a folder.
private struct CgroupFixture {
  let root: FilePath

  static func with(_ body: (CgroupFixture) throws -> Void) throws {
    try withTemporaryFolder { root in
      let host = CgroupFixture(root: root)
      try host.write("/sys/devices/system/cpu/online", "0-3\n")
      try host.write("/proc/self/limits", "Max open files            1024                 4096                 files     \n")
      try host.write("/proc/self/status", "CapEff:\t000001fffeffffff\n")
      try body(host)
    }
  }

  func write(_ path: String, _ text: String = "") throws {
    let file = root.appending(String(path.dropFirst()))
    try FileSystem.createDirectories(file.removingLastComponent())
    try FileSystem.writeAtomically(Array(text.utf8), to: file)
  }

  func v1(_ controllers: [String]) throws {
    let mounts = controllers.map { "30 20 0:30 / /sys/fs/cgroup/\($0) rw - cgroup cgroup rw,\($0)\n" }
    try write("/proc/self/mountinfo", "20 1 8:1 / / rw - ext4 /dev/vda rw\n" + mounts.joined())
    try write("/proc/self/cgroup", controllers.map { "3:\($0):/batch/job\n" }.joined())
    for (controller, files) in [("memory", ["memory.limit_in_bytes"]), ("cpu", ["cpu.cfs_quota_us"]), ("pids", [])]
    where controllers.contains(controller) {
      for file in files { try write("/sys/fs/cgroup/\(controller)/batch/job/\(file)") }
    }
  }

  func v2(_ controllers: String, handedOn: String, own: String = "/user.slice/job.scope") throws {
    try write("/proc/self/mountinfo", "30 20 0:30 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n")
    try write("/proc/self/cgroup", "0::\(own)\n")
    try write("/sys/fs/cgroup/cgroup.controllers", controllers + "\n")
    // Of the cgroup above: one that has processes hands nothing on.
    let parent = own[..<(own.lastIndex(of: "/") ?? own.startIndex)]
    try write("/sys/fs/cgroup\(parent)/cgroup.subtree_control", handedOn + "\n")
  }

  func check(_ owners: OwnerIDs, _ change: (inout ResourceRequest) throws -> Void) throws {
    var request = ResourceRequest()
    try change(&request)
    try ResourceCheck(try HostTree(root: root), owners: owners).require(request)
  }

  /// What is said against the request.
  func refusal(_ owners: OwnerIDs, _ change: (inout ResourceRequest) throws -> Void) throws -> String {
    do {
      try check(owners, change)
      return ""
    } catch let error as BundleError {
      #expect(error.exitCode == .host)
      return error.summary + (error.hint.map { " | " + $0 } ?? "")
    }
  }
}

@Suite struct ResourceHostTests {
  @Test func everyLimitKeepsTheSpecification() throws {
    var resources = ResourceRequest()
    for (key, text) in [
      (ResourceRequest.Key.cpus, "2.5"), (.cpuset, "0-1"), (.memory, "64MiB"), (.memorySwap, "96MiB"), (.pids, "100"), (.shm, "32MiB"),
    ] { try resources.set(key, to: text) }
    try resources.setUlimit("nofile", to: "10:20")
    try resources.setUlimit("core", to: "unlimited")
    try resources.setHugepages("2MiB", to: "64MiB")
    try resources.setHugepages("1GiB", to: "1GiB")
    var request = LaunchRequest(hostname: "limits", command: ["true"])
    request.resources = resources
    let spec = try BundleBuilder(rootPath: "/r", image: .init(), users: UserDatabase(passwd: [], group: [])).spec(for: request)
    #expect(try violations(of: spec) == [])
    let found = spec.linux.resources
    #expect(found?.cpu == RuntimeSpec.CPU(quota: 250_000, period: 100_000, cpus: "0-1"))
    #expect(found?.memory == RuntimeSpec.Memory(limit: 64 << 20, swap: 96 << 20))
    #expect(found?.pids?.limit == 100)
    #expect(found?.hugepageLimits?.map(\.pageSize) == ["2MB", "1GB"])
    #expect(found?.devices.first == RuntimeSpec.DeviceRule(allow: false, access: "rwm"))
    #expect(spec.process.rlimits?.map(\.type) == ["RLIMIT_CORE", "RLIMIT_NOFILE"])
    #expect(spec.mounts.first { $0.destination == "/dev/shm" }?.options.contains("size=\(32 << 20)") == true)
    // A record of a workspace keeps them.
    #expect(try CanonicalJSON.decode(LaunchRequest.self, from: CanonicalJSON.encode(request), object: "r") == request)
  }

  @Test func rootOnVersionOne() throws {
    try CgroupFixture.with { host in
      try host.v1(["memory", "cpu", "pids"])
      try host.check(.all) {
        try $0.set(.memory, to: "64MiB")
        try $0.set(.cpus, to: "2")
        try $0.set(.pids, to: "9")
      }
      #expect(try host.refusal(.all) { try $0.set(.cpuset, to: "0") }.contains("no 'cpuset' cgroup controller (v1)"))
      let swap = try host.refusal(.all) {
        try $0.set(.memory, to: "64MiB")
        try $0.set(.memorySwap, to: "64MiB")
      }
      #expect(swap.contains("'memory-swap'") && swap.contains("has no memory.memsw.limit_in_bytes"))
      #expect(try host.refusal(.range) { try $0.set(.memory, to: "64MiB") }.contains("an ordinary user cannot make cgroups of version 1"))
      let folders = try CgroupHost(try HostTree(root: host.root)).folders(of: "3:memory:/batch/job/run-1\n")
      #expect(folders["memory"] == "/sys/fs/cgroup/memory/batch/job/run-1")
    }
  }

  @Test func versionTwoByItself() throws {
    try CgroupFixture.with { host in
      try host.v2("cpu memory pids", handedOn: "memory pids")
      try host.check(.all) {
        try $0.set(.memory, to: "64MiB")
        try $0.set(.cpus, to: "2")
      }
      try host.check(.range) { try $0.set(.memory, to: "64MiB") }
      let cpus = try host.refusal(.range) { try $0.set(.cpus, to: "2") }
      #expect(cpus.contains("does not hand the 'cpu' controller on"), "\(cpus)")
      #expect(try host.refusal(.all) { try $0.set(.cpuset, to: "0") }.contains("Delegate=yes"))
      #expect(
        try host.refusal(.range) {
          try $0.set(.memory, to: "64MiB")
          try $0.set(.cgroupParent, to: "/elsewhere")
        }.contains("the cgroup /sys/fs/cgroup/elsewhere is not yours"))
    }
  }

  @Test func aCgroupOfSomebodyElse() throws {
    try CgroupFixture.with { host in
      try host.v2("memory", handedOn: "memory")
      guard Capability.isRoot else { return }
      try giveTree(host.root.appending("sys/fs/cgroup"), to: OrdinaryUser.nameWithoutIDs)
      let text = try host.refusal(.single) { try $0.set(.memory, to: "64MiB") }
      #expect(text.contains("is not yours") && text.contains("systemd-run --user --scope -p Delegate=yes"))
    }
  }

  @Test func hybridAndNone() throws {
    try CgroupFixture.with { host in
      try host.write(
        "/proc/self/mountinfo",
        """
        30 20 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
        31 20 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw

        """)
      try host.write("/proc/self/cgroup", "4:memory:/\n0::/\n")
      try host.write("/sys/fs/cgroup/unified/cgroup.controllers", "hugetlb\n")
      try host.write("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "0\n")
      #expect(try CgroupHost(try HostTree(root: host.root)).mode == .hybrid)
      #expect(try host.refusal(.all) { try $0.setHugepages("2MiB", to: "4MiB") }.contains("no runtime uses both"))
    }
    try CgroupFixture.with { host in
      #expect(try host.refusal(.all) { try $0.set(.pids, to: "9") }.contains("no cgroup hierarchy is mounted"))
      #expect(try host.refusal(.all) { try $0.set(.cgroupParent, to: "/x") }.contains("no cgroup hierarchy is mounted"))
      try host.check(.all) { try $0.set(.shm, to: "64MiB") }
    }
  }

  @Test func whatTheHostDoesNotHave() throws {
    try CgroupFixture.with { host in
      try host.v2("cpuset hugetlb", handedOn: "")
      try host.check(.all) { try $0.set(.cpuset, to: "0-3") }
      #expect(try host.refusal(.all) { try $0.set(.cpuset, to: "2-5") }.contains("no processor 4 to run on: this host has 0-3"))
      try host.write("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "0\n")
      try host.check(.all) { try $0.setHugepages("2MiB", to: "4MiB") }
      #expect(try host.refusal(.all) { try $0.setHugepages("1GiB", to: "1GiB") }.contains("no huge pages of 1GB, only of 2MB"))
    }
  }

  @Test func limitsAboveOurOwn() throws {
    try CgroupFixture.with { host in
      try host.check(.all) { try $0.setUlimit("nofile", to: "4096") }
      let text = try host.refusal(.all) { try $0.setUlimit("nofile", to: "4097") }
      #expect(text.contains("4097 is above the hard limit 4096"))
      try host.write("/proc/self/status", "CapEff:\t000001ffffffffff\n")
      try host.check(.all) { try $0.setUlimit("nofile", to: "4097") }
      #expect(try host.refusal(.range) { try $0.setUlimit("nofile", to: "unlimited") }.contains("unlimited is above"))
    }
  }

  @Test func devicesOfAnOrdinaryUser() throws {
    try CgroupFixture.with { host in
      try host.check(.range) { try $0.addDevice("/dev/fuse") }
      #expect(try host.refusal(.range) { try $0.addDevice("/dev/fuse:r") }.contains("cannot restrict a device to 'r'"))
      try host.check(.all) { try $0.addDevice("/dev/fuse:r") }
    }
  }

  @Test(arguments: [false, true]) func whatACgroupMustSay(isV2: Bool) throws {
    var request = ResourceRequest()
    try request.set(.memory, to: "67108865")
    try request.set(.memorySwap, to: "96MiB")
    try request.set(.cpus, to: "1.5")
    try request.set(.cpuset, to: "0-2")
    try request.set(.pids, to: "9")
    try request.setHugepages("2MiB", to: "4MiB")
    let texts = CgroupReading.all(of: request, isV2: isV2).map { "\($0.file)=\($0.expected)" }
    #expect(
      texts
        == (isV2
          ? [
            "memory.max=67108864", "memory.swap.max=33550336", "cpu.max=150000 100000", "cpuset.cpus=0-2", "pids.max=9",
            "hugetlb.2MB.max=4194304",
          ]
          : [
            "memory.limit_in_bytes=67108864", "memory.memsw.limit_in_bytes=100663296", "cpu.cfs_quota_us=150000", "cpuset.cpus=0-2",
            "pids.max=9", "hugetlb.2MB.limit_in_bytes=4194304",
          ]))
    let list = try #require(CgroupReading.all(of: request, isV2: isV2).first { $0.controller == "cpuset" })
    #expect(list.isKept("0,1,2\n") && !list.isKept("0-3\n"))
    let memory = try #require(CgroupReading.all(of: request, isV2: isV2).first)
    #expect(memory.isKept("67108864\n") && !memory.isKept("max\n") && !memory.isKept("nothing"))
  }
}
