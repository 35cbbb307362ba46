/// Why no runtime configuration can be made from an image and a request.
import EnvCore

/// A request that contradicts the image or itself.
public enum BundleError: Diagnostic {
  case unknownUser(String)
  case unknownGroup(String)
  /// Neither the request nor the image says what to run.
  case noCommand
  /// A path that must be absolute and without `..`; `role` says what it is for.
  case badPath(role: String, path: String)
  case duplicateMount(destination: String)
  /// A mount over a folder whose content the isolation depends on.
  case reservedMount(destination: String)
  /// A variable's name that is empty or contains `=` or NUL, or a value with NUL.
  case badVariable(name: String)
  /// A hostname sethostname(2) does not take.
  case badHostname(String)
  /// A device node without type or numbers: nobody looked at the host's.
  case incompleteDevice(path: String)
  /// Network devices of a CDI specification in a container that has no network of its own, or with a runtime that cannot move them.
  case netDevices(names: [String], reason: String)

  /// The host cannot hold a container to a limit.
  case unenforceable(limit: String, reason: String, mend: String)
  /// The cgroup of a container that was started says otherwise than was asked for.
  case limitNotInForce(limit: String, file: String, wanted: String, found: String)
  case noSuchDevice(path: String)
  case noSuchProcessor(Int, online: String)
  case noSuchPageSize(String, known: [String])

  public var summary: String {
    switch self {
    case .unknownUser(let name): "user '\(name)' is not in the environment's /etc/passwd"
    case .unknownGroup(let name): "group '\(name)' is not in the environment's /etc/group"
    case .noCommand: "neither the command line nor the image says what to run"
    case .badPath(let role, let path): "\(role) '\(path)' is not an absolute path without '..'"
    case .duplicateMount(let destination): "two mounts want the same place \(destination) in the container"
    case .reservedMount(let destination): "nothing can be mounted over \(destination) in the container"
    case .badVariable(let name): "'\(name)' cannot be set as a variable of the container"
    case .badHostname(let name): "'\(name)' cannot be the container's host name: 1 to 64 letters, digits, '.' and '-' are allowed"
    case .incompleteDevice(let path): "the device '\(path)' has no type or number, so no runtime could make it"
    case .netDevices(let names, let reason):
      "the network device\(names.count == 1 ? "" : "s") \(names.joined(separator: ", ")) cannot be moved into the container: \(reason)"
    case .unenforceable(let limit, let reason, _): "the limit '\(limit)' cannot be enforced on this host: \(reason)"
    case .limitNotInForce(let limit, let file, let wanted, let found):
      "the limit '\(limit)' is not in force: \(file) says \(found), wanted was \(wanted)"
    case .noSuchDevice(let path): "this host has no device '\(path)'"
    case .noSuchProcessor(let number, let online): "there is no processor \(number) to run on: this host has \(online)"
    case .noSuchPageSize(let size, let known):
      "this host has no huge pages of \(size)" + (known.isEmpty ? "" : ", only of \(known.joined(separator: ", "))")
    }
  }

  public var hint: String? {
    switch self {
    case .unknownUser, .unknownGroup: "give the number instead, such as 1000:1000"
    case .unenforceable(_, _, let mend): mend
    case .noCommand: "add the command after '--'"
    default: nil
    }
  }

  public var exitCode: ExitCode {
    switch self {
    case .incompleteDevice, .netDevices, .unenforceable, .limitNotInForce, .noSuchDevice, .noSuchProcessor, .noSuchPageSize: .host
    default: .usage
    }
  }
}
