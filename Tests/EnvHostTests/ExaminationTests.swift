import EnvCatalog
import EnvCore
import SafeFS
import Testing

/// Facts about hosts and what is said of them.
@testable import EnvHost

private func healthy(_ change: (inout HostFacts) -> Void = { _ in }) -> HostFacts {
  var host = HostFacts()
  host.user = "ann"
  host.kernel = "6.1.0-18-amd64"
  host.fileSystems = ["ext4", "overlay"]
  host.hasSeccomp = true
  host.settings = ["user.max_user_namespaces": 15_000]
  host.cgroupMode = .v2
  host.controllers = ["cpu": true, "cpuset": true, "memory": true, "pids": true]
  host.runtimes = [.init(name: "runc", path: "/usr/bin/runc", version: Version(parsing: "1.4.0"), package: nil)]
  host.subordinates = .init(uids: 65_536, gids: 65_536, programs: ["newuidmap": true, "newgidmap": true])
  host.store = .init(
    path: "/var/lib/envctl", fileSystem: "ext4", options: ["rw"], space: FileSystemSpace(freeBytes: 100_000_000_000, freeFiles: 9_000_000))
  host.memoryAvailable = 8 << 30
  host.now = 2_000_000_000
  host.latestKnownTime = 1_900_000_000
  host.locale = "C.UTF-8"
  change(&host)
  return host
}

@Suite struct ExaminationTests {
  @Test(arguments: [true, false]) func nothingIsSaidAgainstAHealthyHost(isRoot: Bool) {
    let findings = Examination.findings(healthy { $0.isRoot = isRoot })
    #expect(findings.allSatisfy { $0.level == .ok }, "\(findings)")
    #expect(findings.contains { $0.check == "runtime" && $0.found == "runc 1.4.0 at /usr/bin/runc" })
  }

  struct Case: Sendable, CustomTestStringConvertible {
    let check: String
    let level: Finding.Level
    let text: String
    let mend: String
    let change: @Sendable (inout HostFacts) -> Void
    var testDescription: String { check + ": " + text }
  }

  static let cases: [Case] = [
    Case(check: "kernel", level: .problem, text: "Linux 5.4.0-1-amd64", mend: "newer kernel") { $0.kernel = "5.4.0-1-amd64" },
    Case(check: "kernel", level: .warning, text: "could not be read", mend: "") { $0.kernel = nil },
    Case(check: "seccomp", level: .problem, text: "no system call filters", mend: "CONFIG_SECCOMP_FILTER") { $0.hasSeccomp = false },
    Case(check: "user namespaces", level: .note, text: "user.max_user_namespaces = 0", mend: "sysctl user.max_user_namespaces=15000") {
      $0.settings["user.max_user_namespaces"] = 0
    },
    Case(check: "user namespaces", level: .problem, text: "unprivileged_userns_clone = 0", mend: "kernel.unprivileged_userns_clone=1") {
      $0.isRoot = false
      $0.settings["kernel.unprivileged_userns_clone"] = 0
    },
    Case(check: "user namespaces", level: .problem, text: "apparmor_restrict_unprivileged_userns = 1", mend: "userns=0") {
      $0.isRoot = false
      $0.settings["kernel.apparmor_restrict_unprivileged_userns"] = 1
    },
    Case(check: "user namespaces", level: .note, text: "the kernel has none", mend: "CONFIG_USER_NS") { $0.hasUserNamespaces = false },
    Case(check: "subordinate ids", level: .warning, text: "newgidmap not found", mend: "apt install uidmap") {
      $0.isRoot = false
      $0.subordinates.programs["newgidmap"] = nil
    },
    Case(check: "subordinate ids", level: .warning, text: "newuidmap not set-user-id", mend: "chmod u+s") {
      $0.isRoot = false
      $0.subordinates.programs["newuidmap"] = false
    },
    Case(check: "subordinate ids", level: .warning, text: "/etc/subgid has no range for ann", mend: "usermod --add-subuids") {
      $0.isRoot = false
      $0.subordinates.gids = 0
    },
    Case(check: "subordinate ids", level: .note, text: "1000 ids for ann", mend: "65536") {
      $0.isRoot = false
      $0.subordinates.uids = 1000
    },
    Case(check: "overlayfs", level: .problem, text: "no overlayfs", mend: "modprobe overlay") { $0.fileSystems = ["ext4"] },
    Case(check: "overlayfs", level: .problem, text: "before Linux 5.11", mend: "fuse-overlayfs") {
      $0.isRoot = false
      $0.kernel = "5.10.0-28-amd64"
      $0.hasFuseDevice = true
    },
    Case(check: "overlayfs", level: .note, text: "before Linux 5.11", mend: "") {
      $0.isRoot = false
      $0.kernel = "5.10.0-28-amd64"
      $0.hasFuseDevice = true
      $0.hasFuseOverlay = true
    },
    Case(check: "cgroups", level: .warning, text: "no cgroup hierarchy", mend: "mount") { $0.cgroupMode = .none },
    Case(check: "cgroups", level: .note, text: "v2, without cpu, cpuset for you", mend: "Delegate=yes") {
      $0.isRoot = false
      $0.controllers = ["cpu": false, "memory": true, "pids": true]
    },
    Case(check: "cgroups", level: .note, text: "hybrid, without", mend: "as root") {
      $0.isRoot = false
      $0.cgroupMode = .hybrid
      $0.controllers = ["memory": false]
    },
    Case(check: "runtime", level: .problem, text: "neither crun nor runc", mend: "apt install runc") { $0.runtimes = [] },
    Case(check: "runtime", level: .warning, text: "CVE-2024-21626", mend: "1.1.12") {
      $0.runtimes[0].version = Version(parsing: "1.1.5")
    },
    Case(check: "runtime", level: .note, text: "CVE-2025-31133", mend: "changelog") {
      $0.runtimes[0].version = Version(parsing: "1.3.0")
      $0.runtimes[0].package = "1.3.0-2"
    },
    Case(check: "runtime", level: .problem, text: "crun refuses hybrid cgroups", mend: "apt install runc") {
      $0.cgroupMode = .hybrid
      $0.runtimes[0].name = "crun"
    },
    Case(check: "CDI", level: .warning, text: "/etc/cdi/x.yaml: bad", mend: "nvidia-ctk") {
      $0.brokenSpecifications = [("/etc/cdi/x.yaml", "bad")]
    },
    Case(check: "CDI", level: .warning, text: "two files describe", mend: "remove") { $0.conflictingDevices = ["vendor.com/gpu=0"] },
    Case(check: "GPU driver", level: .warning, text: "kernel module 550.54.14, libraries 535.54.03", mend: "restart") {
      $0.driver = Version(parsing: "550.54.14")
      $0.driverLibraries = Version(parsing: "535.54.03")
    },
    Case(check: "store", level: .problem, text: "lies on nfs4", mend: "ENVCTL_HOME") { $0.store?.fileSystem = "nfs4" },
    Case(check: "store", level: .note, text: "lies on nfs4", mend: "ENVCTL_HOME") {
      $0.isRoot = false
      $0.store?.fileSystem = "nfs4"
      $0.hasFuseDevice = true
      $0.hasFuseOverlay = true
    },
    Case(check: "store", level: .note, text: "lies in memory", mend: "ENVCTL_HOME") { $0.store?.fileSystem = "tmpfs" },
    Case(check: "store", level: .problem, text: "mounted noexec", mend: "ENVCTL_HOME") { $0.store?.options = ["rw", "noexec"] },
    Case(check: "store", level: .problem, text: "read-only", mend: "ENVCTL_HOME") { $0.store?.options = ["ro"] },
    Case(check: "disk", level: .warning, text: "1.0 GB free", mend: "free some") { $0.store?.space?.freeBytes = 1_000_000_000 },
    Case(check: "disk", level: .problem, text: "free for", mend: "free some") { $0.store?.space?.freeBytes = 1_000_000 },
    Case(check: "disk", level: .warning, text: "10 files", mend: "free some") { $0.store?.space?.freeFiles = 10 },
    Case(check: "clock", level: .warning, text: "behind", mend: "timedatectl") { $0.now = 1_000_000_000 },
    Case(check: "memory", level: .warning, text: "available", mend: "check: none") { $0.memoryAvailable = 1 << 29 },
    Case(check: "locale", level: .note, text: "de_DE.ISO-8859-1", mend: "C.UTF-8") { $0.locale = "de_DE.ISO-8859-1" },
  ]

  @Test(arguments: cases) func whatIsWrongIsNamedWithItsMend(expected: Case) throws {
    let findings = Examination.findings(healthy(expected.change))
    let finding = try #require(
      findings.first { $0.check == expected.check && $0.level == expected.level && $0.found.contains(expected.text) }, "\(findings)")
    #expect(expected.mend.isEmpty || (finding.mend ?? "").contains(expected.mend), "\(finding)")
    #expect(finding.meaning?.isEmpty == false)
    // One thing is wrong and not another.
    #expect(findings.filter { $0.level != .ok }.allSatisfy { $0.check == expected.check })
  }

  @Test(
    arguments: [
      ("1.1.11", ["CVE-2024-21626", "CVE-2025-31133, CVE-2025-52565, CVE-2025-52881"]),
      ("1.1.15", ["CVE-2025-31133, CVE-2025-52565, CVE-2025-52881"]),
      ("1.2.7", ["CVE-2025-31133, CVE-2025-52565, CVE-2025-52881"]), ("1.2.8", []),
      ("1.3.2", ["CVE-2025-31133, CVE-2025-52565, CVE-2025-52881"]),
      ("1.3.3", []), ("1.4.0", []), ("2.0.0", []),
    ] as [(String, [String])])
  func versionsOfRunc(version: String, vulnerabilities: [String]) {
    let findings = Examination.findings(healthy { $0.runtimes[0].version = Version(parsing: version) })
    let named = findings.filter { $0.level == .warning }.compactMap { $0.found.split(separator: "mends ").last.map(String.init) }
    #expect(named == vulnerabilities)
  }

  @Test(arguments: ["1.2.8", "1.3.3", "1.4.0"]) func aCandidateIsOlderThanItsRelease(version: String) {
    let findings = Examination.findings(
      healthy {
        $0.runtimes[0].version = Version(parsing: version)
        $0.runtimes[0].isCandidate = true
      })
    #expect(findings.contains { $0.level == .warning && $0.found.hasPrefix("runc \(version) (release candidate) is older than") })
  }
}
