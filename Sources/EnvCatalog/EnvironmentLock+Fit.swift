/// Whether a lock still fits: what it locks against what is asked for, and what it says of an image against the image.
import EnvCore
import OCI
import SystemPackage

extension EnvironmentLock {
  /// Refuses a lock that was written for another request or lacks a platform.
  ///
  /// - Throws: `CatalogError.lockMismatch`.
  public func requireMatch(_ project: ProjectFile) throws(CatalogError) {
    let file = project.folder.appending(Self.name)
    guard environment == project.environment.description else {
      throw .lockMismatch(file: file, reason: "it locks '\(environment)', envctl.yaml asks for '\(project.environment)'")
    }
    let missing = project.platforms.map(\.description).filter { images[$0] == nil }
    guard missing.isEmpty else {
      throw .lockMismatch(file: file, reason: "it has no image for \(missing.joined(separator: ", "))")
    }
    try requireModels(of: project)
    guard models != nil || project.models.isEmpty else { throw .lockMismatch(file: file, reason: "it locks none of envctl.yaml's models") }
  }

  /// Refuses a lock that pins other models than `envctl.yaml`; one from before there were any still fits.
  ///
  /// - Throws: `CatalogError.lockMismatch`, naming the first model that differs.
  public func requireModels(of project: ProjectFile) throws(CatalogError) {
    guard let models else { return }
    let (locked, wanted) = (Set(models), Set(project.models.map(\.locked)))
    guard let other = (models + project.models.map(\.locked)).first(where: { !locked.contains($0) || !wanted.contains($0) }) else { return }
    let isBoth = models.contains { $0.name == other.name } && project.models.contains { $0.name == other.name }
    let reason =
      isBoth
      ? "it locks the model '\(other.name)' with another source, sha256, size or mount than envctl.yaml"
      : locked.contains(other)
        ? "it locks the model '\(other.name)', which envctl.yaml does not name"
        : "it does not lock the model '\(other.name)' of envctl.yaml"
    throw .lockMismatch(file: project.folder.appending(Self.name), reason: reason)
  }

  /// Refuses an image that is not what the lock says of it, down to sizes and media types.
  ///
  /// - Throws: `CatalogError.lockDisagrees`, naming every difference.
  public func requireAgreement(with image: Image, on platform: Platform, in folder: FilePath) throws(CatalogError) {
    guard let locked = images[platform.description] else { return }
    let differences = locked.differences(from: image)
    guard differences.isEmpty else {
      throw .lockDisagrees(file: folder.appending(Self.name), platform: platform.description, differences: differences)
    }
  }
}

extension EnvironmentLock.Image {
  /// Each thing the lock says otherwise than the image, both values named; empty when they agree.
  public func differences(from image: EnvironmentLock.Image) -> [String] {
    var found: [String] = []
    func compare(_ object: String, _ locked: some Equatable, _ actual: some Equatable) {
      if "\(locked)" != "\(actual)" { found.append("\(object) is \(actual), locked as \(locked)") }
    }
    func compare(_ object: String, _ locked: EnvironmentLock.Document, _ actual: EnvironmentLock.Document) {
      compare(object, locked.digest, actual.digest)
      compare("media type of the \(object)", locked.mediaType, actual.mediaType)
      compare("size of the \(object)", locked.size, actual.size)
    }
    compare("manifest", manifest, image.manifest)
    compare("config", config, image.config)
    compare("number of layers", layers.count, image.layers.count)
    for (index, (locked, actual)) in zip(layers, image.layers).enumerated() {
      compare("layer \(index + 1)", locked.digest, actual.digest)
      compare("diffID of layer \(index + 1)", locked.diffID, actual.diffID)
      compare("media type of layer \(index + 1)", locked.mediaType, actual.mediaType)
      compare("size of layer \(index + 1)", locked.size, actual.size)
    }
    // Facts the lock does not name were not known to the envctl that wrote it; what is derived from them is no property of the image.
    if let cuda = facts.cuda { compare("CUDA", cuda, image.facts.cuda?.description ?? "untold") }
    if let cudnn = facts.cudnn { compare("cuDNN", cudnn, image.facts.cudnn?.description ?? "untold") }
    if let python = facts.python { compare("Python", python, image.facts.python?.description ?? "untold") }
    if let requirement = facts.requirement { compare("NVIDIA_REQUIRE_CUDA", requirement, image.facts.requirement ?? "untold") }
    return found
  }
}

extension EnvironmentFacts {
  /// One line for people.
  public var summary: String {
    let parts = [
      cuda.map { "CUDA \($0)" }, cudnn.map { "cuDNN \($0)" }, driver?.floor.map { "driver ≥ \($0)" }, requirement.map { "'\($0)'" },
      python.map { "Python \($0)" },
    ].compactMap { $0 }
    return parts.isEmpty ? "none" : parts.joined(separator: ", ")
  }
}
