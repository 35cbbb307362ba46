/// What can go wrong between a workload's stream, a baseline and a verdict.
import EnvCore

/// An observation that is damaged or incomplete, or a baseline that cannot serve.
public enum DriftError: Diagnostic {
  /// A line that is no record of this format; `line` counts from 1, `excerpt` is its beginning.
  case malformedRecord(line: Int, excerpt: String, reason: String)
  /// A line that holds NaN or an infinity.
  case notFinite(line: Int, excerpt: String)
  /// A record where another was due.
  case unexpectedRecord(line: Int, precision: Precision, expected: String, found: String)
  /// The stream stopped in the middle of a line.
  case truncatedStream(line: Int, bytes: Int)
  /// A precision began and neither ended nor failed.
  case missingEnd(precision: Precision, afterStep: Int)
  /// No record at all.
  case emptyStream
  /// Records of another format version.
  case foreignSchema(line: Int, found: Int)
  /// A baseline that cannot be read.
  case unreadableBaseline(JSONError)
  /// A baseline file of another format version.
  case foreignBaselineSchema(object: String, found: Int)
  /// A baseline whose parts contradict one another.
  case inconsistentBaseline(name: String, reason: String)
  /// The baseline was measured with another workload.
  case foreignWorkload(baseline: String, expected: Workload, actual: Workload)
  /// The run is longer than the baseline, or evaluates where the baseline does not.
  case notCovered(baseline: String, precision: Precision, reason: String)
  /// The baseline holds no or too few seeds for a statistical comparison.
  case noPopulation(baseline: String, seeds: Int)
  /// A seed began from other data or weights than the baseline's.
  case foreignPopulation(baseline: String, seed: Int)
  /// A training of one's own records what its baseline has not.
  case notInBaseline(name: String)
  /// An observation that cannot become a baseline.
  case cannotRecord(reason: String)
  /// What was to measure noise moved a result by more than noise can; a band made of it would let every drift pass.
  case notHarmless(variation: String, what: String, moved: Double, limit: Double)

  public var summary: String {
    switch self {
    case .malformedRecord(let line, let excerpt, let reason): "line \(line) of the workload's output is not a record: \(reason): \(excerpt)"
    case .notFinite(let line, let excerpt): "line \(line) of the workload's output holds a value that is no number: \(excerpt)"
    case .unexpectedRecord(let line, let precision, let expected, let found):
      "line \(line) of the workload's output: \(precision) expected \(expected), found \(found)"
    case .truncatedStream(let line, let bytes): "the workload's output broke off in line \(line), after \(bytes) bytes of it"
    case .missingEnd(let precision, 0): "the \(precision) training has no end: nothing came after its header"
    case .missingEnd(let precision, let step): "the \(precision) training has no end: nothing came after step \(step)"
    case .emptyStream: "the workload wrote no record"
    case .foreignSchema(let line, let found):
      "line \(line) of the workload's output has record schema \(found), this envctl reads \(Observation.schema)"
    case .unreadableBaseline(let error): error.summary
    case .foreignBaselineSchema(let object, let found):
      "\(object) has baseline schema \(found), this envctl reads \(Baseline.currentSchema)"
    case .inconsistentBaseline(let name, let reason): "baseline '\(name)' contradicts itself: \(reason)"
    case .foreignWorkload(let baseline, let expected, let actual):
      "baseline '\(baseline)' was measured with \(expected), the run is of \(actual)"
    case .notCovered(let baseline, let precision, let reason): "baseline '\(baseline)' does not cover the \(precision) run: \(reason)"
    case .noPopulation(let baseline, 0): "baseline '\(baseline)' holds no seeds to compare with"
    case .noPopulation(let baseline, let seeds):
      "baseline '\(baseline)' holds \(seeds) seeds, the comparison needs two or more and all of them there"
    case .foreignPopulation(let baseline, let seed):
      "seed \(seed) began from other data or initial weights than in baseline '\(baseline)'"
    case .notInBaseline(let name): "the run records \(name), which the baseline does not have"
    case .cannotRecord(let reason): "the run cannot become a baseline: \(reason)"
    case .notHarmless(let variation, let what, let moved, let limit):
      "\(variation) is no harmless variation: it moved \(what) by \(scientific(moved)), noise stays below \(scientific(limit))"
    }
  }

  public var cause: (any Error)? {
    if case .unreadableBaseline(let error) = self { error.cause } else { nil }
  }

  public var hint: String? {
    switch self {
    case .foreignSchema, .foreignBaselineSchema: "use the envctl that belongs to it, or record it anew with this one"
    case .notInBaseline: "the training was changed: record it anew with 'envctl baseline record'"
    case .foreignWorkload, .notCovered: "record a baseline of this workload with 'envctl baseline record'"
    case .malformedRecord, .notFinite, .truncatedStream, .missingEnd, .emptyStream, .unexpectedRecord:
      "the workload's own messages are on its standard error"
    case .noPopulation: "record them with 'envctl baseline record --seeds N'"
    case .foreignPopulation: "another numpy, or an altered workload; 'envctl check' names it"
    case .notHarmless: "a band of that width would let every drift pass; find out what makes the runs differ, or leave the variation out"
    case .cannotRecord: "a baseline needs a complete run, of the reference workload in every precision"
    case .unreadableBaseline, .inconsistentBaseline: nil
    }
  }

  /// Whether it is only what an early end of the process leaves behind.
  var followsFromEnding: Bool {
    switch self {
    case .truncatedStream, .missingEnd, .emptyStream: true
    default: false
    }
  }

  public var exitCode: ExitCode {
    switch self {
    case .foreignSchema, .foreignBaselineSchema, .foreignWorkload, .notCovered, .notInBaseline, .noPopulation: .usage
    case .foreignPopulation, .notHarmless: .drift
    case .unreadableBaseline, .inconsistentBaseline: .verification
    default: .failed
    }
  }

  /// Whether results cannot be compared at all, so that no verdict may be given.
  var forbidsVerdict: Bool {
    switch self {
    case .foreignSchema, .foreignWorkload, .foreignBaselineSchema, .notCovered: true
    default: false
    }
  }
}
