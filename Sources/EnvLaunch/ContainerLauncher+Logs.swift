/// What a workspace's first process has written, and what it writes next.
import ChildProcess
import EnvCore
import Glibc
import SafeFS
import SystemPackage

extension ContainerLauncher {
  /// Hands over the log of workspace `id` in pieces.
  ///
  /// - Parameters:
  ///   - tail: Only so many lines from its end; nil is all.
  ///   - following: What is written later as well, until the workspace stops.
  public func readLog(of id: String, tail: Int? = nil, following: Bool = false, _ receive: (RawSpan) throws -> Void) throws {
    let workspace = try workspace(id)
    let file = layout.workspace(id).log
    guard FileSystem.exists(file) else { return }
    let process = following ? try runningProcess(of: workspace).flatMap { ProcessHandle(pid: $0.pid) } : nil
    let log = try OwnedDescriptor.read(file)
    if let tail { try log.seek(to: try Self.offset(ofLast: tail, in: log)) }
    guard let process else { return try log.forEachChunk(receive) }
    var hasEnded = false
    // Once more after the end, for what was written last.
    while true {
      try log.forEachChunk(of: 1 << 16, receive)
      if hasEnded { return }
      hasEnded = process.waitForEnd(within: .milliseconds(100))
    }
  }

  /// Where the last `count` lines of a file begin. It is read from its end in pieces, so that a long log costs what is shown of it.
  private static func offset(ofLast count: Int, in file: borrowing OwnedDescriptor) throws -> Int64 {
    let size = try file.status().size
    var (start, found) = (size, 0)
    guard count > 0 else { return size }
    while start > 0 {
      let length = min(start, 1 << 16)
      start -= length
      let piece = try file.read(at: start, count: Int(length))
      for (index, byte) in piece.enumerated().reversed() where byte == UInt8(ascii: "\n") {
        // A newline at the very end closes the last line.
        if start + Int64(index) == size - 1 { continue }
        found += 1
        if found == count { return start + Int64(index) + 1 }
      }
    }
    return 0
  }
}
