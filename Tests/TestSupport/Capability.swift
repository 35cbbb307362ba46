/// What a test may need of the machine, and what happens where the machine lacks it.
import Glibc
import SafeFS
import SystemPackage
import Testing

/// Something not every machine has.
public struct Capability: Sendable {
  /// What is lacking when it is lacking, such as `runc`.
  public let name: String
  public let isPresent: Bool
  /// The Debian package that brings it; nil when nothing that can be installed does.
  public let package: String?

  public init(_ name: String, isPresent: Bool, package: String?) {
    self.name = name
    self.isPresent = isPresent
    self.package = package
  }

  /// Owners, device nodes, mounts and `trusted.*` attributes can be made by root only.
  public static let root = Capability("root", isPresent: isRoot, package: nil)

  /// An ordinary user with subordinate ids, whom scripts/test makes.
  public static let ordinaryUser = Capability(
    "the user \(OrdinaryUser.name) with subordinate ids", isPresent: isRoot && OrdinaryUser.hasIDs, package: "uidmap")

  /// Root can make cgroups with a memory limit here.
  public static let memoryCgroup = Capability(
    "a memory cgroup controller",
    isPresent: FileSystem.exists("/sys/fs/cgroup/memory/memory.limit_in_bytes") || hasMemoryController, package: nil)

  private static var hasMemoryController: Bool {
    let bytes = try? FileSystem.readFile("/sys/fs/cgroup/cgroup.controllers")
    return bytes.map { String(decoding: $0, as: UTF8.self).split(whereSeparator: \.isWhitespace).contains("memory") } ?? false
  }

  /// A program on the PATH; `package` where its Debian package has another name.
  public static func tool(_ name: String, package: String? = nil) -> Capability {
    Capability(name, isPresent: Tool.path(name) != nil, package: package ?? name)
  }

  public static var isRoot: Bool { geteuid() == 0 }

  fileprivate var advice: String { package.map { "\(name) (apt-get install \($0))" } ?? name }
}

/// In CI nothing that could have been installed is a reason to skip a test.
struct MissingInCI: Error, CustomStringConvertible {
  let description: String
}

extension Trait where Self == ConditionTrait {
  /// The test is skipped where one of `capabilities` is lacking, and says which. Where `CI` is `true`, one that could have been
  /// installed fails the test instead: scripts/install-packages forgot it.
  public static func needs(_ capabilities: Capability..., sourceLocation: SourceLocation = #_sourceLocation) -> Self {
    let missing = capabilities.filter { !$0.isPresent }
    let lacking = "needs " + missing.map(\.advice).joined(separator: ", ")
    let isCI = getenv("CI").map { String(cString: $0) } == "true"
    return .enabled(Comment(rawValue: lacking), sourceLocation: sourceLocation) {
      if isCI, missing.contains(where: { $0.package != nil }) { throw MissingInCI(description: lacking) }
      return missing.isEmpty
    }
  }
}
