/// Looking at a host: the machine itself, or one described by a folder. Programs are asked on the machine itself only.
import CDI
import ChildProcess
import EnvBundle
import EnvCatalog
import EnvCore
import EnvGPU
import Glibc
import SafeFS
import SystemPackage

extension HostFacts {
  /// Who asks, which cannot be read from a folder.
  public struct Caller: Sendable {
    public var name: String?
    public var uid: UInt32
    public var gid: UInt32
    public var locale: String?

    public init(name: String?, uid: UInt32, gid: UInt32, locale: String?) {
      self.name = name
      self.uid = uid
      self.gid = gid
      self.locale = locale
    }
  }

  /// - Parameters:
  ///   - home: where the store is or would be.
  ///   - isLive: the host is this machine, so programs can be asked and the disk measured.
  /// - Throws: `FileSystemError`, `GPUError`.
  public init(_ host: HostTree, home: FilePath, caller: Caller, isLive: Bool) throws {
    self.init()
    isRoot = caller.uid == 0
    user = caller.name
    locale = caller.locale
    now = Int64(time(nil))
    latestKnownTime = (try host.status("/var/lib/dpkg/status")?.modified ?? 0) / 1_000_000_000
    try lookAtKernel(host)
    try lookAtCgroups(host, caller)
    try lookAtRuntimes(host, isLive: isLive)
    try lookAtIDs(host, caller)
    try lookAtDevices(host)
    store = try Self.place(of: home, host, isLive: isLive)
    memoryAvailable = try Self.field("MemAvailable:", of: try host.text("/proc/meminfo")).map { $0 << 10 }
  }

  private mutating func lookAtKernel(_ host: HostTree) throws {
    kernel = try host.text("/proc/sys/kernel/osrelease").map(Self.firstLine)
    let listed = try host.text("/proc/filesystems") ?? ""
    fileSystems = Set(listed.split(separator: "\n").compactMap { $0.split(whereSeparator: \.isWhitespace).last.map(String.init) })
    // A module that can be loaded is as good, for root loads it by mounting.
    if let kernel, try host.list("/lib/modules/\(kernel)/kernel/fs/overlayfs").contains(where: { $0.hasPrefix("overlay.ko") }) {
      fileSystems.insert("overlay")
    }
    hasSeccomp = try host.text("/proc/self/status").map { $0.contains("\nSeccomp:") }
    hasUserNamespaces = try host.exists("/proc/sys/user/max_user_namespaces")
    for name in [
      "user.max_user_namespaces", "kernel.unprivileged_userns_clone", "kernel.apparmor_restrict_unprivileged_userns",
    ] {
      let path = "/proc/sys/" + name.split(separator: ".", maxSplits: 1).joined(separator: "/")
      settings[name] = try host.text(path).flatMap { Int(Self.firstLine($0)) }
    }
  }

  private mutating func lookAtCgroups(_ host: HostTree, _ caller: Caller) throws {
    let cgroups = try CgroupHost(host)
    cgroupMode = cgroups.mode
    for (name, controller) in cgroups.controllers {
      let folder = try host.status(controller.folder)
      // Of version 2, an ordinary user may have a cgroup of the own.
      controllers[name] = isRoot || (controller.isV2 && folder.map { $0.uid == caller.uid && $0.permissions & 0o200 != 0 } ?? false)
    }
  }

  private mutating func lookAtRuntimes(_ host: HostTree, isLive: Bool) throws {
    let packages = DpkgVersions(try host.read("/var/lib/dpkg/status", limit: 64 << 20) ?? [])
    for name in ["crun", "runc"] {
      let places = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"].map { "\($0)/\(name)" }
      guard let path = try places.first(where: { try host.status($0)?.kind == .file }) else { continue }
      // One in /usr/local is nobody's package.
      let package = path.hasPrefix("/usr/local") ? nil : packages[name]
      let text = (isLive ? Self.version(of: path) : nil) ?? package
      runtimes.append(
        Runtime(
          name: name, path: path, version: text.flatMap(Self.upstream), package: package,
          isCandidate: text.map { $0.contains("-rc") || $0.contains("~rc") } ?? false))
    }
    hasFuseOverlay = try host.exists("/usr/bin/fuse-overlayfs")
    let device = try host.status("/dev/fuse")
    hasFuseDevice = device.map { isRoot || $0.permissions & 0o006 == 0o006 } ?? false
  }

  private mutating func lookAtIDs(_ host: HostTree, _ caller: Caller) throws {
    func count(_ file: String) throws -> Int {
      let text = try host.text(file) ?? ""
      return text.split(separator: "\n").reduce(0) { sum, line in
        let fields = line.split(separator: ":", omittingEmptySubsequences: false)
        guard fields.count == 3, fields[0] == "\(caller.uid)" || caller.name.map({ fields[0] == $0 }) ?? false else { return sum }
        return sum + (Int(fields[2]) ?? 0)
      }
    }
    subordinates = Subordinates(uids: try count("/etc/subuid"), gids: try count("/etc/subgid"), programs: [:])
    for name in ["newuidmap", "newgidmap"] {
      guard let status = try host.status("/usr/bin/" + name) else { continue }
      // Some distributions give them a file capability instead.
      subordinates.programs[name] = status.permissions & 0o4000 != 0 || Self.hasCapability(name, in: host.root.appending("usr/bin"))
    }
  }

  private static func hasCapability(_ name: String, in folder: FilePath) -> Bool {
    let attributes = try? RootDirectory(folder).extendedAttributes(RelativePath(name))
    return attributes?["security.capability"] != nil
  }

  private mutating func lookAtDevices(_ host: HostTree) throws {
    let inventory = try GPUInventory(host)
    brokenSpecifications = inventory.installed.broken.map { ($0.path, "\($0.error.cause ?? $0.error)") }
    conflictingDevices = inventory.installed.conflicts.map(\.device.description).sorted()
    gpuCount = inventory.nvidia?.gpus.count ?? 0
    driver = inventory.nvidia?.driver
    driverLibraries = inventory.nvidia?.libraries.version
  }

  private static func place(of home: FilePath, _ host: HostTree, isLive: Bool) throws -> StorePlace {
    var present = home
    while try !host.exists(present.string), present != present.removingLastComponent() { present = present.removingLastComponent() }
    let resolved = try host.canonicalPath(present.string) ?? present.string
    var place = StorePlace(path: home.string, fileSystem: nil, options: [], space: nil)
    var longest = -1
    for line in (try host.text("/proc/self/mountinfo") ?? "").split(separator: "\n") {
      let fields = line.split(separator: " ").map(String.init)
      guard fields.count > 6, let dash = fields.firstIndex(of: "-"), fields.count > dash + 1 else { continue }
      let point = fields[4]
      guard resolved == point || point == "/" || resolved.hasPrefix(point + "/"), point.utf8.count >= longest else { continue }
      longest = point.utf8.count
      place.fileSystem = fields[dash + 1]
      place.options = Set(fields[5].split(separator: ",").map(String.init))
    }
    if isLive { place.space = try FileSystem.space(at: FilePath(resolved)) }
    return place
  }

  /// What the program says of itself: `runc version 1.1.5+ds1`, `crun version 1.8.1`.
  private static func version(of path: String) -> String? {
    guard let completion = try? Command(FilePath(path), ["--version"]).run(deadline: .seconds(10)) else { return nil }
    return firstLine(String(decoding: completion.output, as: UTF8.self)).split(separator: " ").last.map(String.init)
  }

  /// The upstream version in `1.1.5+ds1-1+deb12u1`, `1:2.3-4` or `1.2.8-rc.1`.
  private static func upstream(_ text: String) -> Version? {
    let rest = text.split(separator: ":").last ?? ""
    return Version(parsing: rest.prefix { $0.isNumber || $0 == "." })
  }

  private static func firstLine(_ text: String) -> String { String(text.prefix { $0 != "\n" }) }

  private static func field(_ name: String, of text: String?) throws -> Int64? {
    let line = text?.split(separator: "\n").first { $0.hasPrefix(name) }
    return line.flatMap { Int64($0.dropFirst(name.count).split(separator: " ").first ?? "") }
  }
}

/// The versions of installed packages (dpkg's status file, deb822(5)).
private struct DpkgVersions {
  private let versions: [String: String]

  init(_ bytes: [UInt8]) {
    var versions: [String: String] = [:]
    var package: String?
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      if line.starts(with: "Package: ".utf8) { package = String(decoding: line.dropFirst(9), as: UTF8.self) }
      if line.starts(with: "Version: ".utf8), let name = package { versions[name] = String(decoding: line.dropFirst(9), as: UTF8.self) }
    }
    self.versions = versions
  }

  subscript(_ package: String) -> String? { versions[package] }
}
