/// The rules about image references (EC101 to EC107).
import EnvCore
import OCI

/// An image somebody wants, as a reader found it.
struct ImageMention {
  /// Who wants it, such as `service 'web'`.
  var user: String
  var range: Range<Int>
  var statement: Int
  var expansion: Expansion
  var digestForm = DigestForm.besideTag
}

/// How the program that reads a reference wants its digest.
enum DigestForm: Sendable {
  case besideTag
  /// The `docker://` transport of containers/image, on which apptainer builds, refuses both at once ("Docker references with both a tag and
  /// digest are currently not supported"); enroot, on which pyxis builds, knows only one of them as well.
  case insteadOfTag
  /// Kustomize has a key `digest`, which takes the place of `newTag`.
  case ownKey
}

extension Collector {
  /// Judges an image by what is written and by what its variables' defaults say.
  mutating func check(_ mention: ImageMention) {
    guard !isFull else { return }
    let expansion = mention.expansion
    let written = source.text(mention.range)
    guard expansion.unknown.isEmpty else { return checkUnknown(mention, written: written) }
    guard let judgement = Pinning.judge(expansion.text) else { return }
    var pin: Pin?
    if mention.digestForm == .besideTag, let reference = judgement.resolvable, let offset = expansion.end {
      pin = Pin(reference: reference, offset: offset)
    }
    let suggestion =
      switch mention.digestForm {
      case .besideTag: judgement.suggestion
      case .insteadOfTag: Self.adviceInsteadOfTag(judgement)
      case .ownKey: "give the key digest: sha256:… instead of newTag"
      }
    if expansion.defaults.isEmpty {
      return report(
        judgement.rule, at: mention.range, statement: mention.statement, "\(mention.user): \(judgement.problem)", suggestion: suggestion,
        pin: pin)
    }
    guard judgement.rule.severity == .error else { return }
    let names = expansion.defaults.map { "'\($0)'" }.joined(separator: ", ")
    report(
      judgement.rule == .malformedReference ? judgement.rule : .unpinnedDefault, at: mention.range, statement: mention.statement,
      "\(mention.user): \(written) is '\(expansion.text)' unless \(names) is set, and \(judgement.problem)", suggestion: suggestion,
      pin: pin)
  }

  private mutating func checkUnknown(_ mention: ImageMention, written: String) {
    // A digest written out pins the image, whatever the rest turns out to be.
    if let at = mention.expansion.text.lastIndex(of: "@"), (try? Digest(parsing: mention.expansion.text[at...].dropFirst())) != nil {
      return
    }
    let names = mention.expansion.unknown.joined(separator: ", ")
    report(
      .unknownReference, at: mention.range, statement: mention.statement,
      "\(mention.user): nothing here says what '\(written)' is (\(names))")
  }

  private static func adviceInsteadOfTag(_ judgement: Pinning.Judgement) -> String {
    guard let reference = judgement.resolvable else { return judgement.suggestion }
    return "write \(reference.name)@sha256:… without the tag, which this program does not take beside a digest"
  }
}
