/// The one error of this module: a system call that failed, with its arguments and errno.
import EnvCore
import SystemPackage

/// A failed system call on a file.
public struct FileSystemError: Diagnostic, Equatable {
  /// The system call, such as `openat2`.
  public let call: String
  /// The path it was given, as far as it is known.
  public let path: FilePath
  public let errno: Errno

  public init(call: String, path: FilePath, errno: Errno) {
    self.call = call
    self.path = path
    self.errno = errno
  }

  public var summary: String { "\(call) '\(path)': \(errno)" }

  public var hint: String? {
    switch errno {
    case .noSpace: "free some space on the file system that holds '\(path)', or set ENVCTL_HOME to a folder on another one"
    case .diskQuotaExceeded: "your disk quota is used up"
    case .permissionDenied, .notPermitted: "run as the user who owns it, or set ENVCTL_HOME to a folder of your own"
    case .readOnlyFileSystem: "the file system is read-only; set ENVCTL_HOME to a writable folder"
    case .tooManyOpenFiles: "raise the limit of open files (ulimit -n)"
    default: nil
    }
  }

  public var exitCode: ExitCode {
    switch errno {
    case .permissionDenied, .notPermitted, .readOnlyFileSystem: .host
    default: .failed
    }
  }
}

/// The errno the last system call of this thread left.
func currentErrno() -> Errno { Errno(rawValue: errnoValue()) }
