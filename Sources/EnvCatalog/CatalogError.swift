/// Everything that can be wrong with the catalog, the lock and the names in them, apart from YAML's own errors and a triple's.
import EnvCore
import OCI
import StrictYAML
import SystemPackage

/// Why the catalog or one of its names cannot be used.
public enum CatalogError: Diagnostic {
  case noCatalog(at: String)
  case unknownEnvironment(String, known: [String])
  case unknownRecipe(String, known: [String])
  case newerSchema(file: FilePath, schema: Int, known: Int)
  case unsupportedPlatform(environment: String, Platform, offered: [Platform])
  case lockMismatch(file: FilePath, reason: String)
  case noLock(file: FilePath)
  case malformedLock(file: FilePath, underlying: any Error)
  /// A lock of a form this program does not read, older or newer.
  case otherLockSchema(file: FilePath, schema: Int, known: Int)
  /// The project's folder takes no file of this user's.
  case lockNotWritten(file: FilePath, Errno)
  /// What the lock says of an image is not what the image is.
  case lockDisagrees(file: FilePath, platform: String, differences: [String])
  /// A model of `envctl.yaml` that is not pinned. `EC401` is the rule of `envctl lint` that says so too.
  case modelWithoutHash(mark: YAMLMark, name: String)

  public var summary: String {
    switch self {
    case .noCatalog(let place): "no catalog (the folders manifests/ and images/) was found at '\(place)'"
    case .unknownEnvironment(let name, _): "there is no environment '\(name)'"
    case .unknownRecipe(let name, _): "there is no image recipe '\(name)'"
    case .newerSchema(let file, let schema, let known): "'\(file)' has schema \(schema); this envctl knows schemas up to \(known)"
    case .unsupportedPlatform(let name, let platform, let offered):
      "environment '\(name)' has no image for \(platform), only for \(offered.map(\.description).sorted().joined(separator: ", "))"
    case .lockMismatch(let file, let reason): "'\(file)' does not belong to this environment: \(reason)"
    case .noLock(let file): "there is no '\(file)'"
    case .malformedLock(let file, _): "'\(file)' is not a lock envctl wrote"
    case .otherLockSchema(let file, let schema, let known): "'\(file)' has schema \(schema); this envctl reads schema \(known)"
    case .lockNotWritten(let file, let errno): "'\(file)' cannot be written: \(errno)"
    case .lockDisagrees(let file, let platform, let differences):
      "'\(file)' disagrees with the image it locks for \(platform): \(differences.joined(separator: "; "))"
    case .modelWithoutHash(let mark, let name): "\(mark): the model '\(name)' has no sha256 [EC401]"
    }
  }

  public var cause: (any Error)? { if case .malformedLock(_, let underlying) = self { underlying } else { nil } }

  public var hint: String? {
    switch self {
    case .noCatalog: "run envctl from its checkout, or set ENVCTL_CATALOG to the folder that holds manifests/ and images/"
    case .unknownEnvironment(let name, let known), .unknownRecipe(let name, let known):
      didYouMean(name, among: known) ?? "known: " + known.joined(separator: ", ")
    case .newerSchema: "use a newer envctl"
    case .unsupportedPlatform: nil
    case .modelWithoutHash: "add sha256: and the 64 hexadecimal digits that sha256sum prints; a model is never used unpinned"
    case .lockMismatch: "if the change is wanted, `envctl lock` writes the lock anew"
    case .noLock: "`envctl lock` writes it"
    case .lockNotWritten: "let the folder's owner write it with `envctl lock`, or work in a copy of the folder that is yours"
    case .malformedLock, .lockDisagrees:
      "restore it from version control; or delete it, and `envctl lock` writes it anew"
    case .otherLockSchema(_, let schema, let known):
      schema > known ? "use a newer envctl, or let `envctl lock` write it anew" : "`envctl lock` writes it anew"
    }
  }

  public var exitCode: ExitCode {
    switch self {
    case .unknownEnvironment, .unknownRecipe, .newerSchema, .otherLockSchema: .usage
    case .lockMismatch, .noLock, .modelWithoutHash: .policy
    case .malformedLock, .lockDisagrees: .verification
    case .noCatalog: .failed
    case .unsupportedPlatform, .lockNotWritten: .host
    }
  }
}
