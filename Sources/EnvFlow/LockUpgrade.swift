/// `envctl lock --upgrade`: what the tag or the catalog names today, and how it differs from what was locked.
import EnvCatalog
import EnvCore
import EnvImage
import EnvStore
import OCI
import SystemPackage

/// How two images of one platform differ.
public struct ImageChange: Sendable, Encodable {
  /// A named value that is not the same; nil where it is not there.
  public struct Value: Sendable, Encodable, Equatable {
    public var name: String
    public var before: String?
    public var after: String?
  }

  /// A layer by digest and bytes of its blob.
  public struct Layer: Sendable, Encodable, Equatable {
    public var digest: Digest
    public var size: Int64

    init(_ layer: EnvironmentLock.Image.Layer) { (digest, size) = (layer.digest, layer.size) }
  }

  public var platform: String
  public var before: Digest
  public var after: Digest
  public var sharedLayers: [Layer]
  public var newLayers: [Layer]
  public var goneLayers: [Layer]
  /// CUDA, cuDNN, driver, Python.
  public var facts: [Value]
  /// Nil where the older configuration is not in the store any more; then labels are nil as well.
  public var variables: [Value]?
  public var labels: [Value]?
  /// Nil where packages could not be compared, for the reason in `packagesNote`.
  public var packages: [PackageInventory.Change]?
  public var packagesNote: String?
}

extension Workbench {
  /// Locks anew what the request leads to today, for every platform asked for or locked, and explains the difference.
  ///
  /// - Returns: The written lock, and one change for each platform whose image is another one now.
  public func upgradeLock(_ project: ProjectFile) throws -> (outcome: LockOutcome, changes: [ImageChange]) {
    let file = project.folder.appending(EnvironmentLock.name)
    guard let previous = try EnvironmentLock.read(in: project.folder) else { throw CatalogError.noLock(file: file) }
    let locked = previous.images.keys.sorted().compactMap { Platform(parsing: $0) }
    let platforms = project.platforms + locked.filter { !project.platforms.contains($0) }
    let lock = try freshLock(project, platforms: platforms)
    let changes = try lock.images.sorted { $0.key < $1.key }.compactMap { name, image in
      try previous.images[name].flatMap { $0 == image ? nil : try change(on: name, from: $0, to: image, of: lock.resolved) }
    }
    return (try write(lock, previous, in: project), changes)
  }

  private func change(
    on platform: String, from old: EnvironmentLock.Image, to new: EnvironmentLock.Image, of source: EnvironmentSource
  ) throws -> ImageChange {
    let (oldDiffs, newDiffs) = (Set(old.layers.map(\.diffID)), Set(new.layers.map(\.diffID)))
    var change = ImageChange(
      platform: platform, before: old.manifest.digest, after: new.manifest.digest,
      sharedLayers: new.layers.filter { oldDiffs.contains($0.diffID) }.map(ImageChange.Layer.init),
      newLayers: new.layers.filter { !oldDiffs.contains($0.diffID) }.map(ImageChange.Layer.init),
      goneLayers: old.layers.filter { !newDiffs.contains($0.diffID) }.map(ImageChange.Layer.init),
      facts: ImageChange.Value.changes(from: old.facts.named, to: new.facts.named))
    let configs = try [old, new].compactMap { try store.imageDocuments($0.manifest.digest)?.config.config }
    if configs.count == 2, let before = configs.first, let after = configs.last {
      change.variables = ImageChange.Value.changes(from: before.variables, to: after.variables)
      change.labels = ImageChange.Value.changes(from: before.labels ?? [:], to: after.labels ?? [:])
    }
    do {
      (change.packages, change.packagesNote) = try packages(from: old, to: new, of: source)
    } catch StoreError.needsRoot {
      change.packagesNote = "not compared: unpacking layers needs root"
    }
    return change
  }

  /// Packages are read from unpacked layers, so both images have to be here. The new one is fetched when the old one is: who has used the
  /// one will use the other.
  private func packages(
    from old: EnvironmentLock.Image, to new: EnvironmentLock.Image, of source: EnvironmentSource
  ) throws -> (changes: [PackageInventory.Change]?, note: String?) {
    guard let before = try store.image(old.manifest.digest) else {
      return (nil, "not compared: the layers of the image that was locked are not in the store")
    }
    guard let after = try image(new, of: source) else { return (nil, "not compared: the new image is not in the store") }
    let (changes, unread) = try packages(from: before, to: after)
    return (changes, unread.isEmpty ? nil : "the database of \(unread.joined(separator: ", ")) is there and not read")
  }

  /// The packages in which two images of the store differ, and the package managers whose databases are there and not read.
  func packages(from before: StoredImage, to after: StoredImage) throws -> (changes: [PackageInventory.Change], unread: [String]) {
    try reporter.stage("compare") { _ in
      let holds = try store.hold(before) + store.hold(after)
      defer { withExtendedLifetime(holds) {} }
      let left = try PackageInventory(of: store.materialise(before).layers)
      let right = try PackageInventory(of: store.materialise(after).layers)
      let changes = left.changes(to: right)
      let summary = "\(changes.count) package\(changes.count == 1 ? " differs" : "s differ")"
      return ((changes, Set(left.unread + right.unread).sorted()), summary)
    }
  }

  private func image(_ locked: EnvironmentLock.Image, of source: EnvironmentSource) throws -> StoredImage? {
    if let present = try store.image(locked.manifest.digest) { return present }
    guard case .image(var reference) = source, let documents = try store.imageDocuments(locked.manifest.digest) else { return nil }
    reference.digest = locked.manifest.digest
    return try fetch(try resolve(reference, platform: documents.config.platform))
  }
}

extension ImageChange.Value {
  /// The names whose values differ, in the order of the names.
  static func changes(from before: [String: String], to after: [String: String]) -> [ImageChange.Value] {
    Set(before.keys).union(after.keys).sorted()
      .map { ImageChange.Value(name: $0, before: before[$0], after: after[$0]) }
      .filter { $0.before != $0.after }
  }
}

extension ImageConfig.Execution {
  /// By name.
  var variables: [String: String] {
    var variables: [String: String] = [:]
    for entry in environment ?? [] {
      let parts = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      variables[parts[0]] = parts.count == 2 ? parts[1] : ""
    }
    return variables
  }
}

extension EnvironmentFacts {
  fileprivate var named: [String: String] {
    let pairs = [
      ("CUDA", cuda?.description), ("cuDNN", cudnn?.description), ("driver", driver?.floor.map { "≥ \($0)" }),
      ("NVIDIA_REQUIRE_CUDA", requirement), ("Python", python?.description),
    ]
    return Dictionary(uniqueKeysWithValues: pairs.compactMap { name, value in value.map { (name, $0) } })
  }
}
