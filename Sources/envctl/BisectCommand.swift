/// `envctl bisect`: which package or variable makes the difference between two locks?
import ArgumentParser
import EnvCore
import EnvDrift
import EnvFlow
import EnvImage
import SystemPackage

struct BisectCommand: ReportingCommand {
  static let configuration = CommandConfiguration(
    commandName: "bisect", abstract: "Find the package or variable that makes the environment of one lock drift from that of another.",
    discussion: """
      A lock is an image.lock with its image.yaml and files beside it, an image.lock alone (packages are compared then), or an envctl.lock with \
      its envctl.yaml. Environments in between are built and measured, each by the cheapest tier that shows the drift; what was measured is \
      kept, so that an interrupted search goes on. It ends with 3 when a cause was found, with 0 when there is no drift.
      """)

  @OptionGroup var common: CommonOptions

  @Argument(help: "The lock whose results are right.", completion: .file())
  var good: String

  @Argument(help: "The lock whose results are not.", completion: .file())
  var bad: String

  @Flag(help: "Look for what changes any bit of a result, also where that is rounding noise.")
  var bits = false

  @Option(help: "End a run that has not ended after this many seconds.")
  var deadline = 600

  func validate() throws {
    guard deadline > 0 else { throw ValidationError("--deadline is a number of seconds from 1") }
  }

  func run() throws {
    let workbench = try common.workbench(asRoot: true)
    let request = BisectRequest(good: FilePath(good), bad: FilePath(bad), countsBits: bits, deadline: .seconds(deadline))
    let result = try workbench.bisect(request)
    switch common.format {
    case .text: try Console.printResult(result.lines)
    case .json: try Console.printJSON(result)
    }
    if result.outcome == .causeFound { throw Ending(.drift) }
  }
}

extension BisectResult {
  /// What a person reads: the symptom, then each cause.
  fileprivate var lines: [String] {
    let count = "\(changes.count) change\(changes.count == 1 ? "" : "s")"
    guard let symptom else {
      let noise = "the results differ by rounding noise only (--bits finds its cause)"
      let way = outcome == .identical ? "no bit of the results differs" : noise
      return ["no drift: \(way), over \(count)", "  \(reading)"]
    }
    let found = causes.map { cause in
      let title = cause.isMinimal ? "cause" : "cause, no further told apart"
      var lines = ["\(title): " + cause.changes.map(\.description).joined(separator: "; with ")]
      if cause.reading != reading { lines.append("  shows alone: \(cause.reading)") }
      if let moved = cause.firstOperator { lines.append("  first operator: \(moved)") }
      if !cause.needed.isEmpty { lines.append("  comes with: " + cause.needed.map(\.description).joined(separator: "; ")) }
      return lines
    }
    let them = causes.count == 1 ? "it" : "them"
    let rest =
      isComplete
      ? "without \(them)\(needing), nothing of this shows in \(symptom.tier?.rawValue ?? "a run")"
      : "whether other changes do the same could not be tried"
    let time = "\(count), \(probes.count) probe\(probes.count == 1 ? "" : "s")\(stepTime), \(Int(seconds.rounded())) s"
    return ["\(symptom.kind.rawValue): \(reading)"] + found.flatMap(\.self) + ["\(rest) (\(time))"]
  }

  /// What could not be tried without a cause, as it needs one.
  private var needing: String {
    guard !leftOut.isEmpty else { return "" }
    let others = leftOut.count > 4 ? " and \(leftOut.count - 4) more" : ""
    return " and what needs \(causes.count == 1 ? "it" : "them") (\(leftOut.prefix(4).map(\.name).joined(separator: ", "))\(others))"
  }

  /// What a step takes, and how much of that is the workload.
  private var stepTime: String {
    let measured = probes.filter { !$0.isRemembered && $0.measurementSeconds != nil }
    guard !measured.isEmpty else { return "" }
    func mean(_ values: [Double]) -> String { Duration.seconds(values.reduce(0, +) / Double(values.count)).forPeople }
    return " of \(mean(measured.map(\.seconds))) (measurement \(mean(measured.compactMap(\.measurementSeconds))))"
  }
}
