/// Judges a run of one's own training against its baseline: where and by how much they part, and what that means.
import EnvCore

/// How far a result may lie from the baseline and still count as noise.
public struct ProgramBands: Hashable, Sendable {
  /// A band, and the name it is set by.
  public struct Band: Codable, Hashable, Sendable {
    public var name: String
    public var value: Double
  }

  /// What holds where neither the user nor a measurement says otherwise: losses and metrics in float32 move by rounding alone when kernels
  /// or threads change; relative for numbers over steps and metrics, absolute for scores.
  public static let usual = (series: 1e-5, metric: 1e-4, scores: 1e-4)
  /// How many times the measured noise still passes.
  public static let margin = 10.0

  private let chosen: [String: Double]
  private let measured: [String: Double]

  /// - Parameters:
  ///   - chosen: By the name of a series, a metric or scores; they win.
  ///   - measured: The noise of a baseline of several runs.
  public init(chosen: [String: Double] = [:], measured: [String: Double] = [:]) {
    self.chosen = chosen
    self.measured = measured
  }

  func band(_ name: String, usual: Double) -> Band {
    Band(name: name, value: chosen[name] ?? max(usual, (measured[name] ?? 0) * Self.margin))
  }

  /// Whether a number beside the loss counts: learning rates and times come with the steps too, and are nobody's result.
  func judges(_ name: String) -> Bool { name == "loss" || chosen[name] != nil }
}

/// How one quantity of a run compares with the baseline.
public struct ProgramExtent: Codable, Hashable, Sendable {
  public enum Agreement: String, Codable, Sendable {
    case equalBits = "equal bits"
    case withinBand = "within band"
    /// A digest that is another one, beside numbers that decide.
    case otherBits = "other bits"
    case beyondBand = "beyond band"
  }

  /// Such as `loss`, `metric auc`, `tensor weights`.
  public var name: String
  public var agreement: Agreement
  /// How many values were compared.
  public var count: Int
  /// Nil for digests.
  public var largest: Double?
  /// Where it is largest.
  public var step: Int?
  /// What `largest` is held against.
  public var band: ProgramBands.Band
  /// Where the band was left first.
  public var firstBeyond: Int?
}

extension ProgramExtent {
  /// Everything both runs have; inputs first, then in the order of time within each kind.
  static func all(of run: ProgramRun, against expected: ProgramRun, bands: ProgramBands) -> [ProgramExtent] {
    var found: [ProgramExtent] = []
    // A digest says that something differs and not how far, so it decides only for inputs, and where there is nothing else to go by.
    let hasNumbers = expected.series.keys.contains(where: bands.judges) || !expected.metrics.isEmpty || !expected.scores.isEmpty
    for tensor in expected.tensors.sorted(by: { ($0.isInput ? 0 : 1, $0.key) < ($1.isInput ? 0 : 1, $1.key) }) {
      guard let actual = run.tensors.first(where: { $0.key == tensor.key }) else { continue }
      let differs: Agreement = tensor.isInput || !hasNumbers ? .beyondBand : .otherBits
      found.append(
        ProgramExtent(
          name: "\(tensor.isInput ? "input" : "tensor") \(tensor.key)", agreement: actual.digest == tensor.digest ? .equalBits : differs,
          count: 1, step: tensor.key.step, band: .init(name: tensor.key.name, value: 0)))
    }
    for (name, series) in expected.series.sorted(by: { $0.key < $1.key }) where bands.judges(name) {
      guard let actual = run.series[name] else { continue }
      let own = Dictionary(zip(actual.steps, actual.values)) { first, _ in first }
      let pairs = zip(series.steps, series.values).compactMap { step, value in own[step].map { (step, value, $0) } }
      found.append(
        ProgramExtent(name, pairs, band: bands.band(name, usual: ProgramBands.usual.series), distance: relativeDeviation))
    }
    for metric in expected.metrics {
      guard let actual = run.metrics.first(where: { $0.key == metric.key }) else { continue }
      found.append(
        ProgramExtent(
          "metric \(metric.key)", [(metric.key.step, metric.value, actual.value)],
          band: bands.band(metric.key.name, usual: ProgramBands.usual.metric), distance: relativeDeviation))
    }
    for scores in expected.scores {
      guard let actual = run.scores.first(where: { $0.key == scores.key }), actual.values.count == scores.values.count else { continue }
      let pairs = zip(scores.values, actual.values).map { (scores.key.step, $0, $1) }
      found.append(
        ProgramExtent(
          "scores \(scores.key)", pairs, band: bands.band(scores.key.name, usual: ProgramBands.usual.scores), distance: { abs($0 - $1) }))
    }
    return found
  }

  private init(
    _ name: String, _ pairs: [(step: Int?, expected: Double, actual: Double)], band: ProgramBands.Band,
    distance: (Double, Double) -> Double
  ) {
    let deviations = pairs.map { (step: $0.step, size: distance($0.expected, $0.actual)) }
    let worst = deviations.max { $0.size < $1.size }
    // Written so that a NaN counts as beyond.
    let beyond = deviations.first { !($0.size <= band.value) }
    let isEqual = pairs.allSatisfy { $0.expected.bitPattern == $0.actual.bitPattern }
    self.init(
      name: name, agreement: beyond != nil ? .beyondBand : isEqual ? .equalBits : .withinBand, count: pairs.count,
      largest: worst?.size ?? 0, step: worst.flatMap { $0.size > 0 ? $0.step : nil }, band: band, firstBeyond: beyond?.step)
  }
}

/// A baseline of one's own training, ready to be compared with.
public struct ProgramComparison: Sendable {
  public let baseline: ProgramBaseline
  public let bands: ProgramBands

  /// - Parameter bands: What the user chose, by name.
  public init(with baseline: ProgramBaseline, bands: [String: Double]) {
    self.baseline = baseline
    self.bands = ProgramBands(chosen: bands, measured: baseline.noise)
  }

  /// The verdict on a run. A run that failed or was cut short is judged too: it is broken.
  ///
  /// - Parameters:
  ///   - failedEnding: How the process ended, when it did not end well.
  ///   - host: The machine it ran on.
  /// - Throws: `notInBaseline` when a whole run records what the baseline has not, so that any verdict would leave it out.
  public func judge(
    _ reader: ProgramRunReader, command: [String], image: Digest, host: [String: String], failedEnding: String? = nil
  ) throws(DriftError) -> ProgramVerdict {
    var breakages = [failedEnding].compactMap { $0.map { Breakage(step: reader.run.lastStep, message: $0) } }
    breakages += reader.faults.map { Breakage(message: $0.summary) }
    if reader.run.isEmpty, breakages.isEmpty { breakages.append(Breakage(message: DriftError.emptyStream.summary)) }
    let extents = ProgramExtent.all(of: reader.run, against: baseline.run, bands: bands)
    if breakages.isEmpty {
      breakages = missing(from: reader.run)
      if breakages.isEmpty, let name = addition(in: reader.run) { throw .notInBaseline(name: name) }
    }
    if breakages.isEmpty, extents.isEmpty {
      breakages.append(Breakage(message: "nothing it records is judged: no loss, metric, scores or tensor, and no number with a band"))
    }
    return ProgramVerdict(
      extents: extents, breakages: breakages, differences: differences(reader.run, command: command, image: image, host: host),
      lastStep: reader.run.lastStep)
  }

  /// What the baseline has and the run lacks.
  private func missing(from run: ProgramRun) -> [Breakage] {
    var found: [Breakage] = []
    for (name, series) in baseline.run.series.sorted(by: { $0.key < $1.key }) where bands.judges(name) {
      let steps = Set(run.series[name]?.steps ?? [])
      guard let lost = series.steps.first(where: { !steps.contains($0) }) else { continue }
      found.append(Breakage(step: lost, message: steps.isEmpty ? "there is no '\(name)'" : "'\(name)' is missing from here on"))
    }
    found += Set(baseline.run.metrics.map(\.key)).subtracting(run.metrics.map(\.key)).sorted()
      .map { Breakage(message: "the metric '\($0)' is missing") }
    found += Set(baseline.run.tensors.map(\.key)).subtracting(run.tensors.map(\.key)).sorted()
      .map { Breakage(message: "the tensor '\($0)' is missing") }
    for scores in baseline.run.scores {
      let count = run.scores.first { $0.key == scores.key }?.values.count
      guard count != scores.values.count else { continue }
      found.append(
        Breakage(
          message: count.map { "the scores '\(scores.key)' are \($0), the baseline has \(scores.values.count)" }
            ?? "the scores '\(scores.key)' are missing"))
    }
    return found
  }

  /// What the run has and the baseline lacks.
  private func addition(in run: ProgramRun) -> String? {
    for (name, series) in run.series where bands.judges(name) {
      guard let known = baseline.run.series[name] else { return "the series '\(name)'" }
      let steps = Set(known.steps)
      if let step = series.steps.first(where: { !steps.contains($0) }) { return "step \(step) of '\(name)'" }
    }
    let metrics = Set(run.metrics.map(\.key)).subtracting(baseline.run.metrics.map(\.key)).sorted().map { "the metric '\($0)'" }
    let tensors = Set(run.tensors.map(\.key)).subtracting(baseline.run.tensors.map(\.key)).sorted().map { "the tensor '\($0)'" }
    let scores = Set(run.scores.map(\.key)).subtracting(baseline.run.scores.map(\.key)).sorted().map { "the scores '\($0)'" }
    return (metrics + tensors + scores).first
  }

  /// Hyperparameters first, as they explain most.
  private func differences(
    _ run: ProgramRun, command: [String], image: Digest, host: [String: String]
  ) -> [EnvironmentDifference] {
    var found = compare(.hyperparameter, baseline.run.hyperparameters, run.hyperparameters)
    found += compare(.hyperparameter, ["command": baseline.command.joined(separator: " ")], ["command": command.joined(separator: " ")])
    found += compare(.package, ["image": "\(baseline.image)"], ["image": "\(image)"])
    // A run that broke before it could tell has not another environment for that.
    if !run.environment.isEmpty {
      for (kind, name) in [
        (EnvironmentDifference.Kind.package, "packages"), (.variable, "variables"), (.threads, "threads"), (.cpu, "cpu"),
      ] {
        found += compare(kind, baseline.run.environment[name]?.leaves() ?? [:], run.environment[name]?.leaves() ?? [:])
      }
      found += compare(
        .interpreter, baseline.run.environment["python"].map { $0.leaves("python") } ?? [:],
        run.environment["python"].map { $0.leaves("python") } ?? [:])
    }
    for (kind, name) in [(EnvironmentDifference.Kind.cpu, "processor"), (.kernel, "kernel")] {
      found += compare(kind, baseline.host.filter { $0.key == name }, host.filter { $0.key == name })
    }
    return found
  }
}
