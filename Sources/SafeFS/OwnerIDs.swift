/// Which owners the files of this process can have: all there are, or those its user namespace maps (user_namespaces(7)).

/// The ids of users and groups that exist for this process.
public enum OwnerIDs: String, Sendable, Codable {
  /// Every id: the process is in the initial user namespace.
  case all
  /// A range of ids: root of a user namespace with subordinate ids.
  case range
  /// One id: root of a user namespace that maps nothing else.
  case single

  /// As it is now; it changes when the process enters a user namespace.
  public static var current: OwnerIDs {
    guard let bytes = try? FileSystem.readFile("/proc/self/uid_map", limit: 1 << 16) else { return .all }
    return OwnerIDs(map: String(decoding: bytes, as: UTF8.self))
  }

  /// - Parameter map: the text of `/proc/PID/uid_map`: lines with first id inside, first id outside, count.
  public init(map: String) {
    let extents = map.split(separator: "\n").map { $0.split(separator: " ").compactMap { UInt64($0) } }.filter { $0.count == 3 }
    let count = extents.reduce(0) { $0 + $1[2] }
    switch count {
    case 1: self = .single
    case UInt64(UInt32.max) where extents.count == 1 && extents[0][1] == 0: self = .all
    default: self = .range
    }
  }
}
