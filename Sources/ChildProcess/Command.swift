/// What to start: program, arguments, variables, folder, streams. Nothing is implied: no shell, no inherited descriptors or variables.
import CLinux
import EnvCore
import Glibc
import SystemPackage

/// Where a standard stream of a child leads.
public enum StandardStream: Sendable, Equatable {
  /// /dev/null.
  case null
  /// The same stream of this process.
  case inherit
  /// A descriptor of this process, which stays open here.
  case descriptor(FileDescriptor)
  /// A pipe that `ChildProcess.finish` reads. For output streams only.
  case pipe
  /// A pipe that holds these bytes already, at most 64 KiB (pipe(7)). For standard input only.
  case bytes([UInt8])
}

/// The description of one child process.
public struct Command: Sendable {
  /// Whom signals of the terminal and of a deadline reach.
  public enum ProcessGroup: Sendable {
    /// The child stays in our group: Ctrl-C reaches it as it reaches us.
    case inherited
    /// The child leads a group of its own, so that all it started can be ended together, and Ctrl-C does not reach it.
    case own
    /// The child leads a session of its own, without a controlling terminal, and outlives ours.
    case newSession
  }

  public var executable: FilePath
  /// The arguments after the program's name.
  public var arguments: [String]
  /// All variables the child gets.
  public var environment: [String: String]
  public var workingDirectory: FilePath?
  public var standardInput = StandardStream.null
  public var standardOutput = StandardStream.pipe
  public var standardError = StandardStream.pipe
  public var processGroup = ProcessGroup.inherited
  /// A descriptor the child has as number 3, for example a lock that is to last as long as the child.
  public var keptDescriptor: FileDescriptor?

  public init(_ executable: FilePath, _ arguments: [String] = [], environment: [String: String] = ProcessEnvironment.inherited) {
    self.executable = executable
    self.arguments = arguments
    self.environment = environment
  }

  /// Starts the child. It keeps the mount namespace of the calling thread.
  public func start() throws(ProcessError) -> ChildProcess {
    let input = try open(standardInput, as: STDIN_FILENO)
    let output = try open(standardOutput, as: STDOUT_FILENO)
    let errors = try open(standardError, as: STDERR_FILENO)
    var descriptors = [input.childEnd.descriptor, output.childEnd.descriptor, errors.childEnd.descriptor]
    let kept = try open(keptDescriptor.map { .descriptor($0) } ?? .inherit, as: 3)
    if keptDescriptor != nil { descriptors.append(kept.childEnd.descriptor) }
    let pid = try spawn(descriptors)
    return try ChildProcess(
      pid: pid, executable: executable, leadsGroup: processGroup != .inherited, output: output.takeParentEnd(),
      errors: errors.takeParentEnd())
  }

  private func spawn(_ descriptors: [CInt]) throws(ProcessError) -> pid_t {
    let flags =
      switch processGroup {
      case .inherited: 0
      case .own: CL_SPAWN_NEW_GROUP
      case .newSession: CL_SPAWN_NEW_SESSION
      }
    var pid: pid_t = 0
    let variables = environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    // The C strings live until the call returns, and posix_spawn(3) returns after the child's exec.
    let status = withCStrings([executable.string] + arguments) { arguments in
      withCStrings(variables) { variables in
        cl_spawn(
          &pid, executable.string, arguments, variables, workingDirectory?.string, descriptors, CInt(descriptors.count), CInt(flags))
      }
    }
    guard status == 0 else {
      throw .spawn(executable: executable, workingDirectory: workingDirectory, errno: Errno(rawValue: status))
    }
    return pid
  }

  private static let highestSlot: CInt = 3

  private func open(_ stream: StandardStream, as slot: CInt) throws(ProcessError) -> ChildStream {
    switch stream {
    case .inherit: return ChildStream(childEnd: StreamEnd(borrowing: slot), parentEnd: nil)
    case .null:
      let descriptor = cl_open("/dev/null", (slot == STDIN_FILENO ? O_RDONLY : O_WRONLY) | O_CLOEXEC, 0)
      return ChildStream(childEnd: StreamEnd(owning: try lifted(try checked(descriptor, "open /dev/null"))), parentEnd: nil)
    case .descriptor(let descriptor) where descriptor.rawValue > Self.highestSlot:
      return ChildStream(childEnd: StreamEnd(borrowing: descriptor.rawValue), parentEnd: nil)
    case .descriptor(let descriptor):
      return ChildStream(childEnd: StreamEnd(owning: try copyAboveSlots(descriptor.rawValue)), parentEnd: nil)
    case .bytes(let bytes):
      precondition(slot == STDIN_FILENO && bytes.count <= 65_536, "only standard input is given, and no more than a pipe holds")
      var ends: [CInt] = [-1, -1]
      _ = try checked(cl_pipe(&ends, 0), "pipe2")
      let (readEnd, writeEnd) = (ends[0], ends[1])
      defer { close(writeEnd) }
      _ = try checked(CInt(write(writeEnd, bytes, bytes.count)), "write to a pipe")
      return ChildStream(childEnd: StreamEnd(owning: try lifted(readEnd)), parentEnd: nil)
    case .pipe:
      precondition(slot != STDIN_FILENO, "standard input is no pipe")
      var ends: [CInt] = [-1, -1]
      _ = try checked(cl_pipe(&ends, 0), "pipe2")
      return ChildStream(childEnd: StreamEnd(owning: try lifted(ends[1])), parentEnd: StreamEnd(owning: ends[0]))
    }
  }

  /// The numbers of the slots are overwritten one after another in the child; a copy above them is safe from that.
  private func copyAboveSlots(_ descriptor: CInt) throws(ProcessError) -> CInt {
    try checked(fcntl(descriptor, F_DUPFD_CLOEXEC, Self.highestSlot + 1), "fcntl F_DUPFD_CLOEXEC")
  }

  /// `descriptor`, which is ours, moved above the slots when this process was started with one of them closed.
  private func lifted(_ descriptor: CInt) throws(ProcessError) -> CInt {
    guard descriptor <= Self.highestSlot else { return descriptor }
    defer { close(descriptor) }
    return try copyAboveSlots(descriptor)
  }

  private func checked(_ result: CInt, _ call: String) throws(ProcessError) -> CInt {
    guard result >= 0 else { throw .call(call, executable: executable, errno: Errno(rawValue: errno)) }
    return result
  }
}

private func withCStrings<Result>(_ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result) -> Result {
  let copies = strings.map { strdup($0) } + [nil]
  defer { for copy in copies { free(copy) } }
  return copies.withUnsafeBufferPointer { buffer in
    guard let base = buffer.baseAddress else { preconditionFailure("the array holds at least its final NULL") }
    return body(base)
  }
}
