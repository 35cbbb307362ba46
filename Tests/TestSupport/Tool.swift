/// Other people's programs, run as witnesses: tar, gzip, skopeo, umoci.
import Glibc
import SafeFS
import SystemPackage

/// A program of the machine.
public enum Tool {
  public struct Output: Sendable {
    public let status: Int32
    /// stdout, with stderr where the caller did not ask for the bytes alone.
    public let text: String
  }

  /// Where a program lies on the PATH; nil when it is not installed.
  public static func path(_ name: String) -> FilePath? {
    let folders = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
    return folders.split(separator: ":").map { FilePath(String($0)).appending(name) }.first { FileSystem.exists($0) }
  }

  /// Runs a program to its end.
  @discardableResult
  public static func run(_ name: String, _ arguments: String...) throws -> Output { try run(name, arguments) }

  @discardableResult
  public static func run(_ name: String, _ arguments: [String]) throws -> Output {
    guard let path = path(name) else { throw Errno.noSuchFileOrDirectory }
    return try withTemporaryFolder { folder in
      let log = folder.appending("output")
      let status = try spawn(path, [name] + arguments, log: log)
      return Output(status: status, text: String(decoding: try FileSystem.readFile(log), as: UTF8.self))
    }
  }

  private static func spawn(_ path: FilePath, _ arguments: [String], log: FilePath) throws -> Int32 {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, log.string, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    var arguments: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var process = pid_t()
    let failure = posix_spawn(&process, path.string, &actions, nil, &arguments, environ)
    guard failure == 0 else { throw Errno(rawValue: failure) }
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 && Glibc.errno == EINTR {}
    return status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
  }
}

/// Runs `body` while another process, flock(1), holds the lock of `file`.
public func whileLocked(_ file: FilePath, _ body: () throws -> Void) throws {
  guard let flock = Tool.path("flock") else { throw Errno.noSuchFileOrDirectory }
  try withTemporaryFolder { folder in
    // The process tells by a file that it has the lock, and ends when that file goes away.
    let sign = folder.appending("locked")
    let script = "touch '\(sign)'; while [ -e '\(sign)' ]; do sleep 0.02; done"
    let words: [String] = ["flock", file.string, "sh", "-c", script]
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var process = pid_t()
    let failure = posix_spawn(&process, flock.string, nil, nil, &arguments, environ)
    guard failure == 0 else { throw Errno(rawValue: failure) }
    defer {
      try? FileSystem.removeFile(sign)
      var status: Int32 = 0
      waitpid(process, &status, 0)
    }
    while !FileSystem.exists(sign) { usleep(10_000) }
    try body()
  }
}
