/// Why an ordinary user cannot start containers here, and why one has to do with a single id.
import EnvCore
import SystemPackage

/// What stands between an ordinary user and a user namespace.
public enum RootlessProblem: Sendable, Equatable {
  /// The kernel makes none for this user.
  case refused(Errno, switches: [String])
  /// The ids could not be mapped at all.
  case unmapped(reason: String)
  /// It was made and cannot be entered.
  case notEntered(Errno)

  var summary: String {
    switch self {
    case .refused(let errno, let switches):
      "the kernel makes no user namespace for an ordinary user: \(errno)"
        + (switches.isEmpty ? "" : " (\(switches.joined(separator: ", ")))")
    case .unmapped(let reason): "the ids of a user namespace could not be mapped: \(reason)"
    case .notEntered(let errno): "the user namespace could not be entered: \(errno)"
    }
  }

  var hint: String {
    switch self {
    case .refused(_, let switches) where switches.contains { $0.contains("apparmor") }:
      "as root: sysctl kernel.apparmor_restrict_unprivileged_userns=0; or run envctl as root"
    case .refused(_, let switches) where switches.contains { $0.contains("unprivileged_userns_clone") }:
      "as root: sysctl kernel.unprivileged_userns_clone=1; or run envctl as root"
    case .refused(_, let switches) where !switches.isEmpty: "as root: sysctl user.max_user_namespaces=15000; or run envctl as root"
    default: "inside a container that takes a privileged one; or run envctl as root. `envctl doctor` tells more"
    }
  }
}

/// Why a user has no ids but the own one.
enum MissingIDs: Equatable, Sendable {
  case noRange(file: String, user: String)
  case noProgram(String)
  case refused(program: String, message: String, isPrivileged: Bool)

  var reason: String {
    switch self {
    case .noRange(let file, let user): "\(file) has no range for \(user)"
    case .noProgram(let name): "the program \(name) is not installed"
    case .refused(let program, let message, let isPrivileged):
      isPrivileged ? "\(program) refused: \(message)" : "\(program) is not set-user-id root: \(message)"
    }
  }

  var mend: String {
    switch self {
    case .noRange(_, let user): "as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 \(user)"
    case .noProgram: "apt install uidmap"
    case .refused(let program, _, false): "as root: chmod u+s \(program)"
    case .refused: "`envctl doctor` looks at the ranges"
    }
  }

  /// What follows from it for the user.
  var warning: String {
    "no subordinate ids (\(reason)): every file in a container belongs to you, and what changes users there, such as apt or a database "
      + "server, will not work; results do not depend on it. Mend: \(mend)"
  }
}
