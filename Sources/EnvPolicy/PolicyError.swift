/// Why the policy refused something, or could not be applied.
import EnvCore
import OCI

/// Finds the digest a reference has now. The floor that knows registries provides one.
public protocol DigestResolver: Sendable {
  /// The digest of the manifest or index behind `reference`.
  func digest(of reference: ImageReference) throws -> Digest
}

/// The errors of this module.
public enum PolicyError: Diagnostic {
  /// Input of a command that the rules refuse.
  case unpinned([Finding])
  case unknownRule(String)
  case unreadableRoot(path: String, underlying: any Error)
  /// A pipe, a socket or a device.
  case oddRoot(path: String)
  case unreadableBaseline(file: String, reason: String, underlying: (any Error)?)
  /// A file is not what was linted any more.
  case changedMeanwhile(file: String)
  /// A digest in one place would spoil a reference in another.
  case harmfulFix(file: String)
  case unresolved(ImageReference, file: String, line: Int, underlying: any Error)
  case unwritable(file: String, underlying: any Error)

  public var summary: String {
    switch self {
    case .unpinned(let findings):
      guard let first = findings.first else { return "the input is not pinned" }
      let more = findings.count > 1 ? " (and \(findings.count - 1) more findings)" : ""
      return "\(first.place.file): \(first.message) [\(first.rule.id)]\(more)"
    case .unknownRule(let name): return "there is no rule '\(name)'"
    case .unreadableRoot(let path, _): return "'\(path)' cannot be linted"
    case .oddRoot(let path): return "'\(path)' cannot be linted: it is neither a file nor a folder"
    case .unreadableBaseline(let file, let reason, _): return "the baseline '\(file)' cannot be used: \(reason)"
    case .changedMeanwhile(let file): return "'\(file)' changed while it was linted, so nothing was written to it"
    case .harmfulFix(let file): return "digests in '\(file)' would spoil other references there, so nothing was written to it"
    case .unresolved(let reference, let file, let line, _): return "\(file):\(line): the digest of '\(reference)' could not be had"
    case .unwritable(let file, _): return "'\(file)' could not be rewritten"
    }
  }

  public var cause: (any Error)? {
    switch self {
    case .unreadableRoot(_, let underlying), .unresolved(_, _, _, let underlying), .unwritable(_, let underlying): underlying
    case .unreadableBaseline(_, _, let underlying): underlying
    case .unpinned, .unknownRule, .oddRoot, .changedMeanwhile, .harmfulFix: nil
    }
  }

  public var hint: String? {
    switch self {
    case .unpinned(let findings):
      (findings.first.map { $0.suggestion + "; " } ?? "") + "--allow-unpinned goes on as it is, and the lock records it"
    case .unknownRule(let name): didYouMean(name, among: Rule.all.flatMap { [$0.id, $0.name] }) ?? "`envctl lint --rules` lists all rules"
    case .unreadableBaseline: "write a new one with --write-baseline"
    case .changedMeanwhile: "run the command again"
    case .harmfulFix: "pin by hand; look for variables that are a whole reference in one place and a part of one in another"
    case .unreadableRoot, .oddRoot, .unresolved, .unwritable: nil
    }
  }

  public var exitCode: ExitCode {
    switch self {
    case .unpinned: .policy
    case .unknownRule, .unreadableBaseline: .usage
    case .unreadableRoot, .oddRoot, .changedMeanwhile, .harmfulFix, .unresolved, .unwritable: .failed
    }
  }
}
