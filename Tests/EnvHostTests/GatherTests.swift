import EnvCore
import SafeFS
import SystemPackage
import TestSupport
import Testing

/// Facts read from hosts described in folders.
@testable import EnvHost

@Suite struct GatherTests {
  private func facts(_ files: [String: String], uid: UInt32 = 1000, home: FilePath = "/home/ann/.local/share/envctl") throws -> HostFacts {
    try withTemporaryFolder { root in
      for (path, text) in files {
        let file = root.appending(String(path.dropFirst()))
        try FileSystem.createDirectories(file.removingLastComponent())
        try FileSystem.writeAtomically(Array(text.utf8), to: file)
      }
      let caller = HostFacts.Caller(name: "ann", uid: uid, gid: 1000, locale: "C.UTF-8")
      return try HostFacts(try HostTree(root: root), home: home, caller: caller, isLive: false)
    }
  }

  private let debian = [
    "/proc/sys/kernel/osrelease": "6.1.0-18-amd64\n", "/proc/filesystems": "nodev\tproc\n\text4\nnodev\toverlay\n",
    "/proc/sys/user/max_user_namespaces": "15000\n", "/proc/sys/kernel/unprivileged_userns_clone": "0\n",
    "/proc/self/status": "Name:\tx\nSeccomp:\t0\n", "/proc/meminfo": "MemTotal: 100 kB\nMemAvailable:    2048 kB\n",
    "/proc/self/mountinfo": """
    20 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
    21 20 0:30 / /home rw,nosuid - nfs4 server:/home rw
    22 20 0:31 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw

    """, "/proc/self/cgroup": "0::/user.slice\n", "/sys/fs/cgroup/cgroup.controllers": "memory pids\n",
    "/etc/subuid": "ann:100000:65536\nbob:165536:65536\n", "/etc/subgid": "1000:100000:100\n", "/usr/bin/newuidmap": "",
    "/usr/sbin/runc": "", "/usr/local/bin/crun": "", "/home/ann/x": "",
    "/var/lib/dpkg/status":
      "Package: runc\nStatus: install ok installed\nVersion: 1.1.5+ds1-1+deb12u1\n\nPackage: crun\nVersion: 1.8.1-1\n",
  ]

  @Test func aDebianHost() throws {
    let host = try facts(debian)
    #expect(host.kernel == "6.1.0-18-amd64" && host.fileSystems.contains("overlay") && host.hasSeccomp == true)
    #expect(host.settings["kernel.unprivileged_userns_clone"] == 0 && host.settings["kernel.apparmor_restrict_unprivileged_userns"] == nil)
    #expect(host.memoryAvailable == 2 << 20)
    #expect(host.cgroupMode == .v2 && host.controllers.keys.sorted() == ["memory", "pids"])
    #expect(host.subordinates.uids == 65_536 && host.subordinates.gids == 100 && host.subordinates.programs == ["newuidmap": false])
    #expect(host.store?.fileSystem == "nfs4" && host.store?.options.contains("nosuid") == true && host.store?.space == nil)
    let runc = try #require(host.runtimes.first { $0.name == "runc" })
    #expect(runc.version?.description == "1.1.5" && runc.package == "1.1.5+ds1-1+deb12u1")
    #expect(!runc.isCandidate)
    // One in /usr/local is not the package's.
    let crun = try #require(host.runtimes.first { $0.name == "crun" })
    #expect(crun.package == nil && crun.version == nil)
    let levels = Examination.findings(host).filter { $0.level == .problem }.map(\.check)
    #expect(levels == ["user namespaces", "store"])
  }

  @Test func anEmptyHost() throws {
    let findings = Examination.findings(try facts([:]))
    #expect(findings.contains { $0.check == "runtime" && $0.level == .problem })
    #expect(findings.contains { $0.check == "overlayfs" && $0.level == .problem })
  }

  @Test func aModuleThatCanBeLoadedCounts() throws {
    var files = debian
    files["/proc/filesystems"] = "\text4\n"
    #expect(try !facts(files).fileSystems.contains("overlay"))
    files["/lib/modules/6.1.0-18-amd64/kernel/fs/overlayfs/overlay.ko.xz"] = ""
    #expect(try facts(files).fileSystems.contains("overlay"))
  }
}
