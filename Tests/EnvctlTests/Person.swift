/// As whom tests run the program: each with a small image, a store and a project folder of their own.
import Archive
import ChildProcess
import EnvCore
import Glibc
import SafeFS
import SystemPackage
import TestSupport
import Testing

enum Person: CaseIterable, CustomTestStringConvertible {
  case root, ordinaryUser, userWithoutIDs
  /// Has subordinate ids, and a store on a file system that cannot hold the upper folder of a kernel's overlay, which is why fuse-overlayfs
  /// makes it.
  case userOfFUSE

  var testDescription: String { (name ?? "root") + (self == .userOfFUSE ? " with fuse-overlayfs" : "") }

  private var name: String? {
    switch self {
    case .root: nil
    case .ordinaryUser, .userOfFUSE: OrdinaryUser.name
    case .userWithoutIDs: OrdinaryUser.nameWithoutIDs
    }
  }

  /// Runs `body` with a program of this person's, whose image has `more` in a second layer; removes all of it afterwards.
  func withProgram(more: [TarItem] = [], _ body: (Program) throws -> Void) throws {
    try withFolder(ownedBy: name ?? "root") { folder in
      var program = try SmallImage.program(in: folder, more: more)
      // Containers and their cgroups are called by it.
      program.folder = folder.appending("p" + FileSystem.uniqueSuffix())
      try program.project("oci:\(folder)/layout")
      if let name { try become(name, in: folder, &program) }
      if self == .userOfFUSE { try putStoreOnOverlay(in: folder, &program) }
      defer { if let namespace = program.namespace { kill(namespace, SIGKILL) } }
      defer { _ = try? program("down", "--grace", "0") }
      try body(program)
    }
  }

  private func become(_ name: String, in folder: FilePath, _ program: inout Program) throws {
    // The checkout may lie where nobody else can look.
    program.binary = folder.appending("envctl")
    try #require(Tool.run("cp", Program.path.string, program.binary.string).status == 0)
    for name in ["manifests", "images"] { try FileSystem.createDirectories(folder.appending(name)) }
    program.variables = ["ENVCTL_CATALOG": folder.string, "HOME": folder.string, "USER": name]
    // It becomes the program: a signal to it is one to envctl.
    program.wrapper = ["setpriv", "--reuid", name, "--regid", "\(try #require(getpwnam(name)).pointee.pw_gid)", "--init-groups", "--"]
    try giveTree(folder, to: name)
  }

  /// In a mount namespace of its own, where everybody may open the device too.
  private func putStoreOnOverlay(in folder: FilePath, _ program: inout Program) throws {
    let script = """
      set -e; cd \(folder); mkdir below above work home
      mknod -m 666 fuse c 10 229; mount --bind fuse /dev/fuse
      mount -t overlay overlay -o lowerdir=below,upperdir=above,workdir=work home; chown \(OrdinaryUser.name) home
      echo $$ >ready; exec sleep 600
      """
    var command = Command(try Executable.find("setsid"), ["--fork", "unshare", "--mount", "sh", "-c", script])
    command.standardOutput = .null
    try #require(command.run(deadline: .seconds(10)).status.isSuccess)
    let ready = folder.appending("ready")
    let end = ContinuousClock.now + .seconds(10)
    while (try? FileSystem.readFile(ready))?.last != UInt8(ascii: "\n"), ContinuousClock.now < end { usleep(10_000) }
    let pid = try #require(Int32(String(decoding: try FileSystem.readFile(ready), as: UTF8.self).dropLast()))
    program.namespace = pid
    program.wrapper = ["nsenter", "--target", "\(pid)", "--mount", "--wdns=\(program.folder)", "--"] + program.wrapper
  }
}

/// What there is on this machine of a program's store, project and containers.
struct Belongings: Equatable {
  /// Of the calling process's mount namespace, by their line in `mountinfo`.
  var mounts: [String] = []
  /// Command lines of envctl's own processes, and of those that see the project or the store mounted, which all in a container do.
  var processes: [String] = []
  var cgroups: [String] = []
  /// Records of containers.
  var files: [String] = []

  static let none = Belongings()

  /// - Parameter containers: Names of throw-away containers; a workspace's begins with its folder's name.
  init(of program: Program, containers: Set<String> = []) throws {
    let folder = program.home.removingLastComponent().string
    func text(_ path: String) -> String {
      (try? FileSystem.readFile(FilePath(path), limit: 1 << 20)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
    mounts = text("/proc/self/mountinfo").split(separator: "\n").map(String.init).filter { $0.contains(folder) }
    for name in try FileSystem.list("/proc") where Int32(name) != nil && Int32(name) != program.namespace {
      guard ["mountinfo", "environ"].contains(where: { text("/proc/\(name)/\($0)").contains(folder) }) else { continue }
      let words = text("/proc/\(name)/cmdline").split(separator: "\0").joined(separator: " ")
      // A zombie has none, and none of the rest either.
      if !words.isEmpty { processes.append("\(name) \(words)") }
    }
    let names = containers.union([program.folder.lastComponent?.string ?? ""])
    let all = try Tool.run("find", "/sys/fs/cgroup", "-type", "d").text.split(separator: "\n").map(String.init)
    cgroups = all.filter { path in names.contains { FilePath(path).lastComponent?.string.hasPrefix($0) == true } }
    let folders = ["run/runc", "run/crun", "run/throwaway", "workspaces"].map { program.seen(program.home.appending($0)) }
    files = try folders.filter { FileSystem.exists($0) }.flatMap { folder in try FileSystem.list(folder).map { folder.appending($0).string }
    }
  }

  private init() {}
}
