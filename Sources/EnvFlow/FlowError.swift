/// What can go wrong between the stages: things that fit each other no longer.
import EnvCore
import OCI
import SystemPackage

/// An error of the flows.
public enum FlowError: Diagnostic {
  case relativeHome(String)
  case noHome
  case noProject(folder: FilePath, known: [String])
  case imageDigestMismatch(environment: String, expected: Digest, actual: Digest, pinnedBy: String)
  case noSuchImage(String, known: [String])
  case noBaseline(environment: String)
  /// `ending`: what was not well about it, as the end of a sentence.
  case workloadFailed(ending: String)
  /// `report` before any `check`.
  case noCheck(folder: FilePath)
  /// What another version of envctl kept of a check.
  case foreignCheck(file: FilePath, schema: Int, known: Int)
  /// A training of one's own has no baseline beside `envctl.yaml` yet.
  case noProgramBaseline(file: FilePath)
  /// The baseline of a training of one's own is not the one that was locked.
  case programBaselineDiffers(file: FilePath, locked: Digest, actual: Digest)
  case malformedLayout(String)
  /// An image is not written there.
  case unsuitableTarget(FilePath, reason: String)
  /// A tag or the catalog names another image than the lock.
  case pinMoved(object: String, locked: Digest, current: Digest, isNamedInProject: Bool = false)
  case tripleMoved(String, locked: String, current: String)
  /// `isInUse`: a repair had to leave it, because a container has it mounted.
  case damagedStore(count: Int, first: String, isInUse: Bool)
  // Bisecting
  case notALock(FilePath, underlying: JSONError?)
  /// There is neither an `image.yaml` beside a lock nor a recipe of its name in the catalog.
  case lockWithoutRecipe(FilePath, recipe: String)
  /// An `envctl.lock` pins an image that the catalog's recipe does not make.
  case lockOfOtherImage(FilePath, environment: String, locked: Digest?, current: Digest?)
  /// A lock lies beside an `image.yaml` it was not made from.
  case lockOfOtherRecipe(FilePath)
  /// A lock alone has wheels for another Python than the recipe of its name has.
  case lockOfOtherPython(FilePath, locked: [String], recipe: String)
  case lockOfOtherPlatform(FilePath, Platform, host: Platform)
  case sameLocks(FilePath, FilePath)
  case cannotMakeEnvironment(FilePath, underlying: any Error)
  /// The good environment gives no result that others could be held against.
  case goodIsBroken(FilePath, reason: String)
  case goodDoesNotRepeat(FilePath, place: String)

  public var summary: String {
    switch self {
    case .relativeHome(let text): "ENVCTL_HOME is '\(text)', which is not an absolute path"
    case .noHome: "there is no place for the store: neither ENVCTL_HOME nor HOME names a folder"
    case .noProject(let folder, _): "there is no envctl.yaml in '\(folder)', and no environment was named"
    case .imageDigestMismatch(let environment, let expected, let actual, let pinnedBy):
      "the image of '\(environment)' is not the pinned one: \(pinnedBy) says \(expected), the build made \(actual)"
    case .noSuchImage(let name, _): "the store holds no image '\(name)'"
    case .noBaseline(let environment): "environment '\(environment)' has no baseline to be compared with"
    case .workloadFailed(let ending): "the workload \(ending), so what it recorded cannot be used"
    case .noCheck(let folder): "no check of '\(folder)' has come to a verdict yet"
    case .foreignCheck(let file, let schema, let known): "'\(file)' has schema \(schema); this envctl reads \(known)"
    case .noProgramBaseline(let file): "there is no '\(file)' to compare the training with"
    case .programBaselineDiffers(let file, let locked, let actual): "'\(file)' is not the locked one: \(actual), locked as \(locked)"
    case .malformedLayout(let text): "'\(text)' names no image layout"
    case .unsuitableTarget(let path, let reason): "an image cannot be written to '\(path)': \(reason)"
    case .pinMoved(let object, let locked, let current, _): "\(object) has moved: locked as \(locked), now \(current)"
    case .tripleMoved(let triple, let locked, let current): "\(triple) leads to \(current) now, locked is \(locked)"
    case .damagedStore(let count, let first, _):
      "\(count) object\(count == 1 ? " is" : "s are") not what the store recorded; the first: \(first)"
    case .notALock(let file, _): "'\(file)' is neither an image.lock nor an envctl.lock"
    case .lockWithoutRecipe(let file, let recipe):
      "'\(file)' pins the recipe '\(recipe)', but there is no image.yaml beside it and no such recipe in the catalog"
    case .lockOfOtherImage(let file, let environment, let locked, let current):
      "'\(file)' pins the image \(locked?.description ?? "none"), but the recipe of '\(environment)' makes \(current?.description ?? "none")"
    case .lockOfOtherRecipe(let file): "'\(file)' was made from another image.yaml than the one beside it"
    case .lockOfOtherPython(let file, let locked, let recipe):
      "'\(file)' is of Python \(locked.joined(separator: " and ")), the catalog's recipe of its name has \(recipe)"
    case .lockOfOtherPlatform(let file, let platform, let host): "'\(file)' is of \(platform), which cannot be measured on \(host)"
    case .sameLocks(let good, let bad): "'\(good)' and '\(bad)' pin the same packages, files and variables"
    case .cannotMakeEnvironment(let file, _): "the environment of '\(file)' cannot be made"
    case .goodIsBroken(let file, let reason): "the environment of '\(file)' gives no result to compare with: \(reason)"
    case .goodDoesNotRepeat(let file, let place): "the environment of '\(file)' does not repeat itself: a second run differs at \(place)"
    }
  }

  public var cause: (any Error)? {
    switch self {
    case .notALock(_, let underlying): underlying
    case .cannotMakeEnvironment(_, let underlying): underlying
    default: nil
    }
  }

  public var hint: String? {
    switch self {
    case .noProject(_, let known): "name one, such as `envctl up \(known.first ?? "NAME")`, or write `environment: NAME` into envctl.yaml"
    case .imageDigestMismatch:
      "the recipe or its lock was changed without the pin; after a wanted change, put the new digest into the pin's file"
    case .noSuchImage(let name, let known):
      known.isEmpty
        ? "`envctl image pull` or `envctl image build` brings one" : didYouMean(name, among: known) ?? "`envctl image list` lists them"
    case .pinMoved(_, _, let current, true):
      "envctl.yaml names the old digest too: write \(current) there, then `envctl lock --upgrade` explains what changes and locks it"
    case .pinMoved, .tripleMoved: "`envctl lock --upgrade` explains what changes and locks the new one"
    case .unsuitableTarget: "name a new file, an older archive to be replaced, or oci:FOLDER; nothing is written to stdout or a device"
    case .malformedLayout: "write oci:FOLDER[:TAG] or oci-archive:FILE[:TAG]"
    case .noBaseline(let environment) where environment.contains(":"): "only environments of the catalog have expected results"
    case .noCheck, .foreignCheck: "run `envctl check` first"
    case .noProgramBaseline: "record one with `envctl baseline record`"
    case .programBaselineDiffers:
      "restore it from version control; after a wanted change, `envctl baseline record` or `envctl lock` locks it"
    case .noBaseline: "record one with `envctl baseline record`"
    case .damagedStore(_, _, true): "a running workspace has it mounted: `envctl down` there, then repair again"
    case .damagedStore: "`envctl verify --repair` drops what is damaged, so that the next command makes it anew"
    case .lockWithoutRecipe: "give the lock together with its image.yaml and files, as `git worktree add` brings them back"
    case .lockOfOtherRecipe(let file):
      "give it with the image.yaml it was made from, as `git worktree add` brings both back, or alone, for its packages; after an edit of "
        + "image.yaml run 'envctl image lock \(file.removingLastComponent())'"
    case .lockOfOtherPython: "give the lock together with its image.yaml and files, as `git worktree add` brings them back"
    case .lockOfOtherImage: "give the image.lock from which the locked image was built instead"
    case .goodDoesNotRepeat: "the cause of a difference can be found only where the same thing gives the same bits"
    case .sameLocks: "what differs lies outside: the processor, the kernel, or variables that neither names"
    default: nil
    }
  }

  public var exitCode: ExitCode {
    switch self {
    case .relativeHome, .noHome, .noProject, .noSuchImage, .malformedLayout, .unsuitableTarget, .notALock, .lockWithoutRecipe,
      .lockOfOtherImage, .lockOfOtherRecipe, .lockOfOtherPython, .sameLocks:
      .usage
    case .lockOfOtherPlatform: .host
    case .pinMoved, .tripleMoved: .policy
    case .imageDigestMismatch, .damagedStore, .programBaselineDiffers: .verification
    case .noCheck, .foreignCheck, .noProgramBaseline, .noBaseline, .workloadFailed, .cannotMakeEnvironment,
      .goodIsBroken, .goodDoesNotRepeat:
      .failed
    }
  }
}
