/// Which changes are found, and in how many attempts, when what makes a result go wrong is known beforehand.
import Testing

@testable import EnvDrift

@Suite struct ChangeSearchTests {
  /// What a search tried.
  private final class Laboratory {
    private(set) var tried: [Set<Int>] = []
    let outcome: (Set<Int>) -> ChangeSearch.Outcome

    init(_ outcome: @escaping (Set<Int>) -> ChangeSearch.Outcome) { self.outcome = outcome }

    func attempt(_ applied: Set<Int>) -> ChangeSearch.Outcome {
      #expect(!tried.contains(applied), "\(applied.sorted()) is tried twice")
      tried.append(applied)
      return outcome(applied)
    }

    func search(_ count: Int, needs: [(change: Int, needed: Int)] = []) throws -> ChangeSearch.Finding {
      let finding = try ChangeSearch(count: count, needs: needs).causes(attempt)
      for applied in tried {
        for need in needs where applied.contains(need.change) { #expect(applied.contains(need.needed), "\(applied) lacks \(need.needed)") }
        #expect(!applied.isEmpty && applied.count < count)
      }
      return finding
    }
  }

  private func cause(_ changes: Int..., needed: [Int] = []) -> ChangeSearch.Cause {
    ChangeSearch.Cause(changes: changes, needed: needed, isMinimal: true)
  }

  @Test func theOnlyChangeIsTheCause() throws {
    let laboratory = Laboratory { _ in .good }
    #expect(try laboratory.search(1) == ChangeSearch.Finding(causes: [cause(0)], isComplete: true))
    #expect(laboratory.tried.isEmpty)
  }

  @Test(arguments: 0..<64) func oneOfMany(_ culprit: Int) throws {
    let laboratory = Laboratory { $0.contains(culprit) ? .bad : .good }
    #expect(try laboratory.search(64).causes == [cause(culprit)])
    // Six halvings, the culprit alone, and all the others.
    #expect(laboratory.tried.count <= 8)
  }

  @Test func twoThatActTogether() throws {
    for first in 0..<12 {
      for second in (first + 1)..<12 {
        let laboratory = Laboratory { $0.isSuperset(of: [first, second]) ? .bad : .good }
        let finding = try laboratory.search(12)
        #expect(finding == ChangeSearch.Finding(causes: [cause(first, second)], isComplete: true))
        #expect(laboratory.tried.count <= 14)
      }
    }
  }

  @Test func twoThatActEachByItself() throws {
    let laboratory = Laboratory { $0.contains(3) || $0.contains(8) ? .bad : .good }
    let finding = try laboratory.search(10)
    #expect(Set(finding.causes.map(\.changes)) == [[3], [8]])
    #expect(finding.isComplete)
  }

  @Test func whatNeedsOthersBringsThemAlong() throws {
    // 4 needs 7, which needs 9; 4 is the cause, the others are only there for it.
    let laboratory = Laboratory { $0.contains(4) ? .bad : .good }
    let finding = try laboratory.search(10, needs: [(4, 7), (7, 9)])
    #expect(finding == ChangeSearch.Finding(causes: [cause(4, needed: [7, 9])], isComplete: true))
  }

  @Test func whatIsNeededMayBeTheCause() throws {
    let laboratory = Laboratory { $0.contains(9) ? .bad : .good }
    let finding = try laboratory.search(10, needs: [(4, 7), (7, 9)])
    #expect(finding == ChangeSearch.Finding(causes: [cause(9)], isComplete: true, leftOut: [4, 7]))
  }

  @Test func whatNeedsEachOtherIsOneChange() throws {
    let laboratory = Laboratory { $0.contains(2) ? .bad : .good }
    let finding = try laboratory.search(6, needs: [(2, 5), (5, 2)])
    #expect(finding == ChangeSearch.Finding(causes: [cause(2, 5)], isComplete: true))
  }

  @Test func anAttemptThatCannotBeToldIsGoneAround() throws {
    // Changes 5 and 6 must be made together, which nobody said; 2 is the cause.
    let laboratory = Laboratory { applied in
      applied.contains(5) != applied.contains(6) ? .unresolved : applied.contains(2) ? .bad : .good
    }
    #expect(try laboratory.search(10) == ChangeSearch.Finding(causes: [cause(2)], isComplete: true))
  }

  @Test func whatCannotBeToldApartIsSaid() throws {
    // Of 3, 4 and 5 all are tried together or the environment does not start.
    let laboratory = Laboratory { applied in
      let made = applied.intersection([3, 4, 5]).count
      return made == 0 ? .good : made == 3 ? .bad : .unresolved
    }
    let finding = try laboratory.search(8)
    #expect(finding.causes == [ChangeSearch.Cause(changes: [3, 4, 5], needed: [], isMinimal: false)])
    #expect(finding.isComplete)
  }

  @Test func nothingInBetweenStarts() throws {
    let laboratory = Laboratory { _ in .unresolved }
    let finding = try laboratory.search(4)
    #expect(finding.causes == [ChangeSearch.Cause(changes: [0, 1, 2, 3], needed: [], isMinimal: false)])
  }

  @Test func whatIsLeftAndCannotBeToldIsSaid() throws {
    let laboratory = Laboratory { applied in applied == [0, 2, 3] ? .unresolved : applied.contains(1) ? .bad : .good }
    let finding = try laboratory.search(4)
    #expect(finding == ChangeSearch.Finding(causes: [cause(1)], isComplete: false))
  }

  @Test func oneThatHidesAnotherStaysOut() throws {
    // 6 undoes what 2 does, unless 4 is there: all together are bad, and {2} alone is a cause too.
    let laboratory = Laboratory { applied in
      applied.contains(2) && (!applied.contains(6) || applied.contains(4)) ? .bad : .good
    }
    let finding = try laboratory.search(8)
    #expect(finding.causes == [cause(2)])
  }

  @Test func everyCauseIsBadAndNothingLessIs() throws {
    // A thousand rules drawn from a fixed stream: up to three changes act together, and some need others.
    var generator = Stream(state: 2002)
    for _ in 0..<1000 {
      let count = Int.random(in: 2...14, using: &generator)
      let culprits = Set((0..<Int.random(in: 1...3, using: &generator)).map { _ in Int.random(in: 0..<count, using: &generator) })
      var needs: [(change: Int, needed: Int)] = []
      for _ in 0..<Int.random(in: 0...4, using: &generator) {
        let (change, needed) = (Int.random(in: 0..<count, using: &generator), Int.random(in: 0..<count, using: &generator))
        if change != needed { needs.append((change, needed)) }
      }
      let laboratory = Laboratory { $0.isSuperset(of: culprits) ? .bad : .good }
      let finding = try laboratory.search(count, needs: needs)
      let cause = try #require(finding.causes.first)
      #expect(finding.causes.count == 1 && finding.isComplete && cause.isMinimal)
      #expect(cause.applied.isSuperset(of: culprits))
      // What is named and no culprit comes from one that is: they need each other.
      let named = Set(cause.changes).subtracting(culprits)
      #expect(named.allSatisfy { extra in needs.contains { $0.change == extra } && needs.contains { $0.needed == extra } })
    }
  }

  /// A small generator (xorshift, Marsaglia 2003), so that a failure can be had again.
  private struct Stream: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return state
    }
  }
}
