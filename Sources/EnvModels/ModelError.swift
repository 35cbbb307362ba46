/// What keeps a pinned model from being mounted, or a file from being scanned.
import EnvCore
import HTTP
import SystemPackage

/// The errors of this module.
public enum ModelError: Diagnostic {
  /// The bytes that came are not those of the pin; `place` is the redacted URL or the path.
  case notAsPinned(name: String, place: String, underlying: any Error)
  /// The model could not be had at all.
  case unobtainable(name: String, place: String, underlying: any Error)
  /// What the store holds of the model is not what was proven when it came.
  case damaged(name: String, underlying: any Error)
  case notAFile(path: FilePath, kind: String)
  case unreadable(object: String, underlying: any Error)
  /// A pinned model holds what its pin does not allow.
  case refused(name: String, findings: [ModelFinding])
  /// Files that were scanned hold more than tensors.
  case found(files: [String], count: Int)

  public var summary: String {
    switch self {
    case .notAsPinned(let name, let place, _): "the model '\(name)' from \(place) is not the pinned one"
    case .unobtainable(let name, let place, _): "the model '\(name)' could not be had from \(place)"
    case .damaged(let name, _): "the stored model '\(name)' is not what its pin says any more"
    case .notAFile(let path, let kind): "'\(path)' is \(kind), not a model's file"
    case .unreadable(let object, _): "'\(object)' cannot be read"
    case .refused(let name, let findings):
      "the model '\(name)' is refused: " + (findings.first?.description ?? "it holds what its pin does not allow")
        + (findings.count > 1 ? " (and \(findings.count - 1) more)" : "")
    case .found(let files, let count):
      "\(count) finding\(count == 1 ? "" : "s") in \(files.count == 1 ? "'\(files[0])', which holds" : "\(files.count) files, which hold") more than tensors"
    }
  }

  public var cause: (any Error)? {
    switch self {
    case .notAsPinned(_, _, let underlying), .unobtainable(_, _, let underlying), .damaged(_, let underlying),
      .unreadable(_, let underlying):
      underlying
    case .notAFile, .refused, .found: nil
    }
  }

  public var hint: String? {
    switch self {
    case .notAsPinned: "nothing of it was kept; compare with whoever published the model before changing the pin"
    case .refused(_, let findings):
      findings.allSatisfy { $0.global != nil }
        ? "if its code is to be trusted, write `allow: [\(Set(findings.compactMap(\.global)).sorted().joined(separator: ", "))]` into its pin"
        : "save the model anew as plain tensors, such as safetensors"
    case .found: "a pin's `allow:` names what is to be trusted all the same"
    case .unobtainable, .damaged, .notAFile, .unreadable: nil
    }
  }

  public var exitCode: ExitCode {
    switch self {
    case .notAsPinned, .damaged: .verification
    case .refused, .found: .policy
    case .notAFile: .usage
    case .unobtainable, .unreadable: .failed
    }
  }
}
