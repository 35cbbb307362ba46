/// What the kernel says of this host's processor and of itself, as the reference workload reads it (`environment.py`).
import EnvCore
import EnvDrift
import Hashing
import SafeFS
import SystemPackage

struct HostFacts {
  /// The first processor's fields in /proc/cpuinfo.
  let processor: [String: String]
  /// Release of the running kernel.
  let kernel: String

  init() throws {
    func text(_ path: FilePath) throws -> String { String(decoding: try FileSystem.readFile(path, limit: 8 << 20), as: UTF8.self) }
    processor = Self.fields(try text("/proc/cpuinfo"))
    kernel = try text("/proc/sys/kernel/osrelease").split(separator: "\n").first.map(String.init) ?? ""
  }

  /// `name : value` lines; of several processors the first.
  static func fields(_ text: String) -> [String: String] {
    let pairs = text.split(separator: "\n").compactMap { line -> (String, String)? in
      let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map { String($0.trimmingBlanks) }
      return parts.count == 2 ? (parts[0], parts[1]) : nil
    }
    return Dictionary(pairs) { first, _ in first }
  }

  /// A processor as the workload would report it, where it would look for the instruction sets `known`.
  func reported(lookingFor known: Set<String>, like other: Environment.CPU) -> Environment.CPU {
    let flags = (processor["flags"] ?? processor["Features"] ?? "").split(separator: " ").map(String.init).sorted()
    var reported = other
    reported.model = processor["model name"] ?? other.model
    reported.flags = other.flags.filter(flags.contains) + known.subtracting(other.flags).filter(flags.contains).sorted()
    reported.flagsDigest = Digest.sha256(of: Array(flags.joined(separator: " ").utf8))
    reported.vendor = processor["vendor_id"] ?? processor["CPU implementer"]
    reported.signature = ["cpu family", "model", "stepping"].map { processor[$0] ?? "?" }.joined(separator: "/")
    reported.microcode = processor["microcode"]
    return reported
  }
}

extension Substring {
  fileprivate var trimmingBlanks: Substring {
    let start = drop { $0 == " " || $0 == "\t" }
    return start.lastIndex { $0 != " " && $0 != "\t" }.map { start[...$0] } ?? ""
  }
}
