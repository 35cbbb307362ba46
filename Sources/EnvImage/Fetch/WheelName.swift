/// Names in the Python packaging world, read as its specifications say.

/// A wheel's file name taken apart (binary distribution format, "File name convention").
struct WheelName: Equatable, Sendable {
  /// Normalised (PEP 503).
  let project: String
  let version: String

  init?(_ filename: String) {
    guard filename.hasSuffix(".whl") else { return nil }
    let parts = filename.dropLast(4).split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 5 || parts.count == 6, parts.allSatisfy({ !$0.isEmpty }) else { return nil }
    project = normalizedProject(parts[0])
    version = String(parts[1])
  }
}

/// A project's name with case and separators made equal (PEP 503, "Normalized Names").
public func normalizedProject(_ name: some StringProtocol) -> String {
  name.lowercased().split { $0 == "-" || $0 == "_" || $0 == "." }.joined(separator: "-")
}
