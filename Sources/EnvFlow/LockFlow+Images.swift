/// The exact content of an image on each platform, from wherever it comes. Of a registry's image only the documents are fetched.
import EnvCatalog
import EnvCore
import EnvRegistry
import EnvStore
import EnvTrust
import OCI
import SystemPackage

extension Workbench {
  struct LockedImages {
    let source: EnvironmentSource
    var index: Digest?
    var images: [String: EnvironmentLock.Image] = [:]
    var signatures: [EnvironmentLock.Signature] = []

    mutating func add(_ obtained: Obtained, on platform: Platform) throws {
      images[platform.description] = try EnvironmentLock.Image(obtained.image)
      signatures += obtained.signatures.filter { !signatures.contains($0) }
    }
  }

  /// Locks the chosen image for each platform.
  func lockImages(_ choice: SourceChoice, _ project: ProjectFile, _ platforms: [Platform]) throws -> LockedImages {
    let policy = try trustPolicy(of: project)
    var locked = LockedImages(source: choice.source)
    switch choice.source {
    case .catalog(let name):
      let entry = try catalog.entry(name)
      for platform in platforms { try locked.add(try on(platform).obtain(try pin(entry, for: platform), policy), on: platform) }
    case .layout(let text):
      guard let layout = LayoutReference(parsing: text)?.resolved(in: project.folder) else { throw FlowError.malformedLayout(text) }
      let pin = Pin(environment: text, resolved: choice.source, source: .layout(layout), expected: nil)
      for platform in platforms { try locked.add(try on(platform).obtain(pin, policy), on: platform) }
    case .image:
      return try reporter.stage("resolve") { _ in
        let locked = try lockFromRegistry(choice, platforms, policy)
        let digest = locked.index ?? locked.images.values.first?.manifest.digest
        return (locked, "\(locked.source)" + (digest.map { " → \($0)" } ?? ""))
      }
    }
    return locked
  }

  /// The same tools, working for another platform.
  private func on(_ platform: Platform) -> Workbench {
    var workbench = self
    workbench.platform = platform
    return workbench
  }

  /// What the catalog pins for a platform.
  func pin(_ entry: CatalogEntry, for platform: Platform) throws -> Pin {
    guard let digest = entry.images[platform] else {
      throw CatalogError.unsupportedPlatform(environment: entry.name, platform, offered: Array(entry.images.keys))
    }
    let place = "manifests/\(entry.file.lastComponent?.string ?? "")"
    return Pin(environment: entry.name, resolved: .catalog(entry.name), source: .catalog(entry), expected: (digest, place))
  }

  /// Locks what the first registry that has the image gives. The tag is asked once: it may move between two platforms.
  private func lockFromRegistry(_ choice: SourceChoice, _ platforms: [Platform], _ policy: TrustPolicy) throws -> LockedImages {
    try first(of: choice.candidates) { reference in
      var pinned = reference
      var locked = LockedImages(source: .image(reference))
      for platform in platforms {
        let resolved = try resolve(pinned, platform: platform)
        if pinned.digest == nil { tell(choice.reportedDigest, against: resolved) }
        pinned.digest = resolved.top.digest
        locked.index = resolved.index?.digest
        let signers = try requireSignatures(of: resolved.signable, by: policy, names: choice.candidates)
        try locked.add(Obtained(resolved.documents, signers: signers), on: platform)
      }
      return locked
    }
  }

  private func tell(_ reported: Digest?, against resolved: ResolvedImage) {
    guard let reported, reported != resolved.top.digest else { return }
    reporter.warned("third parties say that \(resolved.reference) is \(reported); the registry says \(resolved.top.digest)")
  }

  /// Asks one registry after the other until one has the image. Mirrors lag behind one another, and some cannot be reached from everywhere.
  func first<Value>(of candidates: [ImageReference], _ body: (ImageReference) throws -> Value) throws -> Value {
    precondition(!candidates.isEmpty, "an image lies in some registry")
    var firstFailure: RegistryError?
    for (number, reference) in candidates.enumerated() {
      do {
        return try body(reference)
      } catch let error as RegistryError {
        guard error.mayBeOtherwiseElsewhere, number + 1 < candidates.count else { throw firstFailure ?? error }
        firstFailure = firstFailure ?? error
        reporter.warned("\(error.summary); asking \(candidates[number + 1].registry)")
      }
    }
    preconditionFailure("the last candidate returns or throws")
  }
}

extension RegistryError {
  /// Whether another registry may still have what this one does not give. Wrong bytes are told at once.
  fileprivate var mayBeOtherwiseElsewhere: Bool {
    switch self {
    case .notFound, .unavailable, .unauthorized: true
    default: false
    }
  }
}

extension EnvironmentLock.Image {
  /// What a lock says of an image in the store.
  init(_ image: StoredImage) throws {
    try self.init(
      manifest: EnvironmentLock.Document(
        digest: image.manifestDigest, mediaType: image.manifest.mediaType ?? .imageManifest, size: image.manifestSize),
      image.manifest, image.config)
  }
}
