/// What a check came to, with all a report shows of it. How it was reached is `Check`'s and `CheckProgram`'s work.
import EnvDrift

/// A check of the reference workload, and all its verdict was reached from.
public struct ReferenceCheckResult: Sendable {
  public var verdict: Verdict
  /// Of several runs the worst, or the first of several seeds.
  public var observation: Observation
  public var baseline: Baseline
  public var run: RunFacts
}

/// A check of one's own training, and all its verdict was reached from.
public struct ProgramCheckResult: Sendable {
  public var verdict: ProgramVerdict
  public var observed: ProgramRun
  public var comparison: ProgramComparison
  public var run: RunFacts
}

/// A check that came to a verdict.
public enum CheckResult: Sendable {
  case reference(ReferenceCheckResult)
  case program(ProgramCheckResult)
}

extension CheckResult {
  /// A check as it was kept, with what its workload wrote.
  init(_ kept: KeptCheck, records: [UInt8]) {
    switch kept.judged {
    case .reference(let verdict, let baseline):
      var reader = ObservationReader()
      // What was wrong with the stream is in the verdict.
      _ = try? reader.read(records)
      try? reader.finish()
      self = .reference(ReferenceCheckResult(verdict: verdict, observation: reader.observation, baseline: baseline, run: kept.run))
    case .program(let verdict, let baseline, let bands):
      let comparison = ProgramComparison(with: baseline, bands: bands)
      let run = ProgramRunReader.replay(records).run
      self = .program(ProgramCheckResult(verdict: verdict, observed: run, comparison: comparison, run: kept.run))
    }
  }
}
