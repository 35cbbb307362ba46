/// The judgement of one image reference, for `lint` and for every command that takes references from people.
import EnvCore
import OCI

/// Whether a reference names bytes or only a name for bytes.
public enum Pinning {
  /// What is wrong with a reference.
  struct Judgement {
    let rule: Rule
    /// A clause that names the reference.
    let problem: String
    let suggestion: String
    /// What a registry could be asked for; nil where a digest would not mend it.
    let resolvable: ImageReference?
  }

  /// The findings for a reference given to a command or in envctl.yaml, under the ids `envctl lint` uses; none when it is pinned.
  ///
  /// A catalog's name and a local OCI layout are no registry references and do not belong here.
  ///
  /// - Parameter place: Where the reference was read: a file with line and column, or `Place(file: "command line")`.
  public static func findings(reference text: String, place: Place) -> [Finding] {
    guard let judgement = judge(text) else { return [] }
    return [Finding(rule: judgement.rule, place: place, message: judgement.problem, suggestion: judgement.suggestion, object: text)]
  }

  /// nil for a reference that is pinned and says nothing misleading.
  static func judge(_ text: String) -> Judgement? {
    let reference: ImageReference
    do { reference = try ImageReference(parsing: text) } catch {
      return Judgement(rule: .malformedReference, problem: error.summary, suggestion: Rule.malformedReference.fix, resolvable: nil)
    }
    let shown = text.hasPrefix("docker://") ? String(text.dropFirst("docker://".count)) : text
    let moving = reference.tag.map(isMoving) ?? false
    if reference.digest != nil {
      guard moving, let tag = reference.tag else { return nil }
      return Judgement(
        rule: .digestBesideMovingTag, problem: "the digest decides what '\(tag)' is in '\(shorten(shown))', and '\(tag)' moves on",
        suggestion: Rule.digestBesideMovingTag.fix, resolvable: nil)
    }
    guard let tag = reference.tag else {
      var latest = reference
      latest.tag = "latest"
      return Judgement(
        rule: .missingTag, problem: "'\(shown)' has no tag" + portRemark(reference), suggestion: Rule.missingTag.fix, resolvable: latest)
    }
    if moving {
      return Judgement(
        rule: .movingTag, problem: "the tag '\(tag)' of '\(shown)' moves with every push", suggestion: Rule.movingTag.fix,
        resolvable: reference)
    }
    return Judgement(
      rule: .tagWithoutDigest, problem: "'\(shown)' has a tag and no digest", suggestion: "append the digest: \(shown)@sha256:…",
      resolvable: reference)
  }

  /// People take the port of `registry:5000/name` for a tag, and so do some tools.
  private static func portRemark(_ reference: ImageReference) -> String {
    guard let colon = reference.registry.lastIndex(of: ":"), !reference.registry.hasSuffix("]") else { return "" }
    return ", '\(reference.registry[colon...])' is its registry's port"
  }

  private static func shorten(_ text: String) -> String {
    guard let at = text.firstIndex(of: "@") else { return text }
    return String(text[..<at]) + String(text[at...].prefix(20)) + "…"
  }

  // MARK: Moving tags

  /// Words that name a moving tag wherever they stand among the parts of one: `latest-gpu`, `3.0-nightly`.
  private static let movingAnywhere: Set<String> = [
    "latest", "nightly", "snapshot", "snapshots", "edge", "canary", "master", "trunk", "rolling", "bleeding", "head", "unstable",
  ]
  /// Words that do so only in front: `devel` and `stable` further back are variants of a version (`12.2.0-devel-ubuntu22.04`).
  private static let movingInFront: Set<String> = [
    "main", "dev", "devel", "develop", "development", "stable", "testing", "current", "next", "lts", "mainline", "beta", "alpha", "preview",
    "experimental", "staging", "prod", "production", "release", "tip", "sid", "rawhide", "tumbleweed",
  ]

  /// Whether a tag is one that is pushed again and again. One that carries a date or a commit is not, whatever stands beside it.
  static func isMoving(_ tag: String) -> Bool {
    let parts = tag.lowercased().split { $0 == "-" || $0 == "_" || $0 == "." }.map(String.init)
    guard let first = parts.first else { return false }
    guard movingInFront.contains(first) || parts.contains(where: movingAnywhere.contains) else { return false }
    return !parts.contains(where: isFixedPoint)
  }

  /// Eight digits of a date, or seven and more of a commit.
  private static func isFixedPoint(_ part: String) -> Bool {
    guard part.utf8.count >= 7 else { return false }
    var digits = Substring(part)
    if digits.hasPrefix("sha") || digits.hasPrefix("dev") { digits = digits.dropFirst(3) }
    if digits.hasPrefix("g") { digits = digits.dropFirst() }
    return digits.utf8.count >= 7 && digits.utf8.contains { (48...57).contains($0) }
      && digits.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
  }
}
