/// From a pin to an image in the store, wherever it comes from, once who must have signed it has.
import EnvCatalog
import EnvCore
import EnvRegistry
import EnvStore
import EnvTrust
import OCI

extension Workbench {
  /// An image in the store, how it was found, and who vouches for it.
  struct Obtained {
    let image: StoredImage
    /// The index that led to it.
    let index: Digest?
    /// Empty where no rule asks for a signature.
    let signatures: [EnvironmentLock.Signature]
    /// What it was found by in a registry; to be recorded once the image is unpacked.
    let reference: ImageReference?

    init(_ image: StoredImage, index: Digest? = nil, signers: [VerifiedIdentity] = [], reference: ImageReference? = nil) {
      self.image = image
      self.index = index
      self.reference = reference
      signatures = signers.map(EnvironmentLock.Signature.init)
    }
  }

  /// The image of a pin, made when it is not in the store, once the rules about signatures are met.
  func obtain(_ pin: Pin, _ policy: TrustPolicy) throws -> Obtained {
    var pin = pin
    let signers = try requireSignatures(of: &pin, by: policy)
    if let present = try present(pin, policy, signers) { return present }
    // Two commands that miss the same image make it once. Without a pin nobody knows yet that it is the same.
    guard let expected = pin.expected else { return try make(pin, policy, signers) }
    let waiting = { reporter.warned("another envctl is making the image of '\(pin.environment)'; waiting for it") }
    return try store.withLock("image-" + expected.digest.hex, waiting: waiting) {
      try present(pin, policy, signers) ?? make(pin, policy, signers)
    }
  }

  /// The pinned image when the store has it: then no registry need be asked, not even for one that is named by the digest of an index.
  private func present(_ pin: Pin, _ policy: TrustPolicy, _ signers: [VerifiedIdentity]) throws -> Obtained? {
    guard case .registry(let candidates) = pin.source, let reference = candidates.first else {
      return try pin.expected.flatMap { try store.image($0.digest) }.map { Obtained($0, signers: signers) }
    }
    guard let top = pin.expected?.digest ?? reference.digest, let bytes = try store.readDocument(top, object: "\(reference)") else {
      return nil
    }
    if let index = pin.index {
      if let bytes = try store.readDocument(index, object: "the index of \(reference)") {
        guard try ImageIndex.parse(bytes, object: "the index of \(reference)").manifests.contains(where: { $0.digest == top })
        else { return nil }
      } else if candidates.contains(where: { !policy.rules(for: .registry($0)).isEmpty }) {
        // A lock may claim any index for a manifest. Where signatures count, one that is not here is asked for; elsewhere the manifest, which
        // the lock names as well, is all that is launched, as from an archive that was loaded.
        return nil
      }
    }
    let index = pin.expected == nil ? try? ImageIndex.parse(bytes, object: "\(reference)") : nil
    let manifest = index == nil ? top : index?.image(for: platform)?.digest
    guard let image = try manifest.flatMap({ try store.image($0) }) else { return nil }
    let indexDigest = index == nil ? pin.index : top
    let signable = SignableImage(.registry(reference), manifest: image.manifestDigest, index: indexDigest)
    let signers = try requireSignatures(of: signable, by: policy, names: candidates)
    return Obtained(image, index: indexDigest, signers: signers, reference: reference)
  }

  private func make(_ pin: Pin, _ policy: TrustPolicy, _ signers: [VerifiedIdentity]) throws -> Obtained {
    switch pin.source {
    case .catalog(let entry): return Obtained(try expect(pin, try buildImage(recipe: entry.recipe).manifestDigest))
    case .layout(let layout): return Obtained(try expect(pin, try importImage(layout).manifestDigest), signers: signers)
    case .registry(let candidates):
      return try first(of: candidates) { reference in
        // What is locked is asked for by its digest; the tag may stand for something else by now.
        var reference = reference
        reference.digest = pin.index ?? pin.expected?.digest ?? reference.digest
        let resolved = try reporter.stage("resolve") { _ in
          let image = try resolve(reference, platform: platform)
          return (image, "\(reference) → \(image.top.digest)")
        }
        if let expected = pin.expected, resolved.manifest.digest != expected.digest {
          throw mismatch(pin, expected, resolved.manifest.digest)
        }
        let signers = try requireSignatures(of: resolved.signable, by: policy, names: candidates)
        return Obtained(try fetch(resolved), index: resolved.index?.digest, signers: signers, reference: reference)
      }
    }
  }

  private func expect(_ pin: Pin, _ actual: Digest) throws -> StoredImage {
    if let expected = pin.expected, actual != expected.digest { throw mismatch(pin, expected, actual) }
    guard let image = try store.image(actual) else {
      throw StoreError.missingBlob(object: "a part of '\(pin.environment)'", digest: actual)
    }
    return image
  }

  private func mismatch(_ pin: Pin, _ expected: (digest: Digest, by: String), _ actual: Digest) -> FlowError {
    .imageDigestMismatch(environment: pin.environment, expected: expected.digest, actual: actual, pinnedBy: expected.by)
  }
}

extension EnvironmentLock.Signature {
  init(_ identity: VerifiedIdentity) {
    self.init(key: identity.key, kind: identity.kind.rawValue, digest: identity.digest, reference: identity.reference)
  }
}
