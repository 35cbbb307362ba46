/// A curve in one line of a terminal.

/// A row of block characters whose heights follow a series of numbers.
public struct Sparkline: Sendable, CustomStringConvertible {
  public let description: String

  private static let blocks = Array("▁▂▃▄▅▆▇█")

  /// - Parameters:
  ///   - values: In order; each character stands for the mean of its share of them. One that is not finite is a `×`.
  ///   - width: The most characters it may take.
  public init(_ values: [Double], width: Int = 48) {
    let count = min(width, values.count)
    let means = (0..<max(0, count)).map { index in
      let share = values[(index * values.count / count)..<((index + 1) * values.count / count)]
      return share.reduce(0, +) / Double(share.count)
    }
    let finite = means.filter(\.isFinite)
    let (low, high) = (finite.min() ?? 0, finite.max() ?? 0)
    description = String(
      means.map { mean in
        guard mean.isFinite else { return "×" }
        guard high > low else { return Self.blocks[0] }
        let level = Int(((mean - low) / (high - low) * Double(Self.blocks.count - 1)).rounded())
        return Self.blocks[level]
      })
  }
}

extension CheckReport {
  /// What a terminal shows: the verdict and the sentence that matters, the course of the first curve, then the evidence.
  public var text: [String] {
    guard let curve = curves.first, let first = curve.run.first, let last = curve.run.last else { return lines }
    let course = "  \(curve.name)  \(Sparkline(curve.run.map(\.y)))  \(decimal(first.y, digits: 4)) → \(decimal(last.y, digits: 4))"
    return lines.prefix(2) + [course] + lines.dropFirst(2)
  }
}
