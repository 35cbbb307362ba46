/// A terminal with somebody typing at it: what a person's keyboard, screen and window are to a program.
import ChildProcess
import EnvCore
import Glibc
import SystemPackage
import Testing

/// A pseudo-terminal whose other end a program under test has as its controlling terminal. Reads and waits are bounded in time.
public final class PersonsTerminal {
  private let master: FileDescriptor
  private let slave: FileDescriptor
  /// All that was written so far.
  public private(set) var screen = ""
  /// Up to where `expect` has read.
  private var seen: String.Index

  /// Something that did not appear on the screen.
  public struct NotSeen: Error, CustomStringConvertible {
    public let wanted: String
    public let screen: String
    public var description: String { "'\(wanted)' did not appear; the screen shows: \(screen.debugDescription)" }
  }

  public init(rows: UInt16 = 24, columns: UInt16 = 80) throws {
    // openpty(3), which Swift's Glibc module does not show.
    typealias Open =
      @convention(c) (
        UnsafeMutablePointer<CInt>, UnsafeMutablePointer<CInt>, UnsafeMutableRawPointer?, UnsafeRawPointer?, UnsafePointer<winsize>?
      ) -> CInt
    guard let symbol = dlsym(nil, "openpty") else { throw Errno.notSupported }
    var (first, second): (CInt, CInt) = (-1, -1)
    var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
    guard unsafeBitCast(symbol, to: Open.self)(&first, &second, nil, nil, &size) == 0 else { throw Errno(rawValue: errno) }
    for descriptor in [first, second] { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
    master = FileDescriptor(rawValue: first)
    slave = FileDescriptor(rawValue: second)
    seen = screen.startIndex
  }

  deinit {
    try? master.close()
    try? slave.close()
  }

  /// Starts a program whose controlling terminal this is.
  public func start(_ command: Command) throws -> ChildProcess {
    // setsid(1) takes the terminal for its own, and becomes the program.
    var child = Command(
      try Executable.find("setsid"), ["--ctty", command.executable.string] + command.arguments, environment: command.environment)
    child.workingDirectory = command.workingDirectory
    child.standardInput = .descriptor(slave)
    child.standardOutput = .descriptor(slave)
    child.standardError = .descriptor(slave)
    return try child.start()
  }

  public func type(_ keys: String) throws { _ = try master.writeAll(Array(keys.utf8)) }

  /// Waits until `text` appears after what was expected before.
  public func expect(_ text: String, within time: Duration = .seconds(20)) throws {
    let end = ContinuousClock.now + time
    while true {
      if let range = screen[seen...].firstRange(of: text) {
        seen = range.upperBound
        return
      }
      guard ContinuousClock.now < end, read(before: end) else { throw NotSeen(wanted: text, screen: screen) }
    }
  }

  /// Makes the window another size, as a window manager would.
  public func resize(rows: UInt16, columns: UInt16) throws {
    typealias Control = @convention(c) (CInt, CUnsignedLong, UnsafeRawPointer) -> CInt
    guard let symbol = dlsym(nil, "ioctl") else { throw Errno.notSupported }
    var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
    guard unsafeBitCast(symbol, to: Control.self)(master.rawValue, CUnsignedLong(TIOCSWINSZ), &size) == 0 else {
      throw Errno(rawValue: errno)
    }
  }

  /// Whether keys are lines with echo, as a shell leaves the terminal, or go through raw.
  public var isRaw: Bool {
    var attributes = termios()
    tcgetattr(slave.rawValue, &attributes)
    return attributes.c_lflag & tcflag_t(ICANON | ECHO | ISIG) == 0
  }

  private func read(before end: ContinuousClock.Instant) -> Bool {
    var entry = pollfd(fd: master.rawValue, events: Int16(POLLIN), revents: 0)
    let left = max(0, (end - ContinuousClock.now).seconds)
    guard poll(&entry, 1, CInt(clamping: Int64((left * 1000).rounded(.up)))) > 0 else { return false }
    let bytes = [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
      count = max(0, Glibc.read(master.rawValue, buffer.baseAddress, buffer.count))
    }
    let offset = screen.utf8.distance(from: screen.startIndex, to: seen)
    // Characters and not graphemes matter to a terminal; "\r\n" would be one.
    screen += String(decoding: bytes.filter { $0 != 13 }, as: UTF8.self)
    seen = screen.utf8.index(screen.startIndex, offsetBy: offset)
    return !bytes.isEmpty
  }
}
