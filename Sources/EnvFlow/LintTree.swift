/// Linting with everything around it: the baseline, the registry that knows digests, and the second look after a fix.
import EnvCore
import EnvPolicy
import EnvRegistry
import OCI
import SafeFS
import SystemPackage

/// Digests as a registry knows them now: of the index where there is one, so that a pin holds on every platform.
public struct RegistryDigests: DigestResolver {
  private let registry: RegistryClient

  public init(_ registry: RegistryClient) { self.registry = registry }

  public func digest(of reference: ImageReference) throws -> Digest { try registry.resolveImage(reference).digest }
}

/// What `envctl lint` is asked to do.
public struct LintTree: Sendable {
  public var request: LintRequest
  /// Known findings.
  public var baseline: FilePath?
  /// Where the findings are written as a new baseline.
  public var newBaseline: FilePath?

  public init(request: LintRequest, baseline: FilePath? = nil, newBaseline: FilePath? = nil) {
    self.request = request
    self.baseline = baseline
    self.newBaseline = newBaseline
  }

  /// What is left, and what was mended on the way.
  public struct Outcome: Sendable {
    public var report: LintReport
    public var fix: Fixer.Outcome
  }

  /// Lints; with a resolver, pins what can be pinned and lints again, so that what is reported is what is left.
  public func run(fixingWith resolver: (any DigestResolver)? = nil) throws -> Outcome {
    var report = try judged()
    var fix = Fixer.Outcome()
    if let resolver {
      fix = Fixer.fix(report, resolver: resolver)
      if !fix.applied.isEmpty { report = try judged() }
    }
    if let newBaseline {
      try FileSystem.writeAtomically(LintBaseline(report.findings + report.known).encoded(), to: newBaseline)
      // They are known from now on.
      report.known += report.findings
      report.findings = []
    }
    return Outcome(report: report, fix: fix)
  }

  private func judged() throws -> LintReport {
    var report = try Linter.lint(request)
    guard let baseline else { return report }
    let bytes: [UInt8]
    do { bytes = try FileSystem.readFile(baseline) } catch {
      throw PolicyError.unreadableBaseline(file: baseline.string, reason: "it cannot be read", underlying: error)
    }
    try LintBaseline(parsing: bytes, file: baseline.string).apply(to: &report)
    return report
  }
}
