/// The rules: id, name, weight, reason and fix of each.
import EnvCore

extension Rule {
  /// Every rule in the order of the ids.
  public static let all: [Rule] = [
    movingTag, missingTag, tagWithoutDigest, digestBesideMovingTag, unpinnedDefault, unknownReference, malformedReference,
    aptWithoutVersion, pipWithoutVersion, pipWithoutHashes, recipeWithoutLock,
    downloadWithoutChecksum, certificateChecksOff, modelWithoutHash,
    cpuUnbounded, memoryUnbounded, gpuUnbounded,
    suppressionWithoutReason, suppressionWithoutUse, unreadable,
  ]

  /// The rule with this id or name.
  ///
  /// - Throws: `PolicyError.unknownRule`, with the nearest name as hint.
  public static func named(_ text: String) throws(PolicyError) -> Rule {
    if let rule = all.first(where: { $0.id == text.uppercased() || $0.name == text.lowercased() }) { return rule }
    throw .unknownRule(text)
  }

  static let movingTag = Rule(
    "EC101", "moving-tag", .error,
    reason: "A tag such as 'latest', 'nightly' or 'main' names another image after every push.",
    fix: "Choose a version's tag and append its digest: name:1.2.3@sha256:…")
  static let missingTag = Rule(
    "EC102", "missing-tag", .error,
    reason: "Without a tag the engine takes 'latest', which names another image after every push.",
    fix: "Choose a version's tag and append its digest: name:1.2.3@sha256:…")
  static let tagWithoutDigest = Rule(
    "EC103", "tag-without-digest", .error,
    reason: "A tag can be pushed again with other content; only a digest names bytes.",
    fix: "Append the digest the tag has now: name:1.2.3@sha256:… (--fix does it).")
  static let digestBesideMovingTag = Rule(
    "EC104", "digest-beside-moving-tag", .warning,
    reason: "The digest decides and the moving tag beside it says something that will soon be untrue.",
    fix: "Name the version the digest belongs to, or leave the tag out.")
  static let unpinnedDefault = Rule(
    "EC105", "unpinned-default", .error,
    reason: "The image comes from an argument or variable whose default names no digest, so whoever sets nothing gets an image that moves.",
    fix: "Put the digest into the default: ARG BASE=name:1.2.3@sha256:…")
  /// Only the caller can pin what has no default here, so this is a note: the file is not wrong, but it cannot be shown to be right.
  static let unknownReference = Rule(
    "EC106", "unknown-reference", .note,
    reason: "The image is named by a variable that has no value in this file, so nobody can tell whether it is pinned.",
    fix: "Give the variable a pinned default, or pin it where it is set.")
  static let malformedReference = Rule(
    "EC107", "malformed-reference", .error,
    reason: "No engine can pull what is not an image reference.",
    fix: "A reference is [HOST[:PORT]/]NAME[:TAG][@sha256:…].")

  static let aptWithoutVersion = Rule(
    "EC201", "apt-without-version", .error,
    reason: "apt installs whatever version the archive holds on the day of the build.",
    fix: "Write package=version, or build the image from a recipe: `envctl image lock` pins every package by its hash.")
  static let pipWithoutVersion = Rule(
    "EC202", "pip-without-version", .error,
    reason: "pip installs the newest version that fits on the day of the build.",
    fix: "Write package==version, or install from a requirements file with hashes.")
  static let pipWithoutHashes = Rule(
    "EC203", "pip-without-hashes", .warning,
    reason: "A version can be had as several files, and an index can serve another one under the same name.",
    fix: "Install with --require-hashes from a requirements file that carries them.")
  static let recipeWithoutLock = Rule(
    "EC204", "recipe-without-lock", .error,
    reason: "A recipe names packages; only its lock names their bytes.",
    fix: "Run `envctl image lock` and commit image.lock beside image.yaml.")

  static let downloadWithoutChecksum = Rule(
    "EC301", "download-without-checksum", .error,
    reason: "What a server gives today it may not give tomorrow, and nothing here would notice.",
    fix: "Compare with a checksum: `echo '<sha256>  file' | sha256sum -c`, or ADD --checksum=sha256:….")
  static let certificateChecksOff = Rule(
    "EC302", "certificate-checks-off", .error,
    reason: "Without certificate checks anybody on the way can answer in the server's place.",
    fix: "Remove the option and install the authority's certificate instead.")

  static let modelWithoutHash = Rule(
    "EC401", "model-without-hash", .error,
    reason: "Weights decide every result, and a file of weights is replaced upstream without a trace.",
    fix: "Compare with the file's sha256, or name the revision by its full commit hash.")

  /// Limits alone suffice for cpu and memory: Kubernetes takes them for the requests too ("Resource Management for Pods and Containers").
  static let cpuUnbounded = Rule(
    "EC501", "cpu-unbounded", .warning,
    reason: "Without a CPU request and limit the number of threads, and with it the time and rounding of a run, depends on the neighbours.",
    fix: "Set resources.requests.cpu and resources.limits.cpu.")
  static let memoryUnbounded = Rule(
    "EC502", "memory-unbounded", .error,
    reason: "Without a memory request and limit the container takes its neighbours' memory and is killed for it.",
    fix: "Set resources.requests.memory and resources.limits.memory.")
  static let gpuUnbounded = Rule(
    "EC503", "gpu-unbounded", .error,
    reason: "A container that uses GPUs and limits none gets every GPU of the node or none at all.",
    fix: "Set resources.limits with the device's name, such as nvidia.com/gpu: 1; a request, if any, must be equal.")

  static let suppressionWithoutReason = Rule(
    "EC901", "suppression-without-reason", .error,
    reason: "A finding that is silenced without a reason cannot be reviewed; it is not silenced.",
    fix: "Write envctl:ignore EC101 -- the reason.")
  static let suppressionWithoutUse = Rule(
    "EC902", "suppression-without-use", .warning,
    reason: "A suppression that silences nothing hides the next finding at its place.",
    fix: "Remove it.")
  static let unreadable = Rule(
    "EC903", "unreadable", .error,
    reason: "What cannot be read is not judged, and one odd byte would carry anything past the rules.",
    fix: "Mend the file, move it out of the tree, or leave this rule out with --disable EC903.")
}
