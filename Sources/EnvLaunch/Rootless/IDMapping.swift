/// Which ids of the host a user namespace shows under which numbers: newuidmap(1), subuid(5). It reads no file.

/// A run of ids that belong to a user.
struct SubordinateRange: Hashable, Sendable {
  let first: UInt32
  let count: UInt32

  /// The ranges subuid(5) or subgid(5) gives to a user, who may stand there by name or by number. Lines that are not well formed count for
  /// nothing, as they do for newuidmap(1).
  static func parse(_ bytes: [UInt8], name: String?, id: UInt32) -> [SubordinateRange] {
    bytes.split(separator: UInt8(ascii: "\n")).compactMap { line in
      let fields = String(decoding: line, as: UTF8.self).split(separator: ":", omittingEmptySubsequences: false)
      guard fields.count == 3, fields[0] == "\(id)" || name.map({ fields[0] == $0 }) ?? false,
        let first = UInt32(fields[1]), let count = UInt32(fields[2]), count > 0, first.addingReportingOverflow(count).overflow == false
      else { return nil }
      return SubordinateRange(first: first, count: count)
    }
  }
}

/// The ids of a user namespace: root inside is the user outside, and the ids from 1 on are the user's subordinate ones.
struct IDMapping: Hashable, Sendable {
  struct Extent: Hashable, Sendable {
    let inside: UInt32
    let outside: UInt32
    let count: UInt32
  }

  let extents: [Extent]

  init(user: UInt32, subordinate: [SubordinateRange]) {
    var extents = [Extent(inside: 0, outside: user, count: 1)]
    var next: UInt32 = 1
    for range in subordinate {
      // The kernel refuses a map that names an id twice, and one of more than 340 lines.
      guard !(range.first..<(range.first + range.count)).contains(user), extents.count < 340 else { continue }
      let count = min(range.count, UInt32.max - next)
      extents.append(Extent(inside: next, outside: range.first, count: count))
      next += count
    }
    self.extents = extents
  }

  /// As newuidmap(1) and newgidmap(1) take them after the process.
  var arguments: [String] { extents.flatMap { ["\($0.inside)", "\($0.outside)", "\($0.count)"] } }

  /// As the kernel takes them in `/proc/PID/uid_map`.
  var text: String { extents.map { "\($0.inside) \($0.outside) \($0.count)\n" }.joined() }
}
