/// What can go wrong around a child process. That a child ends with a status other than zero is a result and not one of these.
import EnvCore
import SystemPackage

/// A failure to find, start, watch or bound a child process.
public enum ProcessError: Diagnostic {
  /// No executable file of this name in the folders searched.
  case notFound(name: String, searched: [FilePath])
  /// posix_spawn(3) or the exec in the child failed.
  case spawn(executable: FilePath, workingDirectory: FilePath?, errno: Errno)
  /// A call on the running child failed.
  case call(String, executable: FilePath, errno: Errno)
  /// A call on the way to a pseudo-terminal failed.
  case terminal(String, object: String, errno: Errno)
  /// The child was ended because its time was up.
  case deadlineExceeded(executable: FilePath, limit: Duration)
  /// The child was ended because it wrote more than the caller takes.
  case outputTooLong(executable: FilePath, limit: Int)
  /// The child ended otherwise than with zero and the caller wanted success; `errors` is the end of what it wrote to standard error.
  case failed(executable: FilePath, arguments: [String], status: ExitStatus, errors: String)

  public var summary: String {
    switch self {
    case .notFound(let name, _): "the program '\(name)' was not found"
    case .spawn(let executable, let directory, let errno):
      "cannot start \(executable)\(directory.map { " in \($0)" } ?? ""): \(errno)"
    case .call(let call, let executable, let errno): "\(call) for \(executable) failed: \(errno)"
    case .terminal(let call, let object, let errno): "\(call) for a terminal (\(object)) failed: \(errno)"
    case .deadlineExceeded(let executable, let limit): "\(executable) did not end within \(limit.forPeople)"
    case .outputTooLong(let executable, let limit): "\(executable) wrote more than \(ByteCount(limit)) to its standard output"
    case .failed(let executable, let arguments, let status, let errors):
      "\(([executable.string] + arguments.prefix(3)).joined(separator: " ")) ended with \(status)\(errors.isEmpty ? "" : ": " + errors)"
    }
  }

  public var hint: String? {
    guard case .notFound(_, let searched) = self else { return nil }
    return "searched " + searched.map(\.string).joined(separator: ", ")
  }

  public var exitCode: ExitCode {
    switch self {
    case .notFound, .spawn: .host
    default: .failed
    }
  }
}
