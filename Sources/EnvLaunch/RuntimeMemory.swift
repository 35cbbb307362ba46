/// What trying the runtimes has taught, and on which host and binary it was learnt.
import ChildProcess
import EnvCore
import Glibc
import SafeFS
import SystemPackage

/// Verdicts on runtimes, valid for one boot of one kernel and one user.
struct RuntimeMemory: Codable, Sendable {
  /// A runtime that works, or why it does not.
  struct Verdict: Codable, Sendable {
    let runtime: Runtime?
    let reason: String?
  }

  private struct Entry: Codable {
    let size: Int64
    let modified: Int64
    let inode: UInt64
    let verdict: Verdict
  }

  private let host: String
  private var entries: [String: Entry]

  /// The answers kept in `file`; none when it is absent, unreadable or from another host.
  static func load(from file: FilePath) -> RuntimeMemory {
    let host = currentHost()
    let bytes = try? FileSystem.readFile(file, limit: 1 << 20)
    let kept = bytes.flatMap { try? CanonicalJSON.decode(RuntimeMemory.self, from: $0, object: file.string) }
    return kept.flatMap { $0.host == host ? $0 : nil } ?? RuntimeMemory(host: host, entries: [:])
  }

  /// What is known about the binary as it lies there now.
  func verdict(on path: FilePath) -> Verdict? {
    guard let entry = entries[path.string], let now = Self.seal(path) else { return nil }
    return entry.size == now.size && entry.modified == now.modified && entry.inode == now.inode ? entry.verdict : nil
  }

  mutating func record(_ verdict: Verdict, on path: FilePath) throws {
    guard let seal = Self.seal(path) else { return }
    entries[path.string] = Entry(size: seal.size, modified: seal.modified, inode: seal.inode, verdict: verdict)
  }

  private static func seal(_ path: FilePath) -> (size: Int64, modified: Int64, inode: UInt64)? {
    var value = stat()
    guard stat(path.string, &value) == 0 else { return nil }
    return (Int64(value.st_size), Int64(value.st_mtim.tv_sec) * 1_000_000_000 + Int64(value.st_mtim.tv_nsec), UInt64(value.st_ino))
  }

  /// Kernel release, boot and user: any of them may change what a runtime can do; and what was tried, which was less in earlier versions.
  private static func currentHost() -> String {
    func line(_ path: FilePath) -> String {
      guard let bytes = try? FileSystem.readFile(path, limit: 4096) else { return "" }
      return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }
    let parts = [
      line("/proc/sys/kernel/osrelease"), line("/proc/sys/kernel/random/boot_id"), "\(geteuid())", OwnerIDs.current.rawValue,
      "failing hooks",
    ]
    return parts.joined(separator: " ")
  }
}
