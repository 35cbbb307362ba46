/// Which plots a check is shown by, and what each says in words.
import EnvCore
import EnvDrift

extension CheckReport.Curve {
  /// Both courses over each other, with the band where it is wide enough to be seen.
  public var overlay: Plot {
    let values = (baseline + run).map(\.y)
    let y = Axis.linear(name, covering: values)
    var marks: [Plot.Mark] = []
    if isBandVisible(on: y) {
      marks.append(
        .region(
          lower: baseline.map { Plot.Point($0.x, $0.y - abs($0.y) * band.at($0.x)) },
          upper: baseline.map { Plot.Point($0.x, $0.y + abs($0.y) * band.at($0.x)) },
          .band))
    }
    marks += [.line(baseline, .baseline), .line(run, .run)]
    if let firstBeyond { marks.append(.moment(Double(firstBeyond), "step \(firstBeyond)", .beyond)) }
    if let last = run.last, let end = baseline.last, last.x < end.x { marks.append(.moment(last.x, "ends here", .beyond)) }
    return Plot(title: "\(name): baseline and run", summary: summary, x: steps, y: y, marks: marks)
  }

  /// How far off each step is, on a logarithmic axis with a row for steps that have the same bits.
  public var deviation: Plot {
    deviationPlot(
      title: "\(name): deviation from the baseline", summary: summary, x: steps, label: "relative deviation", deviations, band: band)
  }

  /// The plots in one sentence.
  public var summary: String {
    guard !run.isEmpty else { return "The run has no step of \(name)." }
    guard let worst = deviations.max(by: { $0.y < $1.y }), worst.y != 0 else {
      return deviations.isEmpty
        ? "No step of \(name) can be compared." : "All \(deviations.count) steps have the same bits as the baseline."
    }
    let beyond = deviations.count { !($0.y <= band.at($0.x)) }
    let share = beyond == 0 ? "all within" : "\(beyond) of \(deviations.count) steps beyond"
    let bands =
      switch band {
      case .even(let band): "the band of \(scientific(band))"
      case .steps: "the band, which is \(scientific(band.at(worst.x))) there"
      }
    return "The largest relative deviation is \(scientific(worst.y)) at step \(Int(worst.x)); \(share) \(bands)."
  }

  private var steps: Axis { .linear("step", covering: [0] + (baseline + run).map(\.x)) }

  /// Two pixels of a screen are the least that is seen.
  private func isBandVisible(on axis: Axis) -> Bool {
    guard let widest = baseline.map({ abs($0.y) * band.at($0.x) }).max() else { return false }
    return widest * 2 > (axis.upper - axis.lower) / 130
  }
}

extension CheckReport.Scatter {
  /// Expected against measured; equal scores lie on the diagonal.
  public var plot: Plot {
    let axis = pairs.flatMap { [$0.x, $0.y] }
    let beyond = pairs.filter { !(abs($0.x - $0.y) <= band) }
    let moment = step.map { ", after step \($0)" } ?? ""
    return Plot(
      title: "\(name)\(moment)", summary: summary, x: .linear("baseline", covering: axis), y: .linear("this run", covering: axis),
      marks: [.diagonal(.guide), .dots(pairs.filter { abs($0.x - $0.y) <= band }, .run), .dots(beyond, .beyond)])
  }

  /// How far off each score is, which the diagonal is too coarse to show.
  public var deviation: Plot {
    deviationPlot(
      title: "\(name): deviation", summary: summary, x: .linear("baseline", covering: pairs.map(\.x)), label: "absolute deviation",
      pairs.map { Plot.Point($0.x, abs($0.x - $0.y)) }, band: .even(band))
  }

  /// The plot in one sentence.
  public var summary: String {
    let deviations = pairs.map { abs($0.x - $0.y) }
    guard let worst = deviations.max() else { return "There are no scores to compare." }
    if worst == 0 { return "All \(pairs.count) scores have the same bits as the baseline's." }
    let beyond = deviations.count { !($0 <= band) }
    let share = beyond == 0 ? "all within" : "\(beyond) of \(pairs.count) scores beyond"
    return "The largest difference of a score is \(scientific(worst)); \(share) the band of \(scientific(band))."
  }
}

/// Deviations on a logarithmic axis, with a row for values that have the same bits, against the band.
private func deviationPlot(
  title: String, summary: String, x: Axis, label: String, _ deviations: [Plot.Point], band: CheckReport.CurveBand
) -> Plot {
  let places =
    switch band {
    case .even: [x.lower, x.upper]
    case .steps(let bands): bands.indices.map { Double($0 + 1) }.filter { $0 <= x.upper }
    }
  let limits = places.map { Plot.Point($0, band.at($0)) }
  let y = Axis.logarithmic(label, covering: deviations.map(\.y) + limits.map(\.y))
  let within = deviations.filter { $0.y <= band.at($0.x) }
  let beyond = deviations.filter { !($0.y <= band.at($0.x)) }
  let limit: Plot.Mark =
    switch band {
    case .even(let band): .level(band, "band \(scientific(band))", .band)
    case .steps: .line(limits, .band)
    }
  return Plot(
    title: title, summary: summary, x: x, y: y,
    marks: [
      .region(lower: places.map { Plot.Point($0, y.lower) }, upper: limits, .band), .dots(within, .run), .dots(beyond, .beyond), limit,
    ])
}
