/// What is said of the store's place, the clock, the memory and the language.
import EnvCore

extension Examination {
  /// An environment such as the bundled one takes about 2 GB while it is made.
  private static let comfortableSpace: Int64 = 5_000_000_000
  private static let leastSpace: Int64 = 500_000_000
  private static let leastFiles: Int64 = 50_000

  /// File systems overlayfs takes no upper folder on (overlayfs.rst, "Upper filesystem requirements").
  private static let unfit = ["overlay", "nfs", "nfs4", "cifs", "smb3", "vfat", "exfat", "ntfs3", "9p", "virtiofs", "fuse", "fuse.sshfs"]

  static func store(_ host: HostFacts) -> [Finding] {
    guard let store = host.store else { return [] }
    var findings: [Finding] = []
    let mend = "set ENVCTL_HOME to a folder on a local disk"
    if let kind = store.fileSystem, unfit.contains(kind) || kind.hasPrefix("fuse.") {
      if !host.isRoot, host.hasFuseOverlay, host.hasFuseDevice {
        findings.append(
          Finding("store", .note, "\(store.path) lies on \(kind)", meaning: "fuse-overlayfs is used there, which is slower", mend: mend))
      } else {
        findings.append(
          Finding("store", .problem, "\(store.path) lies on \(kind)", meaning: "overlayfs takes no writable folder there", mend: mend))
      }
    } else if store.fileSystem == "tmpfs" || store.fileSystem == "ramfs" {
      findings.append(
        Finding(
          "store", .note, "\(store.path) lies in memory", meaning: "it is gone after a restart and takes memory meanwhile", mend: mend))
    }
    if store.options.contains("ro") {
      findings.append(
        Finding("store", .problem, "\(store.path) is on a file system mounted read-only", meaning: "nothing can be kept", mend: mend))
    }
    if host.isRoot, store.options.contains("nosuid") {
      findings.append(
        Finding(
          "store", .note, "\(store.path) is on a file system mounted nosuid", meaning: "sudo and its like do not work in containers",
          mend: mend))
    }
    if store.options.contains("noexec") {
      findings.append(
        Finding(
          "store", .problem, "\(store.path) is on a file system mounted noexec", meaning: "no program of an image can run", mend: mend))
    }
    findings += space(store)
    return findings.isEmpty
      ? [Finding("store", .ok, store.path + (store.space.map { ", \(ByteCount($0.freeBytes)) free" } ?? ""))] : findings
  }

  private static func space(_ store: HostFacts.StorePlace) -> [Finding] {
    guard let space = store.space else { return [] }
    var findings: [Finding] = []
    if space.freeBytes < comfortableSpace {
      findings.append(
        Finding(
          "disk", space.freeBytes < leastSpace ? .problem : .warning, "\(ByteCount(space.freeBytes)) free for \(store.path)",
          meaning: "a GPU environment takes up to 15 GB, the bundled one about 2 GB", mend: "free some, or set ENVCTL_HOME to another disk")
      )
    }
    if let files = space.freeFiles, files < leastFiles {
      findings.append(
        Finding(
          "disk", .warning, "\(files) files can still be made", meaning: "an environment has tens of thousands",
          mend: "free some, or set ENVCTL_HOME to another file system"))
    }
    return findings
  }

  static func surroundings(_ host: HostFacts) -> [Finding] {
    var findings: [Finding] = []
    // A day of grace for time zones and for clocks of file servers.
    if host.now + 86_400 < host.latestKnownTime {
      findings.append(
        Finding(
          "clock", .warning, "the clock is behind files that were written already",
          meaning: "certificates look as if they were not valid yet",
          mend: "set the time: timedatectl set-ntp true"))
    }
    if let memory = host.memoryAvailable, memory < 2 << 30 {
      findings.append(
        Finding(
          "memory", .warning, "\(ByteCount(memory)) available", meaning: "the check of an environment takes about 1 GB",
          mend: "end other programs, or `check: none` in envctl.yaml"))
    }
    if let locale = host.locale, !locale.isEmpty, !["utf-8", "utf8"].contains(where: { locale.lowercased().hasSuffix($0) }) {
      findings.append(
        Finding(
          "locale", .note, locale, meaning: "names of files beyond ASCII may read wrongly on this terminal",
          mend: "export LC_ALL=C.UTF-8"))
    }
    return findings
  }
}
