/// Our side of a pseudo-terminal, how a runtime hands it over, and the raw mode of the terminal a person sits at.
import CLinux
import EnvCore
import Glibc
import SystemPackage

/// Rows and columns of a terminal, in characters.
public struct WindowSize: Sendable, Hashable {
  public var rows: UInt16
  public var columns: UInt16

  public init(rows: UInt16, columns: UInt16) {
    self.rows = rows
    self.columns = columns
  }

  /// The size of the terminal at `descriptor`; nil when that is no terminal, or one that does not know its size.
  public init?(of descriptor: FileDescriptor) {
    var (rows, columns): (UInt16, UInt16) = (0, 0)
    guard cl_window_size(descriptor.rawValue, &rows, &columns) == 0, rows > 0, columns > 0 else { return nil }
    self.init(rows: rows, columns: columns)
  }
}

/// The master end of a pseudo-terminal (pty(7)). When it is closed, the processes on the other end are hung up.
public struct PseudoTerminal: ~Copyable, Sendable {
  let end: StreamEnd

  init(owning descriptor: CInt) { end = StreamEnd(owning: descriptor) }

  /// Tells the processes on it the size; they get SIGWINCH when it is news.
  public func resize(to size: WindowSize) { _ = cl_set_window_size(end.descriptor, size.rows, size.columns) }

  /// The descriptor, valid as long as this value lives.
  public var descriptor: FileDescriptor { FileDescriptor(rawValue: end.descriptor) }

  /// Whether reads and writes return at once when there is nothing to be done.
  func setNonBlocking(_ isNonBlocking: Bool) {
    let flags = fcntl(end.descriptor, F_GETFL)
    _ = fcntl(end.descriptor, F_SETFL, isNonBlocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK)
  }
}

/// A socket to which an OCI runtime sends the master end of a container's terminal (`--console-socket`).
public struct ConsoleSocket: ~Copyable, Sendable {
  /// For the runtime's command line.
  public let path: String
  private let folder: StreamEnd
  private let listener: StreamEnd

  /// Makes the socket `name` in `folder`; it vanishes with this value.
  public init(in folder: FilePath, name: String) throws(ProcessError) {
    let opened = StreamEnd(owning: cl_open(folder.string, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0))
    guard opened.descriptor >= 0 else { throw .terminal("open", object: folder.string, errno: Errno(rawValue: errno)) }
    // A socket's path is 107 bytes at most (unix(7)); by the descriptor it is short, however deep the folder lies.
    let path = "/proc/\(getpid())/fd/\(opened.descriptor)/\(name)"
    let descriptor = cl_unix_listen(path)
    guard descriptor >= 0 else { throw .terminal("bind", object: folder.appending(name).string, errno: Errno(rawValue: errno)) }
    self.path = path
    self.folder = opened
    self.listener = StreamEnd(owning: descriptor)
  }

  deinit { _ = unlink(path) }

  /// The terminal of a runtime that has come and gone: it is in the queue by then. `runtime` is for the error.
  public func receive(from runtime: String) throws(ProcessError) -> PseudoTerminal {
    let descriptor = cl_unix_receive_descriptor(listener.descriptor)
    guard descriptor >= 0 else { throw .terminal("receiving a terminal", object: runtime, errno: Errno(rawValue: errno)) }
    return PseudoTerminal(owning: descriptor)
  }
}

/// The raw mode of a terminal: every key goes through as it is. The mode before comes back when this value goes.
struct RawMode: ~Copyable {
  private let descriptor: CInt
  private let saved: termios

  /// Nil when `descriptor` is no terminal.
  init?(_ descriptor: CInt) {
    var attributes = termios()
    guard tcgetattr(descriptor, &attributes) == 0 else { return nil }
    saved = attributes
    self.descriptor = descriptor
    cfmakeraw(&attributes)
    tcsetattr(descriptor, TCSADRAIN, &attributes)
  }

  deinit {
    var attributes = saved
    tcsetattr(descriptor, TCSADRAIN, &attributes)
  }
}
