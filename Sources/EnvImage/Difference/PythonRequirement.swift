/// What a wheel says it requires (PEP 508), as far as versions can be compared without running Python (PEP 440). What is not understood
/// here counts as met: whoever tries it finds out.

/// One `Requires-Dist` of a wheel.
struct PythonRequirement: Equatable {
  /// Normalised (PEP 503).
  let project: String
  let specifiers: [Specifier]

  struct Specifier: Equatable {
    var comparison: String
    var version: String
  }

  /// Nil for one that only an extra asks for, and for what names no project.
  ///
  /// Other environment markers are not judged: a project they rule out is in neither lock, or is there for another reason.
  init?(_ text: String) {
    let (requirement, marker) = split(text, at: ";")
    guard !marker.contains("extra") else { return nil }
    let name = requirement.prefix { $0.isLetter || $0.isNumber || "._-".contains($0) }
    guard !name.isEmpty else { return nil }
    project = normalizedProject(name)
    // `[extras]` stand between the name and the versions, which older tools put in parentheses.
    let rest = requirement.dropFirst(name.count)
    let versions = rest.contains("]") ? rest[rest.index(after: rest.lastIndex(of: "]") ?? rest.startIndex)...] : rest
    specifiers = versions.filter { !$0.isWhitespace && $0 != "(" && $0 != ")" }.split(separator: ",").compactMap { text in
      let comparison = text.prefix { "<>=!~".contains($0) }
      return comparison.isEmpty ? nil : Specifier(comparison: String(comparison), version: String(text.dropFirst(comparison.count)))
    }
  }

  /// Whether a version, or none, is what is required.
  func isMet(by version: String?) -> Bool {
    guard let version else { return false }
    return specifiers.allSatisfy { $0.admits(version) }
  }
}

extension PythonRequirement.Specifier {
  fileprivate func admits(_ candidate: String) -> Bool {
    if version.hasSuffix(".*"), let series = PythonVersion(String(version.dropLast(2))), let actual = PythonVersion(candidate) {
      return actual.begins(with: series) == (comparison != "!=")
    }
    guard let wanted = PythonVersion(version), let actual = PythonVersion(candidate) else { return true }
    return switch comparison {
    case "==": actual == wanted
    case "!=": actual != wanted
    case ">=": actual >= wanted
    case "<=": actual <= wanted
    case ">": actual > wanted
    // What comes before a final release is no earlier one.
    case "<": actual < wanted && !(wanted.isFinal && !actual.isFinal && actual.begins(with: wanted) && wanted.begins(with: actual))
    // Compatible release: `~= 2.2.1` is `>= 2.2.1` and `== 2.2.*`.
    case "~=": actual >= wanted && actual.begins(with: wanted.series)
    default: true
    }
  }
}

/// The numbers of a release and whether it is one before the final; local, post and development parts are left out.
struct PythonVersion: Comparable {
  private let release: [Int]
  /// `a`, `b` or `rc` with its number; nil for the final release, which comes after them.
  private let prerelease: [Int]?

  init?(_ text: String) {
    let numbers = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    let parts = numbers.split(separator: ".").map { Int($0) }
    guard !parts.isEmpty, parts.allSatisfy({ $0 != nil }) else { return nil }
    release = parts.compactMap(\.self)
    let rest = text.dropFirst(numbers.count)
    let stage = ["a", "b", "rc"].firstIndex { rest.hasPrefix($0) }
    prerelease = stage.map { stage in [stage, Int(rest.drop { !$0.isNumber }.prefix { $0.isNumber }) ?? 0] }
  }

  private init(release: [Int]) {
    self.release = release
    prerelease = nil
  }

  var isFinal: Bool { prerelease == nil }

  /// The version without its last number.
  var series: PythonVersion { PythonVersion(release: release.dropLast()) }

  func begins(with series: PythonVersion) -> Bool { padded(series.release.count).starts(with: series.release) }

  /// `1.0` and `1.0.0` are one version.
  private func padded(_ count: Int) -> [Int] { release + Array(repeating: 0, count: max(0, count - release.count)) }

  static func == (left: PythonVersion, right: PythonVersion) -> Bool { !(left < right) && !(right < left) }

  static func < (left: PythonVersion, right: PythonVersion) -> Bool {
    let count = max(left.release.count, right.release.count)
    let (first, second) = (left.padded(count), right.padded(count))
    guard first == second else { return first.lexicographicallyPrecedes(second) }
    switch (left.prerelease, right.prerelease) {
    case (let left?, let right?): return left.lexicographicallyPrecedes(right)
    case (.some, nil): return true
    default: return false
    }
  }
}
