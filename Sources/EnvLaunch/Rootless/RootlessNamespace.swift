/// The user namespace in which an ordinary user is root: found again while anything in it lives, else made. No daemon keeps it.
import ChildProcess
import EnvCore
import Glibc
import SafeFS
import SystemPackage

/// The user namespace of one store.
///
/// Signals, mounts and `setns` need capabilities in the very namespace a container was made in, and a second one with the same ids has none
/// there. So all commands of a user on one store share one: its number is kept, and it is entered through any process that lives in it.
public enum RootlessNamespace {
  /// Whether root started this process, whatever namespace it has entered since.
  public static let isStartedByRoot = geteuid() == 0

  /// Makes an ordinary user root in the store's user namespace; nothing happens to root, nor the second time.
  ///
  /// The process must have one thread only, so this comes before everything else a command does.
  /// - Throws: `LaunchError.rootless` when this host does not let ordinary users do that.
  public static func enter(home: FilePath, reporter: any StageReporter) throws(LaunchError) {
    guard !isStartedByRoot, geteuid() != 0 else { return }
    try launching("entering the user namespace") {
      let folder = home.appending("run")
      try FileSystem.createDirectories(folder, mode: 0o700)
      // While one makes a namespace, no other may: theirs would be two.
      let lock = try FileLock(folder.appending("user-namespace.lock"))
      defer { withExtendedLifetime(lock) {} }
      let record = folder.appending("user-namespace")
      if try enterLiving(record) { return }
      try enterNew(record, reporter)
    }
  }

  /// Enters the namespace of the record through a process in it; false when there is none.
  private static func enterLiving(_ record: FilePath) throws -> Bool {
    guard FileSystem.exists(record) else { return false }
    let text = String(decoding: try FileSystem.readFile(record, limit: 64), as: UTF8.self)
    let link = "user:[\(text)]"
    for pid in try FileSystem.list("/proc").compactMap({ pid_t($0) }) {
      guard (try? FileSystem.linkTarget(FilePath("/proc/\(pid)/ns/user"))) == link else { continue }
      // Numbers are given again: only one in which we are root is ours, and the kernel lets nobody enter another's. One that a killed
      // envctl left half-mapped has it all but the groups.
      guard isRoot(geteuid(), in: "uid_map", of: pid), isRoot(getegid(), in: "gid_map", of: pid),
        let namespace = try? UserNamespace(of: pid),
        "\(namespace.number)" == text
      else { continue }
      if (try? namespace.enter()) != nil { return true }
    }
    return false
  }

  private static func isRoot(_ id: UInt32, in map: String, of pid: pid_t) -> Bool {
    guard let text = try? FileSystem.readFile(FilePath("/proc/\(pid)/\(map)"), limit: 1 << 16) else { return false }
    return IDMapping.isRoot(id, in: String(decoding: text, as: UTF8.self))
  }

  private static func enterNew(_ record: FilePath, _ reporter: any StageReporter) throws {
    let user = Account.current
    var holder = try makeNamespace()
    do {
      try mapRanges(of: holder.pid, user)
    } catch let error as UnmappedRanges {
      reporter.warned(error.reason.warning)
      // A new one, because the maps of users and groups are written once each, and one of them may have been.
      holder = try makeNamespace()
      try mapSingle(holder.pid, user)
    }
    do {
      let namespace = try UserNamespace(of: holder.pid)
      try namespace.enter()
      try FileSystem.writeAtomically(Array("\(namespace.number)".utf8), to: record, mode: 0o600)
    } catch let errno as Errno {
      throw LaunchError.rootless(.notEntered(errno))
    }
  }

  private static func makeNamespace() throws(LaunchError) -> UserNamespaceHolder {
    do {
      return try UserNamespaceHolder()
    } catch {
      throw .rootless(.refused(error, switches: switches()))
    }
  }

  private static func mapRanges(of pid: pid_t, _ user: Account) throws {
    for (program, file, id) in [("newuidmap", "/etc/subuid", user.uid), ("newgidmap", "/etc/subgid", user.gid)] {
      let bytes = (try? FileSystem.readFile(FilePath(file), limit: 16 << 20)) ?? []
      let ranges = SubordinateRange.parse(bytes, name: user.name, id: user.uid)
      guard !ranges.isEmpty else { throw UnmappedRanges(.noRange(file: file, user: user.name ?? "\(user.uid)")) }
      guard let path = try? Executable.find(program) else { throw UnmappedRanges(.noProgram(program)) }
      let mapping = IDMapping(user: id, subordinate: ranges)
      let completion = try Command(path, ["\(pid)"] + mapping.arguments).run(deadline: .seconds(10))
      guard !completion.status.isSuccess else { continue }
      let isPrivileged = try FileSystem.status(path, followingLink: true).map { $0.permissions & 0o4000 != 0 && $0.uid == 0 } ?? false
      throw UnmappedRanges(.refused(program: path.string, message: completion.errorText, isPrivileged: isPrivileged))
    }
  }

  /// What every user may do: map the own id, and give up the right to change supplementary groups (user_namespaces(7)).
  private static func mapSingle(_ pid: pid_t, _ user: Account) throws {
    let maps = [
      ("uid_map", IDMapping(user: user.uid, subordinate: []).text), ("setgroups", "deny"),
      ("gid_map", IDMapping(user: user.gid, subordinate: []).text),
    ]
    for (name, text) in maps {
      let path = FilePath("/proc/\(pid)/\(name)")
      do {
        try OwnedDescriptor.open(path, O_WRONLY, mode: 0).write(Array(text.utf8).span.bytes)
      } catch {
        throw LaunchError.rootless(.unmapped(reason: error.summary))
      }
    }
  }

  /// The settings of the kernel that keep ordinary users from making user namespaces, as far as they are set so.
  private static func switches() -> [String] {
    let blocking: [(String, (Int) -> Bool)] = [
      ("user.max_user_namespaces", { $0 == 0 }), ("kernel.unprivileged_userns_clone", { $0 == 0 }),
      ("kernel.apparmor_restrict_unprivileged_userns", { $0 == 1 }),
    ]
    return blocking.compactMap { name, isBlocking in
      let path = FilePath("/proc/sys/" + name.split(separator: ".", maxSplits: 1).joined(separator: "/"))
      guard let bytes = try? FileSystem.readFile(path, limit: 64),
        let value = Int(String(decoding: bytes.prefix { $0 != 10 }, as: UTF8.self)), isBlocking(value)
      else { return nil }
      return "\(name) = \(value)"
    }
  }

  /// Ranges could not be mapped, and nothing was spoilt by the attempt.
  private struct UnmappedRanges: Error {
    let reason: MissingIDs
    init(_ reason: MissingIDs) { self.reason = reason }
  }
}

/// The user who started this process.
private struct Account {
  let uid: UInt32
  let gid: UInt32
  /// As subuid(5) may list it; nil for a number without an account.
  let name: String?

  static var current: Account {
    let entry = getpwuid(geteuid())
    return Account(uid: geteuid(), gid: getegid(), name: entry.map { String(cString: $0.pointee.pw_name) })
  }
}

extension IDMapping {
  /// Whether `user` is root in a namespace with this `/proc/PID/uid_map`, read from outside.
  static func isRoot(_ user: UInt32, in map: String) -> Bool {
    map.split(separator: "\n").contains { line in
      let fields = line.split(separator: " ").compactMap { UInt32($0) }
      return fields.count == 3 && fields[0] == 0 && fields[1] == user
    }
  }
}
