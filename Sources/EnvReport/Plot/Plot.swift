/// What a plot shows, as a value. `Plot+SVG` draws it.

/// A picture with two axes.
public struct Plot: Sendable, Hashable {
  /// A point in the units of the axes.
  public struct Point: Sendable, Hashable {
    public var x: Double
    public var y: Double

    public init(_ x: Double, _ y: Double) {
      self.x = x
      self.y = y
    }
  }

  /// What a mark stands for. Each has a form of its own besides its colour: width, dashes, the shape of its points.
  public enum Role: String, Sendable, Hashable {
    /// What is expected.
    case baseline
    /// What was measured.
    case run
    /// The limit of what is taken for noise.
    case band
    /// What lies beyond it.
    case beyond
    /// Help for the eye.
    case guide
  }

  /// Something drawn. Points that are not finite are left out, and a line is interrupted there.
  public enum Mark: Sendable, Hashable {
    case line([Point], Role)
    case dots([Point], Role)
    /// The region between two lines.
    case region(lower: [Point], upper: [Point], Role)
    /// A line across at a height, named above the plot, where no point can lie.
    case level(Double, String, Role)
    /// A line from bottom to top, named at its upper end.
    case moment(Double, String, Role)
    /// From the lower left corner to the upper right one.
    case diagonal(Role)
  }

  public var title: String
  /// What is to be seen, in a sentence, for those who cannot see it.
  public var summary: String
  public var x: Axis
  public var y: Axis
  /// The first is drawn first, below the others.
  public var marks: [Mark]

  public init(title: String, summary: String, x: Axis, y: Axis, marks: [Mark]) {
    self.title = title
    self.summary = summary
    self.x = x
    self.y = y
    self.marks = marks
  }
}
