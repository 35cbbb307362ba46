/// Why devices cannot be taken from CDI specifications.
import EnvCore
import SafeFS
import StrictYAML

/// An error of the Container Device Interface. All of them are the host's: its specifications, its device nodes.
public enum CDIError: Diagnostic {
  /// A specification file that cannot be read.
  case unreadable(file: String, underlying: FileSystemError)
  /// A specification file against the rules.
  case malformed(underlying: YAMLError)
  /// `broken` names files that could not be read and may have had it.
  case unknownDevice(QualifiedDevice, known: [String], broken: [String])
  /// Two files of one level define the same device, so that neither counts.
  case conflict(QualifiedDevice, files: [String])
  case noDeviceNode(path: String, host: String)
  case notADevice(path: String)
  case deviceTypeMismatch(path: String, wanted: String, found: String)

  public var summary: String {
    switch self {
    case .unreadable(let file, _): "the CDI specification '\(file)' cannot be read"
    case .malformed: "a CDI specification is against the rules"
    case .unknownDevice(let device, _, let broken):
      "no CDI specification describes the device '\(device)'"
        + (broken.isEmpty ? "" : "; these could not be read: " + broken.joined(separator: ", "))
    case .conflict(let device, let files): "the device '\(device)' is described twice: in " + files.joined(separator: " and in ")
    case .noDeviceNode(let path, let host): "the device node '\(path)' is not there, though a CDI specification wants it (below '\(host)')"
    case .notADevice(let path): "'\(path)' is no device node, though a CDI specification wants one"
    case .deviceTypeMismatch(let path, let wanted, let found):
      "the device node '\(path)' is of type \(found), and the CDI specification says \(wanted)"
    }
  }

  public var cause: (any Error)? {
    switch self {
    case .unreadable(_, let underlying): underlying
    case .malformed(let underlying): underlying
    default: nil
    }
  }

  public var hint: String? {
    switch self {
    case .unknownDevice(let device, let known, _):
      didYouMean(device.description, among: known)
        ?? (known.isEmpty ? "`envctl gpu list` shows what the host has" : "known: " + known.joined(separator: ", "))
    case .conflict: "remove one of the files, or move the one that is to count to /var/run/cdi"
    case .noDeviceNode, .notADevice, .deviceTypeMismatch:
      "the specification is older than the host's state: write it anew with the vendor's tool, such as `nvidia-ctk cdi generate`"
    default: nil
    }
  }

  public var exitCode: ExitCode { .host }
}
