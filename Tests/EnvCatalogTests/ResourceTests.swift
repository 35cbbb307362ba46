import SystemPackage
import Testing

/// The limits of envctl.yaml and of flags, as texts.
@testable import EnvCatalog

@Suite struct ResourceTests {
  private func request(_ key: ResourceRequest.Key, _ text: String) throws -> ResourceRequest {
    var request = ResourceRequest()
    try request.set(key, to: text)
    return request
  }

  @Test(
    arguments: [
      ("512MiB", 512 << 20), ("8GiB", 8 << 30), ("4096KiB", 4 << 20), ("1TiB", 1 << 40), ("8388608", 8 << 20),
    ] as [(String, Int64)])
  func sizes(text: String, bytes: Int64) throws {
    #expect(try request(.memory, text).memory == bytes)
  }

  @Test(
    arguments: ["", "8G", "8GB", "8gib", "512", "-1", "1.5GiB", "GiB", " 8GiB", "9223372036854775807KiB", "0", "4095KiB", "unlimited"])
  func noSizes(text: String) { #expect(throws: ResourceTextError.self) { try request(.memory, text) } }

  @Test(arguments: [("2", 2000), ("2.5", 2500), ("0.01", 10), ("0.125", 125), ("64", 64_000)] as [(String, Int64)])
  func processors(text: String, thousandths: Int64) throws { #expect(try request(.cpus, text).milliCPUs == thousandths) }

  @Test(arguments: ["", "0", "0.001", "-1", "1.", ".5", "1.2345", "1,5", "two", "1e3", "99999999999999999999"])
  func noProcessors(text: String) { #expect(throws: ResourceTextError.self) { try request(.cpus, text) } }

  @Test(arguments: [("0-3", "0-3"), ("3,1,2", "1-3"), ("0,2-3,8", "0,2-3,8"), ("5", "5")])
  func lists(text: String, canonical: String) throws { #expect(try request(.cpuset, text).cpuSet == canonical) }

  @Test(arguments: ["", "a", "3-1", "1-", "-1", "0,,1", "0-99999999", "0:1"])
  func noLists(text: String) { #expect(throws: ResourceTextError.self) { try request(.cpuset, text) } }

  @Test func limitsOfAProcess() throws {
    var request = ResourceRequest()
    try request.setUlimit("nofile", to: "1024:4096")
    try request.setUlimit("memlock", to: "unlimited")
    #expect(request.ulimits["nofile"] == .init(soft: 1024, hard: 4096))
    #expect(request.ulimits["memlock"] == .init(soft: .max, hard: .max))
    for (name, text) in [("nofile", "5:4"), ("nofile", ""), ("nofile", "1:2:3"), ("files", "1"), ("NOFILE", "1"), ("nofile", "-1")] {
      #expect(throws: ResourceTextError.self) { try request.setUlimit(name, to: text) }
    }
  }

  @Test func devicesAndHugePages() throws {
    var request = ResourceRequest()
    try request.addDevice("/dev/fuse")
    try request.addDevice("/dev/sdb:/dev/data:r")
    try request.addDevice("/dev/sdc:rw")
    #expect(request.devices.map(\.destination) == ["/dev/fuse", "/dev/data", "/dev/sdc"])
    #expect(request.devices.map(\.permissions) == ["rwm", "r", "rw"])
    for text in ["", "fuse", "/dev/../etc", "/dev/a:/dev/b:x", "/dev/a:", "/dev/a:rr", "/", "/dev/fuse"] {
      #expect(throws: ResourceTextError.self, "\(text)") { try request.addDevice(text) }
    }
    try request.setHugepages("2MiB", to: "64MiB")
    #expect(request.hugepages == [2 << 20: 64 << 20])
    for (page, size) in [("3MiB", "6MiB"), ("2MiB", "3MiB"), ("2MB", "4MiB")] {
      #expect(throws: ResourceTextError.self) { try request.setHugepages(page, to: size) }
    }
  }

  @Test func theProjectsFileHasThemAll() throws {
    let text = """
      schema: 1
      environment: paddle-2.6-cpu
      resources:
        cpus: 2.5
        cpuset: 0-1
        memory: 8GiB
        memory-swap: 10GiB
        pids: 4096
        shm: 2GiB
        cgroup-parent: /envctl
        ulimits: {nofile: 65536, core: "0"}
        hugepages: {2MiB: 512MiB}
        devices: [/dev/fuse]
      """
    let resources = try ProjectFile(Array(text.utf8), file: "/p/envctl.yaml").resources
    #expect(resources.milliCPUs == 2500 && resources.memory == 8 << 30 && resources.memorySwap == 10 << 30)
    #expect(resources.processes == 4096 && resources.sharedMemory == 2 << 30 && resources.cgroupParent == "/envctl")
    #expect(resources.ulimits.count == 2 && resources.hugepages == [2 << 20: 512 << 20] && resources.devices.count == 1)
  }

  @Test(
    arguments: [
      ("memory: 8G", "3:11: expected a size such as 512MiB"), ("memroy: 8GiB", "unknown key 'memroy'"),
      ("memory-swap: 8GiB", "memory and swap together"), ("memory: 8GiB\n  memory-swap: 4GiB", "memory and swap together"),
      ("ulimits: {files: 1}", "'files' is no limit"), ("pids: many", "a number of processes"), ("cpus: [1]", "expected text"),
      ("devices: /dev/fuse", "expected a list"), ("cgroup-parent: ../x", "a cgroup's path"), ("cgroup-parent: /a/../b", "a cgroup's path"),
    ])
  func mistakesAreToldWhereTheyStand(line: String, message: String) throws {
    let text = "schema: 1\nenvironment: paddle-2.6-cpu\nresources:\n  " + line + "\n"
    let error = #expect(throws: (any Error).self) { try ProjectFile(Array(text.utf8), file: "/p/envctl.yaml") }
    let expected = message.replacing("3:11", with: "4:11")
    #expect("\(try #require(error))".contains(expected), "\(error as Any)")
  }

  @Test func flagsOverrideTheFile() throws {
    var file = ResourceRequest()
    try file.set(.memory, to: "8GiB")
    try file.set(.memorySwap, to: "9GiB")
    try file.set(.pids, to: "10")
    try file.setUlimit("nofile", to: "1")
    var flags = ResourceRequest()
    try flags.set(.memory, to: "16GiB")
    try flags.setUlimit("core", to: "0")
    let both = file.overridden(by: flags)
    #expect(both.memory == 16 << 30 && both.memorySwap == nil && both.processes == 10)
    #expect(both.ulimits.keys.sorted() == ["core", "nofile"])
    #expect(file.overridden(by: ResourceRequest()) == file)
    #expect(ResourceRequest.binarySize(512 << 20) == "512 MiB" && ResourceRequest.binarySize((1 << 20) + 1) == "1048577 B")
  }
}
