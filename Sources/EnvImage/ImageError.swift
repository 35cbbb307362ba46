/// Everything that can be wrong with a recipe, its lock, its packages or their assembly.
import EnvCore

/// An error of the image builder. Whatever means that bytes are not the pinned ones ends with the status for verification.
public enum ImageError: Diagnostic {
  // The recipe
  case invalidImagePath(String)
  case invalidRecipe(place: String, reason: String)
  case sourceMissing(path: String)
  // The lock
  case noLock(path: String, recipe: String)
  case lockSchema(object: String, found: Int, known: Int)
  case lockOutdated(recipe: String, locked: Digest, actual: Digest)
  /// A lock that is read with another recipe than its own has a package that this one has no place for.
  case unknownLayer(String, package: String, recipe: String)
  case fileChanged(path: String, expected: Digest, actual: Digest)
  case filesOutdated(recipe: String, paths: [String])
  // Resolving and fetching
  case resolverAnswer(tool: String, reason: String)
  case noDebianSource(suite: String)
  case noPythonIndex
  case nothingOldEnough(project: String, before: Timestamp)
  case notOnIndex(filename: String, project: String, indexes: [String])
  case digestDiffersOnIndex(filename: String, expected: Digest, actual: Digest)
  case fetchFailed(object: String, tried: [String], underlying: any Error)
  // Packages
  case malformedPackage(object: String, reason: String)
  case wrongPackage(object: String, expected: String, actual: String)
  case fileDigestMismatch(object: String, path: String, expected: Digest, actual: Digest)
  case pathEscape(object: String, path: String)
  case conflict(path: String, first: String, second: String)
  case danglingLink(path: String, target: String)

  /// Whether the packages are all right and do not go together in one image.
  public var isIncompatibility: Bool {
    switch self {
    case .conflict, .danglingLink: true
    default: false
    }
  }

  public var summary: String {
    switch self {
    case .invalidImagePath(let text): "'\(text)' is no absolute path without '.' and '..'"
    case .invalidRecipe(let place, let reason): "\(place): \(reason)"
    case .sourceMissing(let path): "the recipe bundles '\(path)', which does not exist"
    case .noLock(let path, _): "there is no lock at \(path)"
    case .lockSchema(let object, let found, let known): "\(object) has schema \(found), but this envctl knows schema \(known)"
    case .lockOutdated(let recipe, let locked, let actual):
      "image.lock of '\(recipe)' was made from another image.yaml: it pins recipe \(locked), the recipe is \(actual)"
    case .unknownLayer(let layer, let package, let recipe):
      "the lock has '\(package)' in the layer '\(layer)', which the recipe '\(recipe)' does not have"
    case .fileChanged(let path, let expected, let actual):
      "bundled file \(path) is not the locked one: expected \(expected), actual \(actual)"
    case .filesOutdated(let recipe, let paths):
      "image.lock of '\(recipe)' does not pin the bundled files as they are: \(paths.joined(separator: ", "))"
    case .resolverAnswer(let tool, let reason): "the answer of \(tool) cannot be used: \(reason)"
    case .noDebianSource(let suite): "no package source of this machine offers Debian packages, component main, for '\(suite)'"
    case .noPythonIndex: "pip names no package index"
    case .nothingOldEnough(let project, let before): "no file of '\(project)' is known to have been published before \(before)"
    case .notOnIndex(let filename, let project, let indexes):
      "\(filename) is not listed for project '\(project)' on \(indexes.joined(separator: ", "))"
    case .digestDiffersOnIndex(let filename, let expected, let actual):
      "the index lists \(filename) with another digest: expected \(expected), actual \(actual)"
    case .fetchFailed(let object, let tried, _): "cannot fetch \(object) from \(tried.joined(separator: ", "))"
    case .malformedPackage(let object, let reason): "\(object) is malformed: \(reason)"
    case .wrongPackage(let object, let expected, let actual): "\(object) should hold \(expected) but holds \(actual)"
    case .fileDigestMismatch(let object, let path, let expected, let actual):
      "\(path) in \(object) is not what its RECORD says: expected \(expected), actual \(actual)"
    case .pathEscape(let object, let path): "\(object) holds '\(path)', which leads out of its root"
    case .conflict(let path, let first, let second): "/\(path) is in \(first) and, with another content or mode, in \(second)"
    case .danglingLink(let path, let target): "the recipe's link \(path) leads to \(target), which nothing in the image puts there"
    }
  }

  public var cause: (any Error)? {
    if case .fetchFailed(_, _, let underlying) = self { underlying } else { nil }
  }

  public var hint: String? {
    switch self {
    case .noLock(_, let recipe), .lockOutdated(let recipe, _, _), .filesOutdated(let recipe, _): "run 'envctl image lock \(recipe)'"
    case .unknownLayer: "give the lock together with the image.yaml it was made from"
    case .lockSchema: "use the version of envctl that wrote it, or write it anew with 'envctl image lock'"
    case .fileChanged: "if the change is wanted, run 'envctl image lock' to pin it"
    case .noDebianSource: "add a Debian source to apt's configuration, or set ENVCTL_DEBIAN_MIRROR to a mirror's base URL"
    case .noPythonIndex: "set ENVCTL_PYTHON_INDEX to the base URL of a simple index"
    case .nothingOldEnough: "the index must tell upload times (PEP 700) for a cut-off date to work"
    case .notOnIndex: "a file that was withdrawn needs a new lock, or an index that still has it (ENVCTL_PYTHON_INDEX)"
    default: nil
    }
  }

  public var exitCode: ExitCode {
    switch self {
    case .fileChanged, .digestDiffersOnIndex, .malformedPackage, .wrongPackage, .fileDigestMismatch, .pathEscape: .verification
    case .invalidImagePath, .invalidRecipe, .sourceMissing, .noLock, .lockSchema, .lockOutdated, .unknownLayer,
      .filesOutdated, .danglingLink:
      .usage
    default: .failed
    }
  }
}
