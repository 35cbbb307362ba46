/// Which of many changes make a result go wrong: delta debugging over changes of which some need others. It tries nothing itself.

/// A search among changes that are numbered from 0, between an environment without any of them, which is good, and one with all, which is bad.
///
/// As in delta debugging (Zeller, Hildebrandt: "Simplifying and Isolating Failure-Inducing Input", 2002) an attempt has three outcomes. Only sets
/// that hold all their changes need are tried. In an order in which each change comes after those it needs, every beginning is such a set;
/// halving finds the shortest bad one, whose last change is part of the cause. What else is part of it is found likewise among those
/// before it: k changes out of n take about k·log₂ n attempts.
public struct ChangeSearch: Sendable {
  /// What an attempt came to.
  public enum Outcome: String, Codable, Sendable {
    case good, bad
    /// Neither: such an environment cannot be made, or fails in another way.
    case unresolved
  }

  /// Changes that make the result go wrong, and no fewer of them do as far as could be tried.
  public struct Cause: Hashable, Sendable {
    /// Ascending.
    public var changes: [Int]
    /// What these need to be made at all; without them it makes nothing go wrong.
    public var needed: [Int]
    /// Whether each is shown to matter. Otherwise environments that would tell them apart cannot be tried.
    public var isMinimal: Bool

    /// All that is changed where this cause is shown alone.
    public var applied: Set<Int> { Set(changes + needed) }
  }

  /// Everything a search found.
  public struct Finding: Hashable, Sendable {
    /// In the order in which they were found; each makes the result go wrong by itself.
    public var causes: [Cause]
    /// Whether what is left without the causes is shown to be good.
    public var isComplete: Bool
    /// Ascending; what needs a cause and so was left out with it: whether it makes the result go wrong too is not known.
    public var leftOut: [Int] = []
  }

  /// Changes that need each other are one.
  private let units: [[Int]]
  /// By change: itself and all it needs.
  private let closures: [Set<Int>]
  /// By change: itself and all that needs it.
  private let dependents: [Set<Int>]

  /// - Parameter needs: Pairs of a change and one it needs.
  public init(count: Int, needs: [(change: Int, needed: Int)]) {
    var direct = Array(repeating: Set<Int>(), count: count)
    for need in needs { direct[need.change].insert(need.needed) }
    let closures = (0..<count).map { Self.reached(from: $0, direct) }
    self.closures = closures
    dependents = (0..<count).map { change in Set((0..<count).filter { closures[$0].contains(change) }) }
    let mutual = (0..<count).map { change in closures[change].filter { closures[$0].contains(change) }.sorted() }
    // What a change needs has a smaller closure than the change, so this order has needs first.
    units = (0..<count).filter { mutual[$0].first == $0 }.map { mutual[$0] }
      .sorted { (closures[$0[0]].count, $0[0]) < (closures[$1[0]].count, $1[0]) }
  }

  /// Finds the causes.
  ///
  /// - Parameter attempt: Tries a set of changes that holds all they need. It is asked once for a set, and not for none or all of them.
  public func causes(_ attempt: (Set<Int>) throws -> Outcome) throws -> Finding {
    guard !closures.isEmpty else { return Finding(causes: [], isComplete: true) }
    var known: [Set<Int>: Outcome] = [[]: .good, Set(closures.indices): .bad]
    func outcome(_ applied: Set<Int>) throws -> Outcome {
      if let known = known[applied] { return known }
      let outcome = try attempt(applied)
      known[applied] = outcome
      return outcome
    }
    var finding = Finding(causes: [], isComplete: true)
    var left = Set(closures.indices)
    while true {
      let cause = try self.cause(in: left, outcome)
      finding.causes.append(cause)
      for change in cause.changes { left.subtract(dependents[change]) }
      finding.leftOut = Set(closures.indices).subtracting(left).subtracting(finding.causes.flatMap(\.changes)).sorted()
      switch try outcome(left) {
      case .bad: continue
      case .good: return finding
      case .unresolved:
        finding.isComplete = false
        return finding
      }
    }
  }

  /// The cause in a set of changes that is bad.
  private func cause(in all: Set<Int>, _ outcome: (Set<Int>) throws -> Outcome) throws -> Cause {
    var candidates = units.filter { all.contains($0[0]) }
    var found: [Int] = []
    var applied: Set<Int> = []
    repeat {
      let (low, high) = try shortestBad(candidates, on: applied, outcome)
      let last = candidates[low..<high].flatMap(\.self)
      found += last
      applied = closure(of: found)
      candidates = candidates[..<low].filter { !applied.contains($0[0]) }
      // With all candidates it is bad; they may not be needed for that.
    } while try !candidates.isEmpty && outcome(applied) != .bad
    return try minimal(found, outcome)
  }

  /// Halves between a beginning that is not bad and one that is, until nothing lies between them that can be told.
  private func shortestBad(
    _ candidates: [[Int]], on applied: Set<Int>, _ outcome: (Set<Int>) throws -> Outcome
  ) throws -> (low: Int, high: Int) {
    var (low, high) = (0, candidates.count)
    var untold: Set<Int> = []
    // Where the middle cannot be told, its neighbours may.
    func distance(_ place: Int) -> Int { abs(2 * place - low - high) }
    while let middle = (low + 1..<high).filter({ !untold.contains($0) }).min(by: { distance($0) < distance($1) }) {
      switch try outcome(applied.union(candidates[..<middle].flatMap(\.self))) {
      case .bad: high = middle
      case .good: low = middle
      case .unresolved: untold.insert(middle)
      }
    }
    return (low, high)
  }

  /// Leaves out what can be left out.
  private func minimal(_ found: [Int], _ outcome: (Set<Int>) throws -> Outcome) throws -> Cause {
    var changes = found
    var isMinimal = true
    var before = 0
    // What was needed beside another change may not be needed without that.
    repeat {
      (before, isMinimal) = (changes.count, true)
      for unit in units where unit.contains(where: changes.contains) {
        let rest = changes.filter { !dependents[unit[0]].contains($0) }
        guard !rest.isEmpty else { continue }
        switch try outcome(closure(of: rest)) {
        case .bad: changes = rest
        case .good: break
        case .unresolved: isMinimal = false
        }
      }
    } while changes.count < before
    return Cause(changes: changes.sorted(), needed: closure(of: changes).subtracting(changes).sorted(), isMinimal: isMinimal)
  }

  private func closure(of changes: [Int]) -> Set<Int> { changes.reduce(into: []) { $0.formUnion(closures[$1]) } }

  private static func reached(from start: Int, _ direct: [Set<Int>]) -> Set<Int> {
    var reached: Set<Int> = [start]
    var open = [start]
    while let next = open.popLast() {
      for needed in direct[next] where reached.insert(needed).inserted { open.append(needed) }
    }
    return reached
  }
}
