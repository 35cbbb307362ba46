/// A run under way in Prometheus' text format 0.0.4 (prometheus.io, "Exposition formats"), for a scrape or for the node exporter's textfile
/// collector. Units are in the names, as that project's conventions ask for.
import EnvCore
import EnvDrift

/// One page of metrics.
public struct MetricsText: Sendable {
  /// What a scrape is told the page is.
  public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  /// With a newline at the end.
  public let text: String

  /// - Parameter now: When the values were taken.
  public init(_ run: LiveRun, now: Timestamp) {
    let about = [("run", run.id), ("environment", run.environment), ("workload", run.workload)]
    var families = [
      Family("check_info", "What is checked; the value is always 1.", [(about, 1)]),
      Family(
        "check_start_time_seconds", "When the check began, in seconds since the epoch.", [([], Double(run.started.secondsSinceEpoch))]),
      Family("check_last_update_time_seconds", "When these values were taken.", [([], Double(now.secondsSinceEpoch))]),
    ]
    let tracks = run.tracks.sorted { $0.key < $1.key }
    func family(_ name: String, _ help: String, _ value: (LiveRun.Track) -> Double?) -> Family {
      Family(name, help, tracks.compactMap { track in value(track.value).map { ([("training", track.key)], $0) } })
    }
    families += [
      family("check_step", "The last training step that was told, counted from 1.") { $0.step.map(Double.init) },
      family("check_steps", "How many steps the training will have.") { $0.steps.map(Double.init) },
      family("check_progress_ratio", "The share of the steps that is done, 0 to 1.") { $0.progress },
      family("check_loss", "Training loss of the last step.", \.loss),
      family("check_step_duration_seconds", "Wall time of the last step.", \.stepSeconds),
      family(
        "check_loss_deviation_ratio", "Relative deviation of the loss from the baseline, at the step furthest off against its band so far.",
        \.deviation),
      family("check_loss_band_ratio", "The largest relative deviation that is taken for noise at that step.", \.band),
    ]
    families.append(
      Family(
        "check_metric", "The latest value of each metric, such as the area under the ROC curve.",
        tracks.flatMap { track in
          track.value.metrics.sorted { $0.key < $1.key }.map { ([("training", track.key), ("metric", $0.key)], $0.value) }
        }))
    families.append(
      Family(
        "check_memory_bytes", "Resident memory of the container's processes and their runtime.", run.memory.map { [([], Double($0))] } ?? []
      ))
    let outcomes = [
      "running", "identical", "equivalent", "drift: precision", "drift: semantics", "drift: nondeterminism", "drift", "broken", "error",
    ]
    families.append(
      Family(
        "check_verdict", "1 for the state the check is in; `error` is a check that came to no verdict.",
        outcomes.map { ([("verdict", $0)], $0 == run.outcome ?? "running" ? 1 : 0) }))
    families.append(
      Family(
        "check_exit_status", "The status the check ends with: 0 as expected, 1 broken, 3 drift.",
        run.exitCode.map { [([], Double($0.rawValue))] } ?? []))
    text = families.map(\.text).joined()
  }

  /// A metric with all its samples.
  private struct Family {
    let text: String

    init(_ name: String, _ help: String, _ samples: [(labels: [(String, String)], value: Double)]) {
      guard !samples.isEmpty else {
        text = ""
        return
      }
      let lines = samples.map { sample in
        let labels = sample.labels.map { "\($0.0)=\"\(Family.escaped($0.1))\"" }.joined(separator: ",")
        return "envctl_\(name)" + (labels.isEmpty ? "" : "{\(labels)}") + " " + Family.number(sample.value)
      }
      text = (["# HELP envctl_\(name) \(help)", "# TYPE envctl_\(name) gauge"] + lines).joined(separator: "\n") + "\n"
    }

    private static func escaped(_ text: String) -> String {
      var result = ""
      for scalar in text.unicodeScalars {
        switch scalar {
        case "\\": result += "\\\\"
        case "\"": result += "\\\""
        case "\n": result += "\\n"
        default: result.unicodeScalars.append(scalar)
        }
      }
      return result
    }

    private static func number(_ value: Double) -> String {
      if value.isNaN { return "NaN" }
      if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
      return value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : "\(value)"
    }
  }
}

extension LiveRun.Track {
  fileprivate var progress: Double? {
    guard let step, let steps, steps > 0 else { return nil }
    return min(1, Double(step) / Double(steps))
  }
}
