/// Who must have signed what. Reading it from files is `TrustPolicyReader`'s work, proving it `SignatureVerifier`'s.
import EnvCore
import Signing
import StrictYAML

/// A public key with the name people know it by.
public struct TrustedKey: Sendable, Hashable {
  /// The file it was read from, as the rule names it.
  public let name: String
  public let key: PublicKey

  public init(name: String, key: PublicKey) {
    self.name = name
    self.key = key
  }
}

/// What signatures must show: one valid signature by any of the keys, over each of the annotations.
public struct SignatureDemand: Sendable, Hashable {
  public let keys: [TrustedKey]
  /// Names and values that the signed document itself must carry.
  public let annotations: [String: String]

  public init(keys: [TrustedKey], annotations: [String: String] = [:]) {
    self.keys = keys
    self.annotations = annotations
  }
}

/// One rule: these images need that.
public struct TrustRule: Sendable {
  public let pattern: ImagePattern
  /// Nil for `require: any`: an exception from a wider rule of the same document.
  public let demand: SignatureDemand?
  /// Where the rule stands.
  public let mark: YAMLMark
}

/// Rules of several documents: the operator's and the project's.
///
/// In each document the most specific rule that covers an image decides, in whatever order the rules stand. What any document demands must be
/// met, so a document can add demands and never lift those of another: a project cannot weaken what the operator of the machine wants.
public struct TrustPolicy: Sendable {
  public let documents: [[TrustRule]]

  public init(documents: [[TrustRule]]) { self.documents = documents }

  /// The rules that decide about an image, one a document at most. Only those that demand signatures are listed.
  public func rules(for subject: TrustSubject) -> [(rule: TrustRule, demand: SignatureDemand)] {
    documents.compactMap { rules in
      let covering = rules.filter { $0.pattern.matches(subject) }
      guard let rule = covering.max(by: { $1.pattern.isMoreSpecific(than: $0.pattern) }), let demand = rule.demand else { return nil }
      return (rule, demand)
    }
  }
}
