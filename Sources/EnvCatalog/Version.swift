/// Version numbers as tags, images and drivers write them. What a version means is the business of whoever holds it.
import EnvCore

/// A dotted number such as `11.8`, `8.9.0.131` or the driver's `450.80.02`. Compared component by component as numbers, so
/// `12.10` is newer than `12.9`; printed exactly as it was written.
public struct Version: Sendable, CustomStringConvertible {
  public let components: [Int]
  public let description: String

  /// Nil for anything but one to six groups of digits joined by dots.
  public init?(parsing text: some StringProtocol) {
    let text = String(text)
    let groups = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard (1...6).contains(groups.count) else { return nil }
    var components: [Int] = []
    for group in groups {
      guard (1...9).contains(group.count), group.allSatisfy({ (48...57).contains($0) }), let number = Int(String(Substring(group)))
      else { return nil }
      components.append(number)
    }
    self.components = components
    self.description = text
  }

  /// Whether no group has a leading zero, so that the text is the only one for its number.
  public var isCanonical: Bool { description == components.map(String.init).joined(separator: ".") }

  /// Whether this is `prefix` or a version of that series: `8.9.0` begins with `8` and with `8.9`, not with `8.9.0.1`.
  public func begins(with prefix: Version) -> Bool { components.starts(with: prefix.components) }

  /// How far `other` is away, for lexicographic comparison: nothing as long as the components are equal, then the difference, then
  /// whatever lies nearest on that side (12.0 before 12.3 for 11.8, 11.8 before 11.2 for 12.0). What this version leaves open is equal.
  func distance(to other: Version, width: Int) -> [Int] {
    var distance: [Int] = []
    var direction = 0
    for index in 0..<width {
      let theirs = index < other.components.count ? other.components[index] : 0
      if direction != 0 {
        distance.append(direction * theirs)
      } else if index < components.count {
        distance.append(abs(components[index] - theirs))
        direction = (theirs - components[index]).signum()
      } else {
        distance.append(0)
      }
    }
    return distance
  }
}

extension Version: Comparable, Hashable {
  public static func == (left: Version, right: Version) -> Bool { left.components == right.components }
  public static func < (left: Version, right: Version) -> Bool { left.components.lexicographicallyPrecedes(right.components) }
  public func hash(into hasher: inout Hasher) { hasher.combine(components) }
}

extension Version: Codable {
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let version = Version(parsing: text) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text.prefix(60))' is not a version")
    }
    self = version
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}

/// The version of a framework's release: numbers, and `b1` or `rc0` while it is not final.
public struct ReleaseVersion: Hashable, Sendable, CustomStringConvertible {
  /// A release before the final one.
  public struct Prerelease: Hashable, Sendable, Comparable {
    public enum Stage: String, Sendable, CaseIterable { case beta = "b", candidate = "rc" }

    public let stage: Stage
    public let number: Int

    public static func < (left: Prerelease, right: Prerelease) -> Bool {
      (left.stage == .beta ? 0 : 1, left.number) < (right.stage == .beta ? 0 : 1, right.number)
    }
  }

  public let numbers: Version
  public let prerelease: Prerelease?

  /// Parses `2.6.0`, `3.0.0b2`, `2.5.0rc1`, or fewer numbers where a series is meant.
  public init?(parsing text: some StringProtocol) {
    let text = String(text)
    let end = text.firstIndex { !($0.isASCII && $0.isNumber) && $0 != "." } ?? text.endIndex
    guard let numbers = Version(parsing: text[..<end]), numbers.isCanonical else { return nil }
    self.numbers = numbers
    let rest = text[end...]
    guard !rest.isEmpty else {
      prerelease = nil
      return
    }
    guard let stage = Prerelease.Stage.allCases.first(where: { rest.hasPrefix($0.rawValue) }),
      let number = Version(parsing: rest.dropFirst(stage.rawValue.count)), number.components.count == 1, number.isCanonical
    else { return nil }
    prerelease = Prerelease(stage: stage, number: number.components[0])
  }

  public var description: String { "\(numbers)" + (prerelease.map { "\($0.stage.rawValue)\($0.number)" } ?? "") }

  /// Whether a person who writes `series` may mean this release. `3.0` never means a beta of it.
  public func begins(with series: ReleaseVersion) -> Bool {
    numbers.begins(with: series.numbers) && prerelease == series.prerelease
  }
}

extension ReleaseVersion: Comparable {
  public static func < (left: ReleaseVersion, right: ReleaseVersion) -> Bool {
    guard left.numbers == right.numbers else { return left.numbers < right.numbers }
    switch (left.prerelease, right.prerelease) {
    case (let left?, let right?): return left < right
    case (.some, nil): return true
    default: return false
    }
  }
}
