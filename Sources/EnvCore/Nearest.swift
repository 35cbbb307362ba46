/// "Did you mean": the candidates closest to a mistyped name.

/// The candidates within a third of the name's length (at least two) of edits, nearest first, three at most.
///
/// The distance is the optimal string alignment distance: insertion, deletion, substitution and transposition of neighbours each cost one.
public func nearest(to name: String, among candidates: some Sequence<String>) -> [String] {
  let limit = max(2, name.count / 3)
  return
    candidates
    .map { (candidate: $0, distance: alignmentDistance(Array(name.lowercased()), Array($0.lowercased()))) }
    .filter { $0.distance <= limit || (!name.isEmpty && $0.candidate.hasPrefix(name)) }
    .sorted { ($0.distance, $0.candidate) < ($1.distance, $1.candidate) }
    .prefix(3)
    .map(\.candidate)
}

/// A hint listing `nearest`, or nothing when no candidate is near.
public func didYouMean(_ name: String, among candidates: some Sequence<String>) -> String? {
  let found = nearest(to: name, among: candidates)
  return found.isEmpty ? nil : "did you mean " + found.map { "'\($0)'" }.joined(separator: ", ") + "?"
}

private func alignmentDistance(_ left: [Character], _ right: [Character]) -> Int {
  var beforePrevious: [Int] = []
  var previous = Array(0...right.count)
  for (i, a) in left.enumerated() {
    var current = [i + 1]
    for (j, b) in right.enumerated() {
      var best = min(previous[j + 1] + 1, current[j] + 1, previous[j] + (a == b ? 0 : 1))
      if i > 0, j > 0, a == right[j - 1], left[i - 1] == b { best = min(best, beforePrevious[j - 1] + 1) }
      current.append(best)
    }
    (beforePrevious, previous) = (previous, current)
  }
  return previous[right.count]
}
