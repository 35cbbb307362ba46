/// Who must have signed what a project asks for, and the proof of it before anything further is fetched.
import EnvCatalog
import EnvCore
import EnvRegistry
import EnvStore
import EnvTrust
import Hashing
import OCI
import SafeFS
import SystemPackage

/// An image by the digests a signature can be of.
public struct SignableImage: Sendable {
  public enum Place: Sendable {
    case registry(ImageReference)
    case layout(LayoutReference)
  }

  public let place: Place
  /// The platform's manifest, which is what runs.
  public let manifest: Digest
  /// The index that is said to lead to it. Its signature counts only when it really lists the manifest.
  public let index: Digest?

  public init(_ place: Place, manifest: Digest, index: Digest?) {
    self.place = place
    self.manifest = manifest
    self.index = index
  }
}

extension SignableImage.Place: CustomStringConvertible {
  /// As people name it.
  public var description: String {
    switch self {
    case .registry(let reference): reference.description
    case .layout(let layout): layout.description
    }
  }

  /// As rules see it. Links in the path of a layout that is there are resolved, or a rule could be walked around.
  var subject: TrustSubject {
    switch self {
    case .registry(let reference): .registry(reference)
    case .layout(let layout): .layout((try? FileSystem.canonicalPath(layout.path)) ?? layout.path)
    }
  }
}

extension ResolvedImage {
  /// What signatures of the image can be of.
  var signable: SignableImage { SignableImage(.registry(reference), manifest: manifest.digest, index: index?.digest) }
}

extension Workbench {
  /// The rules in force: those of the operator of this machine, of `$ENVCTL_POLICY`, and of the project with the policy file it names.
  ///
  /// - Throws: `TrustError` or `YAMLError` for rules that cannot be read, which are never taken for none.
  public func trustPolicy(of project: ProjectFile?) throws -> TrustPolicy {
    var documents = try policyFiles.map { try TrustPolicy.readRules($0) }
    if let file = project?.policy { documents.append(try TrustPolicy.readRules(file)) }
    if let project, let rules = project.verify { documents.append(try TrustPolicy.rules(rules, folder: project.folder)) }
    return TrustPolicy(documents: documents)
  }

  /// Proves that an image is signed as the rules demand. Where none covers it, nobody is asked and the result is empty.
  ///
  /// Signatures are kept in the store with the image, so that a later call needs no network, whichever rules there are by then.
  /// - Parameter names: Other names the same image is asked for by. A demand on any of them holds, whichever mirror answers.
  /// - Throws: `TrustError` when a demand is not met.
  public func requireSignatures(
    of image: SignableImage, by policy: TrustPolicy, names: [ImageReference] = []
  ) throws -> [VerifiedIdentity] {
    let rules = rules(for: image, policy, names)
    guard !rules.isEmpty else { return [] }
    return try reporter.stage("signatures") { _ in
      let (identities, isKept) = try identities(of: image, rules)
      let signers = Set(identities.map(\.key.short)).sorted().joined(separator: ", ")
      return (identities, "\(image.place) is signed by \(signers)" + (isKept ? ", as kept in the store" : ""))
    }
  }

  private func rules(
    for image: SignableImage, _ policy: TrustPolicy, _ names: [ImageReference]
  ) -> [(TrustRule, SignatureDemand)] {
    var rules: [(TrustRule, SignatureDemand)] = []
    for subject in [image.place.subject] + names.map(TrustSubject.registry) {
      rules += policy.rules(for: subject).filter { new in !rules.contains { $0.0.mark == new.rule.mark } }
    }
    return rules
  }

  /// Holds what is locked to the rules in force now, which may be newer than the lock.
  ///
  /// - Parameter offline: Ask nobody: signatures kept in the store count, and where none are kept, those the lock records.
  /// - Throws: `TrustError` when a demand is not met.
  func requireSigned(_ lock: EnvironmentLock, _ project: ProjectFile, offline: Bool) throws {
    let policy = try trustPolicy(of: project)
    guard let place = try place(of: lock, project) else { return }
    let names = if case .registry(let reference) = place { try names(of: reference, project) } else { [ImageReference]() }
    for (_, locked) in lock.images.sorted(by: { $0.key < $1.key }) {
      let image = SignableImage(place, manifest: locked.manifest.digest, index: lock.index)
      let rules = rules(for: image, policy, names)
      if rules.isEmpty { continue }
      if !offline {
        _ = try requireSignatures(of: image, by: policy, names: names)
      } else if let kept = KeptSignatures.read(for: image, in: store) {
        _ = try verify(kept.image, rules.map { ($0.1, "\($0.0.mark)") }, in: kept.source)
      } else {
        for (rule, demand) in rules where !lock.signatures.contains(where: { $0.satisfies(demand, for: image) }) {
          throw TrustError.missing(image: "\(place)", demandedBy: "\(rule.mark)")
        }
      }
    }
  }

  /// Where a locked image lies; nil for one that is built here.
  private func place(of lock: EnvironmentLock, _ project: ProjectFile) throws -> SignableImage.Place? {
    switch lock.resolved {
    case .catalog: nil
    case .image(let reference): .registry(reference)
    case .layout(let text): LayoutReference(parsing: text).map { .layout($0.resolved(in: project.folder)) }
    }
  }

  /// Looks for signatures of an image by exactly these keys in the place it lies, and keeps nothing.
  public func checkSignatures(of image: SignableImage, _ demand: SignatureDemand, demandedBy: String) throws -> [VerifiedIdentity] {
    try verify(image, [(demand, demandedBy)], in: try source(of: image))
  }

  private func identities(of image: SignableImage, _ rules: [(TrustRule, SignatureDemand)]) throws -> ([VerifiedIdentity], isKept: Bool) {
    let demands = rules.map { rule, demand in (demand, "\(rule.mark)") }
    // What was kept may lack what a newer rule wants. Then the place the image came from has the word.
    if let kept = KeptSignatures.read(for: image, in: store), let found = try? verify(kept.image, demands, in: kept.source) {
      return (found, true)
    }
    let recorder = KeptSignatures.Recorder(try source(of: image))
    let found = try verify(image, demands, in: recorder)
    try recorder.keep(for: image, in: store)
    return (found, false)
  }

  private func verify(
    _ image: SignableImage, _ demands: [(SignatureDemand, by: String)], in source: any SignatureSource
  ) throws -> [VerifiedIdentity] {
    let digests = try digests(of: image, in: source)
    var identities: [VerifiedIdentity] = []
    for (demand, demandedBy) in demands {
      let verifier = SignatureVerifier(source: source, demand: demand, image: "\(image.place)", demandedBy: demandedBy)
      identities += try verifier.verify(digests).filter { !identities.contains($0) }
    }
    return identities
  }

  /// The digests whose signature counts. A lock or a tag may claim any index for a manifest.
  private func digests(of image: SignableImage, in source: any SignatureSource) throws -> [Digest] {
    guard let index = image.index, let bytes = try source.manifest(index), Digest.sha256(of: bytes) == index else {
      return [image.manifest]
    }
    let entries = try ImageIndex.parse(bytes, object: "the index of \(image.place)").manifests
    return entries.contains { $0.digest == image.manifest } ? [index, image.manifest] : [image.manifest]
  }

  private func source(of image: SignableImage) throws -> any SignatureSource {
    switch image.place {
    case .registry(let reference): RegistrySignatureSource(client: registry, reference: reference)
    case .layout(let layout): try LayoutSignatureSource(layout)
    }
  }
}

extension Workbench {
  /// Holds an image of a layout to the rules before any of it is taken in. From then on the pin is the manifest that is signed.
  ///
  /// An image of a registry is held to them once its reference is resolved.
  /// What is built here from a recipe is held to its lock instead: nobody else made it.
  func requireSignatures(of pin: inout Pin, by policy: TrustPolicy) throws -> [VerifiedIdentity] {
    guard case .layout(let layout) = pin.source else { return [] }
    guard !policy.rules(for: SignableImage.Place.layout(layout).subject).isEmpty else { return [] }
    let image: SignableImage
    if let expected = pin.expected?.digest, try store.image(expected) != nil {
      // The layout itself may be gone by now.
      image = SignableImage(.layout(layout), manifest: expected, index: nil)
    } else {
      image = try signableImage(layout)
    }
    let identities = try requireSignatures(of: image, by: policy)
    pin.expected = pin.expected ?? (image.manifest, "its signature")
    return identities
  }

  /// What a reference or the name of a layout leads to, without fetching more than an index or a manifest.
  ///
  /// - Throws: What the registry or the layout answers; `ImageReferenceError` for a text that names neither.
  public func signableImage(_ text: String, in folder: FilePath) throws -> SignableImage {
    if let layout = LayoutReference(parsing: text)?.resolved(in: folder) { return try signableImage(layout) }
    let reference = try ImageReference(parsing: text)
    let document = try registry.manifest(reference)
    return try signableImage(.registry(reference), document.digest, index: document.isIndex ? document.bytes : nil)
  }

  private func signableImage(_ layout: LayoutReference) throws -> SignableImage {
    let documents = try LayoutDocuments(layout)
    let top = try documents.image()
    return try signableImage(.layout(layout), top.digest, index: top.isIndex ? try documents.document(top.digest) : nil)
  }

  /// An index without an image for this platform is still something that can be signed.
  private func signableImage(_ place: SignableImage.Place, _ top: Digest, index: [UInt8]?) throws -> SignableImage {
    guard let index, let entry = try ImageIndex.parse(index, object: "the index of the image").image(for: platform) else {
      return SignableImage(place, manifest: top, index: nil)
    }
    return SignableImage(place, manifest: entry.digest, index: top)
  }
}

extension EnvironmentLock.Signature {
  /// Whether the lock says that one of the demanded keys signed the image.
  fileprivate func satisfies(_ demand: SignatureDemand, for image: SignableImage) -> Bool {
    demand.keys.contains { $0.key.fingerprint == key } && (digest == image.manifest || digest == image.index)
  }
}
