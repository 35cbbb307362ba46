/// The judgement of a host: facts in, findings out. It reads nothing itself.
import EnvCatalog
import EnvCore
import SafeFS

public enum Examination {
  /// Everything there is to say about the host, in a fixed order.
  public static func findings(_ host: HostFacts) -> [Finding] {
    kernel(host) + userNamespaces(host) + subordinates(host) + overlay(host) + cgroups(host) + runtimes(host) + devices(host) + store(host)
      + surroundings(host)
  }

  private static func kernel(_ host: HostFacts) -> [Finding] {
    guard let release = host.kernel, let version = version(release) else {
      return [Finding("kernel", .warning, "the kernel's version could not be read", meaning: "nothing can be said of its features")]
    }
    var findings: [Finding] = []
    if let needed = Version(parsing: "5.6"), version < needed {
      findings.append(
        Finding(
          "kernel", .problem, "Linux \(release)", meaning: "openat2(2), by which layers are unpacked safely, came with Linux 5.6",
          mend: "use a newer kernel"))
    } else {
      findings.append(Finding("kernel", .ok, "Linux \(release)"))
    }
    if host.hasSeccomp == false {
      findings.append(
        Finding(
          "seccomp", .problem, "the kernel has no system call filters", meaning: "runtimes refuse envctl's default isolation",
          mend: "use a kernel with CONFIG_SECCOMP_FILTER"))
    }
    return findings
  }

  private static func userNamespaces(_ host: HostFacts) -> [Finding] {
    // Root does without them.
    let level: Finding.Level = host.isRoot ? .note : .problem
    let meaning = "ordinary users cannot start containers; root can"
    if !host.hasUserNamespaces {
      return [Finding("user namespaces", level, "the kernel has none", meaning: meaning, mend: "use a kernel with CONFIG_USER_NS")]
    }
    let switches: [(name: String, isBlocking: (Int) -> Bool, mend: Int)] = [
      ("user.max_user_namespaces", { $0 == 0 }, 15_000), ("kernel.unprivileged_userns_clone", { $0 == 0 }, 1),
      ("kernel.apparmor_restrict_unprivileged_userns", { $0 == 1 }, 0),
    ]
    let blocking = switches.filter { entry in host.settings[entry.name].map(entry.isBlocking) ?? false }
    if blocking.isEmpty { return [Finding("user namespaces", .ok, "ordinary users may make them")] }
    return blocking.map { entry in
      Finding(
        "user namespaces", level, "\(entry.name) = \(host.settings[entry.name] ?? 0)", meaning: meaning,
        mend: "as root: sysctl \(entry.name)=\(entry.mend), and a file in /etc/sysctl.d to keep it")
    }
  }

  private static func subordinates(_ host: HostFacts) -> [Finding] {
    guard !host.isRoot else { return [] }
    let ids = host.subordinates
    let user = host.user ?? "this user"
    let meaning = "every file in a container belongs to you; what changes users there, such as apt, will not work"
    let missing = ["newuidmap", "newgidmap"].filter { ids.programs[$0] == nil }
    if !missing.isEmpty {
      return [
        Finding(
          "subordinate ids", .warning, "\(missing.joined(separator: " and ")) not found", meaning: meaning, mend: "apt install uidmap")
      ]
    }
    let powerless = ids.programs.filter { !$0.value }.keys.sorted()
    if !powerless.isEmpty {
      return [
        Finding(
          "subordinate ids", .warning, "\(powerless.joined(separator: " and ")) not set-user-id root", meaning: meaning,
          mend: "as root: chmod u+s /usr/bin/newuidmap /usr/bin/newgidmap")
      ]
    }
    if ids.uids == 0 || ids.gids == 0 {
      return [
        Finding(
          "subordinate ids", .warning, "\(ids.uids == 0 ? "/etc/subuid" : "/etc/subgid") has no range for \(user)", meaning: meaning,
          mend: "as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 \(user)")
      ]
    }
    if min(ids.uids, ids.gids) < 65_535 {
      return [
        Finding(
          "subordinate ids", .note, "\(min(ids.uids, ids.gids)) ids for \(user)",
          meaning: "images with files of higher owners cannot be unpacked",
          mend: "give \(user) 65536 in /etc/subuid and /etc/subgid")
      ]
    }
    return [Finding("subordinate ids", .ok, "\(ids.uids) for \(user)")]
  }

  private static func overlay(_ host: HostFacts) -> [Finding] {
    guard host.fileSystems.contains("overlay") else {
      return [
        Finding(
          "overlayfs", .problem, "the kernel has no overlayfs", meaning: "no root filesystem can be put together from layers",
          mend: "as root: modprobe overlay; or use a kernel with CONFIG_OVERLAY_FS")
      ]
    }
    guard !host.isRoot, let version = host.kernel.flatMap(version), let needed = Version(parsing: "5.11"), version < needed else {
      return [Finding("overlayfs", .ok, "available")]
    }
    if host.hasFuseOverlay, host.hasFuseDevice {
      return [
        Finding("overlayfs", .note, "not for ordinary users before Linux 5.11", meaning: "fuse-overlayfs is used, which is slower")
      ]
    }
    return [
      Finding(
        "overlayfs", .problem, "not for ordinary users before Linux 5.11, and \(host.hasFuseDevice ? "no fuse-overlayfs" : "no /dev/fuse")",
        meaning: "an ordinary user cannot mount a root filesystem", mend: "apt install fuse-overlayfs; or run envctl as root")
    ]
  }

  private static func cgroups(_ host: HostFacts) -> [Finding] {
    if host.cgroupMode == .none {
      return [
        Finding(
          "cgroups", .warning, "no cgroup hierarchy is mounted",
          meaning: "no limit of resources can be enforced; `up` with one ends with status 6",
          mend: "mount the cgroup file systems, as systemd does")
      ]
    }
    let usable = host.controllers.filter(\.value).keys.sorted()
    let wanted = ["cpu", "cpuset", "memory", "pids"]
    let missing = wanted.filter { !usable.contains($0) }
    let mode = host.cgroupMode.rawValue
    if missing.isEmpty { return [Finding("cgroups", .ok, "\(mode): \(usable.joined(separator: ", "))")] }
    let mend =
      host.isRoot
      ? "have them delegated to this machine or container"
      : host.cgroupMode == .v2
        ? "start envctl with: systemd-run --user --scope -p Delegate=yes envctl …"
        : "run envctl as root, or boot with systemd.unified_cgroup_hierarchy=1"
    return [
      Finding(
        "cgroups", host.isRoot ? .warning : .note, "\(mode), without \(missing.joined(separator: ", "))\(host.isRoot ? "" : " for you")",
        meaning: "limits that need them end with status 6", mend: mend)
    ]
  }

  private static func devices(_ host: HostFacts) -> [Finding] {
    var findings = host.brokenSpecifications.map { broken in
      Finding(
        "CDI", .warning, "\(broken.file): \(broken.reason)", meaning: "its devices cannot be used",
        mend: "write it anew, for example with `nvidia-ctk cdi generate`")
    }
    findings += host.conflictingDevices.map {
      Finding("CDI", .warning, "two files describe \($0)", meaning: "it cannot be used", mend: "remove one of the files")
    }
    if let driver = host.driver, let libraries = host.driverLibraries, driver != libraries {
      findings.append(
        Finding(
          "GPU driver", .warning, "kernel module \(driver), libraries \(libraries)", meaning: "CUDA fails until both are of one driver",
          mend: "restart the machine, or reload the module"))
    }
    if findings.isEmpty {
      let driver = host.driver.map { ", driver \($0)" } ?? ""
      findings.append(
        Finding("GPUs", .ok, host.gpuCount == 0 ? "none" : "\(host.gpuCount) device\(host.gpuCount == 1 ? "" : "s")\(driver)"))
    }
    return findings
  }

  /// The numbers at the beginning of a kernel's release.
  private static func version(_ release: String) -> Version? {
    let numbers = release.prefix { $0.isNumber || $0 == "." }.split(separator: ".").prefix(3)
    return Version(parsing: numbers.joined(separator: "."))
  }
}
