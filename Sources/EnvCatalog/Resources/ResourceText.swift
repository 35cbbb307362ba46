/// The texts in which limits are written, the same in envctl.yaml and after flags.

/// A text that names no limit: what was expected in its place.
public struct ResourceTextError: Error, Equatable {
  public let expected: String
}

extension ResourceRequest {
  /// The limits that are one text each, by their names in envctl.yaml and as flags.
  public enum Key: String, CaseIterable, Sendable {
    case cpus, cpuset, memory, pids, shm
    case memorySwap = "memory-swap"
    case cgroupParent = "cgroup-parent"
  }

  /// Sets a limit from its text.
  public mutating func set(_ key: Key, to text: String) throws(ResourceTextError) {
    switch key {
    case .cpus: milliCPUs = try Self.milliCPUs(text)
    case .cpuset: cpuSet = try Self.processorList(text)
    case .memory: memory = try Self.bytes(text)
    case .memorySwap: memorySwap = try Self.bytes(text)
    case .pids:
      guard let count = Int64(text), count > 0 else { throw ResourceTextError(expected: "a number of processes above 0") }
      processes = count
    case .shm: sharedMemory = try Self.bytes(text)
    case .cgroupParent:
      let parts = text.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
      guard text.hasPrefix("/"), !parts.isEmpty, parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." }) else {
        throw ResourceTextError(expected: "a cgroup's path such as /envctl")
      }
      cgroupParent = text
    }
  }

  /// Adds the limit of setrlimit(2) that `text` gives to `name`: `SOFT:HARD`, one number for both, or `unlimited`.
  public mutating func setUlimit(_ name: String, to text: String) throws(ResourceTextError) {
    guard Self.ulimitNames.contains(name) else {
      throw ResourceTextError(expected: "the name of a limit: " + Self.ulimitNames.joined(separator: ", "))
    }
    let values = text.split(separator: ":", omittingEmptySubsequences: false).map { $0 == "unlimited" ? UInt64.max : UInt64($0) }
    guard values.count <= 2, let soft = values.first ?? nil, let hard = values.last ?? nil, soft <= hard else {
      throw ResourceTextError(expected: "a number, SOFT:HARD or unlimited")
    }
    ulimits[name] = Ulimit(soft: soft, hard: hard)
  }

  /// Adds a limit of huge pages: sizes of a page and of all pages together.
  public mutating func setHugepages(_ page: String, to text: String) throws(ResourceTextError) {
    let (page, total) = (try Self.bytes(page, least: 4096), try Self.bytes(text, least: 0))
    guard page & (page - 1) == 0 else { throw ResourceTextError(expected: "the size of a huge page, such as 2MiB") }
    guard total % page == 0 else { throw ResourceTextError(expected: "a multiple of the page's size") }
    hugepages[page] = total
  }

  /// Adds a device: `PATH[:PATH IN THE CONTAINER][:PERMISSIONS]`.
  public mutating func addDevice(_ text: String) throws(ResourceTextError) {
    var parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    var permissions = "rwm"
    if parts.count > 1, let last = parts.last, !last.hasPrefix("/") { permissions = parts.removeLast() }
    let isPath = { (path: String) in path.hasPrefix("/") && path.count > 1 && !path.split(separator: "/").contains("..") }
    guard (1...2).contains(parts.count), parts.allSatisfy(isPath), !permissions.isEmpty, permissions.allSatisfy("rwm".contains),
      Set(permissions).count == permissions.count
    else { throw ResourceTextError(expected: "a device such as /dev/fuse, /dev/sdb:/dev/data or /dev/sdb:/dev/data:r") }
    guard !devices.contains(where: { $0.destination == parts[parts.count - 1] }) else {
      throw ResourceTextError(expected: "each device once")
    }
    devices.append(HostDevice(path: parts[0], destination: parts[parts.count - 1], permissions: permissions))
  }

  /// What can only be said of several limits together.
  public func requireConsistency() throws(ResourceTextError) {
    guard let memorySwap else { return }
    guard let memory, memorySwap >= memory else {
      throw ResourceTextError(expected: "memory-swap to be memory and swap together, and so no less than memory")
    }
  }

  /// The names setrlimit(2) lists.
  public static let ulimitNames = [
    "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio", "rttime",
    "sigpending",
    "stack",
  ]

  private static let units: [(String, Int64)] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40), ("", 1)]

  /// A number of bytes with or without a binary unit. Units such as `8G`, which some programs take for 10⁹ and others for 2³⁰, are refused.
  private static func bytes(_ text: String, least: Int64 = 4 << 20) throws(ResourceTextError) -> Int64 {
    for (unit, factor) in units where text.hasSuffix(unit) {
      guard let number = Int64(text.dropLast(unit.count)), number >= 0 else { break }
      let (bytes, isTooMuch) = number.multipliedReportingOverflow(by: factor)
      guard !isTooMuch, bytes >= least else { break }
      return bytes
    }
    throw ResourceTextError(expected: "a size such as 512MiB or 8GiB" + (least > 4096 ? ", at least 4MiB" : ""))
  }

  /// Bytes as they are written here, in the largest unit that divides them.
  public static func binarySize(_ bytes: Int64) -> String {
    let unit = units.prefix(4).last { bytes >= $0.1 && bytes % $0.1 == 0 }
    return unit.map { "\(bytes / $0.1) \($0.0)" } ?? "\(bytes) B"
  }

  /// Processors with up to three decimals.
  private static func milliCPUs(_ text: String) throws(ResourceTextError) -> Int64 {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    let fraction = parts.count == 2 ? String(parts[1]) : "0"
    let isNumber = parts.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy { (48...57).contains($0) } }
    guard parts.count <= 2, isNumber, fraction.count <= 3, let whole = Int64(parts[0]), whole < 100_000,
      let thousandths = Int64(fraction + String(repeating: "0", count: 3 - fraction.count)), whole * 1000 + thousandths >= 10
    else { throw ResourceTextError(expected: "a number of processors such as 2 or 2.5, at least 0.01") }
    return whole * 1000 + thousandths
  }

  /// A list of processors in the kernel's own form (cpuset(7), "List format").
  private static func processorList(_ text: String) throws(ResourceTextError) -> String {
    guard let processors = processors(text), !processors.isEmpty else {
      throw ResourceTextError(expected: "a list of processors such as 0-3,8")
    }
    var ranges: [ClosedRange<Int>] = []
    for processor in processors.sorted() {
      if let last = ranges.last, last.upperBound + 1 == processor {
        ranges[ranges.count - 1] = last.lowerBound...processor
      } else {
        ranges.append(processor...processor)
      }
    }
    return ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ",")
  }

  /// The numbers in a list such as `0-3,8`; nil when it is none.
  public static func processors(_ text: String) -> Set<Int>? {
    var numbers: Set<Int> = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
      guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1], (0...last).contains(first), last < 65_536
      else { return nil }
      numbers.formUnion(first...last)
    }
    return numbers
  }
}
