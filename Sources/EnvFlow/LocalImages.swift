/// Images made, kept and unpacked on this machine: recipes, layouts, archives.
import EnvCatalog
import EnvCore
import EnvImage
import EnvStore
import OCI
import SafeFS
import SystemPackage

extension Workbench {
  /// Builds the image of a recipe folder from its lock, fetching what is not in the store.
  ///
  /// A recipe without a lock is refused, unless the user allows what is unpinned: then its packages are resolved now, for this once.
  public func buildImage(recipe folder: FilePath) throws -> StoredImage {
    try requirePinned(recipe: folder)
    let recipe = try Recipe.read(in: folder)
    let isLocked = FileSystem.exists(folder.appending(RecipeLock.fileName)) || !allowsUnpinned
    let lock =
      isLocked ? try RecipeLock.read(in: folder) : try RecipeLocker(store: store, reporter: reporter).lock(recipe, previous: nil)
    return try ImageBuilder(store: store, reporter: reporter).build(recipe, lock)
  }

  /// Takes an image of a layout into the store, unless a rule of this machine demands a signature that it does not have.
  public func load(_ layout: LayoutReference) throws -> StoredImage {
    let pin = Pin(environment: "\(layout)", resolved: .layout("\(layout)"), source: .layout(layout), expected: nil)
    return try obtain(pin, try trustPolicy(of: nil)).image
  }

  func importImage(_ layout: LayoutReference) throws -> StoredImage {
    try reporter.stage("import") { progress in
      let counter = ByteCounter(total: nil, progress)
      let image = try store.importImage(layout, platform: platform) { counter.add($1, object: $0) }
      guard image.config.os == platform.os, image.config.architecture == platform.architecture else {
        throw CatalogError.unsupportedPlatform(environment: "\(layout)", platform, offered: [image.config.platform])
      }
      return (image, "\(layout) → \(image.manifestDigest)")
    }
  }

  /// Writes an image of the store, with the signatures kept of it, into a layout or an archive.
  ///
  /// - Throws: `FlowError.unsuitableTarget` for a place where something else stands.
  public func save(_ image: StoredImage, to layout: LayoutReference) throws {
    try requireSuitable(layout)
    let companions = try companions(of: image)
    try reporter.stage("save") { progress in
      let counter = ByteCounter(total: image.layers.reduce(0) { $0 + $1.descriptor.size }, progress)
      switch layout.form {
      case .folder: try store.exportImage(image, with: companions, to: layout.path, tag: layout.tag)
      case .archive: try store.exportArchive(image, with: companions, to: layout.path, tag: layout.tag) { counter.add($0, object: "") }
      }
      let signed = companions.entries.isEmpty ? "" : ", with its signatures"
      return ((), "\(image.manifestDigest) → \(layout)\(signed)")
    }
  }

  /// The layers of an image, unpacked; those that were there already are still to be proven.
  func unpack(_ image: StoredImage) throws -> LayerProof {
    try reporter.stage("unpack") { progress in
      let counter = ByteCounter(total: image.layers.reduce(0) { $0 + $1.descriptor.size }, progress)
      let (proof, unpacked) = try store.prepare(image) { counter.add($0, object: "") }
      let present = proof.layers.count - unpacked
      let parts = [unpacked > 0 ? "\(unpacked) unpacked" : nil, present > 0 ? "\(present) present" : nil].compactMap { $0 }
      return (proof, "\(proof.layers.count) layers: " + parts.joined(separator: ", "))
    }
  }
}

/// Adds up bytes from several threads and passes the sum on as progress.
final class ByteCounter: Sendable {
  private let done = Counter()
  private let total: Int64?
  private let progress: @Sendable (StageProgress) -> Void

  init(total: Int64?, _ progress: @escaping @Sendable (StageProgress) -> Void) {
    self.total = total
    self.progress = progress
  }

  func add(_ bytes: Int64, object: String) {
    progress(StageProgress(object: object, done: done.add(bytes), total: total, isBytes: true))
  }
}
