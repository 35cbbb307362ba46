/// A check as all its forms need it: HTML, text, Markdown, JUnit, SARIF. It is made of the reference workload's verdict or of that of a
/// program of one's own, and knows neither.
import EnvCore
import EnvDrift

/// What a check has to show.
public struct CheckReport: Sendable {
  /// What the verdict means to whoever waits for it.
  public enum Standing: String, Sendable { case identical, equivalent, drift, broken }

  /// What is taken for noise, over the steps of a curve.
  public enum CurveBand: Sendable {
    case even(Double)
    /// As it was measured, for step 1 and those after it; of steps beyond them that of the last.
    case steps([Double])

    func at(_ step: Double) -> Double {
      switch self {
      case .even(let band): band
      case .steps(let bands): bands.isEmpty ? 0 : bands[min(max(Int(step) - 1, 0), bands.count - 1)]
      }
    }
  }

  /// A quantity over the steps of a run, beside what was expected.
  public struct Curve: Sendable {
    /// Such as `float64 loss`.
    public var name: String
    /// By step.
    public var baseline: [Plot.Point]
    public var run: [Plot.Point]
    /// The largest relative deviation that is taken for noise.
    public var band: CurveBand
    /// The first step beyond the band.
    public var firstBeyond: Int?
    /// The deviation of each step that both have: |a − b| over the larger magnitude.
    public var deviations: [Plot.Point]

    public init(name: String, baseline: [Plot.Point], run: [Plot.Point], band: CurveBand) {
      self.name = name
      self.baseline = baseline
      self.run = run
      self.band = band
      let expected = Dictionary(baseline.map { ($0.x, $0.y) }) { first, _ in first }
      deviations = run.compactMap { point in expected[point.x].map { Plot.Point(point.x, relativeDeviation($0, point.y)) } }
      firstBeyond = deviations.first { !($0.y <= band.at($0.x)) }.map { Int($0.x) }
    }
  }

  /// Scores of the same things, expected (x) and measured (y).
  public struct Scatter: Sendable {
    /// Such as `float64 scores`.
    public var name: String
    public var step: Int?
    public var pairs: [Plot.Point]
    /// The largest absolute deviation that is taken for noise.
    public var band: Double

    public init(name: String, step: Int?, pairs: [Plot.Point], band: Double) {
      self.name = name
      self.step = step
      self.pairs = pairs
      self.band = band
    }
  }

  /// One thing that was compared.
  public struct Row: Sendable {
    public enum Agreement: String, Sendable {
      case equalBits = "equal bits"
      case withinBand = "within band"
      /// A digest that is another one, which alone is no drift.
      case otherBits = "other bits"
      case beyondBand = "beyond band"
    }
    /// Such as `float64 loss`.
    public var name: String
    /// How far off it is at most; nil for what is equal or not.
    public var largest: Double?
    /// Where it is furthest off.
    public var step: Int?
    public var band: Double?
    public var agreement: Agreement

    public init(name: String, largest: Double?, step: Int?, band: Double?, agreement: Agreement) {
      self.name = name
      self.largest = largest
      self.step = step
      self.band = band
      self.agreement = agreement
    }
  }

  /// What one tier of the measurement came to.
  public struct Tier: Sendable {
    /// Such as `T1 operators`.
    public var name: String
    public var standing: Standing
    public var summary: String
  }

  /// Why the run is not the baseline, as far as it can be told.
  public struct Reason: Sendable {
    /// What the tiers and precisions say together, where it shows first, and the operator that moved.
    public var sentence: String
    /// The differences that could have done it, the likeliest first.
    public var suspects: [Suspect]
  }

  /// A part of the page that only some checks have, such as a table of operators.
  public struct Section: Sendable {
    public enum Block: Sendable {
      case text(String)
      case plots([Plot])
      case table(head: [String], rows: [[String]])
    }
    public var title: String
    public var blocks: [Block]

    public init(title: String, blocks: [Block]) {
      self.title = title
      self.blocks = blocks
    }
  }

  public var standing: Standing
  /// The verdict in its own words, such as `drift: semantics`.
  public var outcome: String
  /// The sentence that matters.
  public var sentence: String
  public var exitCode: ExitCode
  /// What was checked against what, in one line.
  public var subject: String
  /// The verdict with its evidence, line by line, as a terminal shows it.
  public var lines: [String]
  /// From the cheapest to the dearest; only the reference workload has them.
  public var tiers: [Tier] = []
  public var reason: Reason?
  public var rows: [Row] = []
  public var curves: [Curve] = []
  public var scatters: [Scatter] = []
  /// What keeps the run from being comparable.
  public var breakages: [String] = []
  public var differences: [EnvironmentDifference] = []
  /// Shown after the differences, in this order.
  public var sections: [Section] = []
  /// Names and values, in the order in which they are shown.
  public var facts: [(name: String, value: String)] = []

  public init(
    standing: Standing, outcome: String, sentence: String, exitCode: ExitCode, subject: String, lines: [String]
  ) {
    self.standing = standing
    self.outcome = outcome
    self.sentence = sentence
    self.exitCode = exitCode
    self.subject = subject
    self.lines = lines
  }

  /// Adds what every kind of check knows of its run.
  mutating func add(_ run: RunFacts) {
    facts += [("Environment", run.environment), ("Image", "\(run.image)")]
    if !run.command.isEmpty { facts.append(("Ran", run.command.joined(separator: " "))) }
    facts += [
      ("Began", "\(run.started)"), ("Took", Duration.milliseconds(Int64(run.seconds * 1000)).forPeople), ("Ended with", run.ending),
      ("Run", run.id),
    ]
  }
}
