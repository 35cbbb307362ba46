/// The order in which signatures are looked for and judged. How each kind is laid out is the documents' business.
import EnvCore
import OCI
import Signing

/// Looks for signatures of an image and compares them with what is demanded.
///
/// Only keys are believed. A transparency log is not asked, and a signature that names its signer by a certificate is told to be unsupported.
public struct SignatureVerifier {
  private let source: any SignatureSource
  private let demand: SignatureDemand
  /// As people name the image.
  private let image: String
  /// Who demands it, such as `envctl.yaml:3:5`.
  private let demandedBy: String

  public init(source: any SignatureSource, demand: SignatureDemand, image: String, demandedBy: String) {
    self.source = source
    self.demand = demand
    self.image = image
    self.demandedBy = demandedBy
  }

  /// What one signature turned out to be.
  private enum Finding {
    case valid(VerifiedIdentity)
    case lacking(name: String, expected: String, actual: String?)
    case foreign
    case broken(String)
    case keyless
  }

  /// Every valid signature over any of `digests`: the index of an image and the manifest of the platform are signed as well by either.
  ///
  /// - Throws: `TrustError` when there is none; what the source throws.
  public func verify(_ digests: [Digest]) throws -> [VerifiedIdentity] {
    var findings: [Finding] = []
    for digest in digests {
      findings += try tagged(digest)
      findings += try referring(digest)
    }
    let valid = Set(findings.compactMap { if case .valid(let identity) = $0 { identity } else { nil } })
    guard valid.isEmpty else { return valid.sorted { $0.order < $1.order } }
    throw failure(findings)
  }

  /// The most telling reason: a trusted signer's almost right signature, then damage, then strangers.
  private func failure(_ findings: [Finding]) -> TrustError {
    for case .lacking(let name, let expected, let actual) in findings {
      return .lackingAnnotation(image: image, demandedBy: demandedBy, name: name, expected: expected, actual: actual)
    }
    for case .broken(let reason) in findings { return .broken(image: image, demandedBy: demandedBy, reason: reason) }
    let foreign = findings.count { if case .foreign = $0 { true } else { false } }
    if foreign > 0 {
      let keys = demand.keys.map { "\($0.name) (\($0.key.fingerprint.short))" }
      return .foreignKey(image: image, demandedBy: demandedBy, signatures: foreign, keys: keys)
    }
    if !findings.isEmpty {
      let reason = "it was made with a certificate (keyless), which takes a certificate authority and a log to check"
      return .unsupported(image: image, demandedBy: demandedBy, reason: reason)
    }
    return .missing(image: image, demandedBy: demandedBy)
  }

  /// Signatures of cosign's first layout.
  private func tagged(_ digest: Digest) throws -> [Finding] {
    try unlessBroken {
      guard let bytes = try source.manifest(tag: CosignLayer.tag(for: digest)) else { return [] }
      let layers = try CosignLayer.layers(bytes)
      try requireFew(layers.count)
      return try layers.flatMap { layer in try unlessBroken { [try judge(layer, of: digest)] } }
    }
  }

  private func judge(_ layer: CosignLayer, of digest: Digest) throws -> Finding {
    if layer.isKeyless { return .keyless }
    let signature = try layer.signature
    let payload = try source.proven(layer.descriptor, limit: SignatureLimits.payload, what: "a signed payload")
    guard let key = signer(of: payload, signature) else { return .foreign }
    let document = try CosignPayload.parse(payload, signing: digest)
    let identity = VerifiedIdentity(
      kind: .cosignV1, key: key.fingerprint, digest: digest, reference: document.critical.identity?.reference)
    return compared(identity, document.optional ?? [:])
  }

  /// Sigstore bundles that refer to the image.
  private func referring(_ digest: Digest) throws -> [Finding] {
    try unlessBroken {
      let referrers = try source.referrers(of: digest)
      try requireFew(referrers.count)
      return try referrers.flatMap { referrer in try unlessBroken { [try judge(referrer, of: digest)].compactMap { $0 } } }
    }
  }

  /// Nil for what is no signature of an image: an inventory, a scan, a statement about how it was built.
  private func judge(_ referrer: Descriptor, of digest: Digest) throws -> Finding? {
    guard let bytes = try source.proven(referrer.digest, what: "a manifest that refers to the image"),
      let manifest = try BundleManifest.parse(bytes, about: digest)
    else { return nil }
    let bundle = try SigstoreBundle.parse(source.proven(manifest.bundle, limit: SignatureLimits.bundle, what: "a bundle"))
    if bundle.isKeyless { return .keyless }
    guard bundle.verificationMaterial.publicKey != nil else {
      throw BrokenSignature("a bundle does not say what it is to be verified with")
    }
    if let envelope = bundle.dsseEnvelope { return try judge(envelope, of: digest) }
    guard let message = bundle.messageSignature else { return nil }
    let signature = try message.signature(over: digest)
    guard let document = try source.proven(digest, what: "the signed manifest") else {
      throw BrokenSignature("the signed manifest is gone")
    }
    guard let key = signer(of: document, signature) else { return .foreign }
    return compared(VerifiedIdentity(kind: .sigstoreBundle, key: key.fingerprint, digest: digest, reference: nil), [:])
  }

  private func judge(_ envelope: DSSEEnvelope, of digest: Digest) throws -> Finding? {
    let (payload, signed, signature) = try envelope.open()
    guard let key = signer(of: signed, signature) else { return .foreign }
    let statement = try InTotoStatement.parse(payload)
    guard statement.predicateType == InTotoStatement.signPredicate else { return nil }
    let subject = try statement.subject(digest)
    let identity = VerifiedIdentity(kind: .sigstoreBundle, key: key.fingerprint, digest: digest, reference: subject.name)
    return compared(identity, subject.annotations ?? [:])
  }

  private func signer(of message: [UInt8], _ signature: [UInt8]) -> PublicKey? {
    demand.keys.lazy.map(\.key).first { $0.verify(signature: signature, of: message) }
  }

  private func compared(_ identity: VerifiedIdentity, _ annotations: [String: SignedText]) -> Finding {
    for (name, expected) in demand.annotations.sorted(by: { $0.key < $1.key }) {
      let actual = annotations[name]?.text
      guard actual == expected else { return .lacking(name: name, expected: expected, actual: actual) }
    }
    return .valid(identity)
  }

  private func requireFew(_ count: Int) throws(BrokenSignature) {
    guard count <= SignatureLimits.count else {
      throw BrokenSignature("it has \(count) signatures, and no more than \(SignatureLimits.count) are looked at")
    }
  }

  /// A broken signature is a finding; a source that cannot be reached is an error.
  private func unlessBroken(_ body: () throws -> [Finding]) throws -> [Finding] {
    do {
      return try body()
    } catch let error as BrokenSignature {
      return [.broken(error.reason)]
    } catch let error as any Diagnostic where error.exitCode == .verification {
      return [.broken(error.summary)]
    }
  }
}

extension VerifiedIdentity {
  /// The same whatever order a registry lists signatures in.
  fileprivate var order: (String, String, String, String) { (key.hex, kind.rawValue, digest.hex, reference ?? "") }
}
