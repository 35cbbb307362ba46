/// Which filesystems a container sees, and which parts of /proc and /sys it does not.

extension BundleBuilder {
  /// Kernel interfaces that tell about or reach the host; the list of the documented default of Docker and containers-common.
  static let maskedPaths = [
    "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi",
    "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware",
  ]
  static let readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]

  /// The isolation rests on what is mounted here, so nothing else may be.
  static let reserved: Set<String> = ["/", "/proc", "/sys", "/sys/fs/cgroup", "/dev", "/dev/pts", "/dev/mqueue"]

  /// The system's mounts, then the host's, then the user's from the outside in, so that none hides another.
  func mounts(for request: LaunchRequest) throws(BundleError) -> [RuntimeSpec.Mount] {
    let wanted = try bindMounts(request.mounts)
    let destinations = Set(wanted.map(\.destination))
    let own = try bindMounts(hostMounts).filter { !destinations.contains($0.destination) }
    let system = systemMounts(sharedMemory: request.resources?.sharedMemory ?? request.sharedMemory).filter {
      !destinations.contains($0.destination)
    }
    return system + own + wanted
  }

  private func bindMounts(_ mounts: [BindMount]) throws(BundleError) -> [RuntimeSpec.Mount] {
    var taken: Set<String> = []
    var result: [RuntimeSpec.Mount] = []
    for mount in mounts {
      let destination = try Self.normalised(mount.destination, role: "mount destination")
      let source = try Self.normalised(mount.source, role: "mount source")
      if Self.reserved.contains(destination) || destination.hasPrefix("/proc/") || destination.hasPrefix("/sys/") {
        throw .reservedMount(destination: destination)
      }
      guard taken.insert(destination).inserted else { throw .duplicateMount(destination: destination) }
      result.append(
        RuntimeSpec.Mount(
          destination: destination, type: "bind", source: source,
          options: ["rbind", "rprivate", "nosuid", "nodev", mount.isReadOnly ? "ro" : "rw"]))
    }
    return result.sorted { depth($0) == depth($1) ? $0.destination < $1.destination : depth($0) < depth($1) }
  }

  private func depth(_ mount: RuntimeSpec.Mount) -> Int { mount.destination.utf8.count { $0 == UInt8(ascii: "/") } }

  /// The filesystems of config-linux.md, "Default Filesystems", and /dev/mqueue and the container's own cgroup, read-only.
  ///
  /// In a user namespace sysfs belongs to whoever owns the network, which is the host's, so the host's /sys is shown. Group 5, `tty`, is
  /// there only where more than one id is.
  private func systemMounts(sharedMemory: Int64) -> [RuntimeSpec.Mount] {
    [
      Self.mount("/proc", "proc", []),
      Self.mount("/dev", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
      Self.mount(
        "/dev/pts", "devpts",
        ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"] + (owners == .single ? [] : ["gid=5"])),
      Self.mount("/dev/shm", "tmpfs", ["nosuid", "noexec", "nodev", "mode=1777", "size=\(sharedMemory)"]),
      Self.mount("/dev/mqueue", "mqueue", ["nosuid", "noexec", "nodev"]),
      owners == .all
        ? Self.mount("/sys", "sysfs", ["nosuid", "noexec", "nodev", "ro"])
        : RuntimeSpec.Mount(destination: "/sys", type: "bind", source: "/sys", options: ["rbind", "nosuid", "noexec", "nodev", "ro"]),
      Self.mount("/sys/fs/cgroup", "cgroup", ["nosuid", "noexec", "nodev", "relatime", "ro"]),
    ]
  }

  private static func mount(_ destination: String, _ type: String, _ options: [String]) -> RuntimeSpec.Mount {
    RuntimeSpec.Mount(destination: destination, type: type, source: type, options: options)
  }
}
