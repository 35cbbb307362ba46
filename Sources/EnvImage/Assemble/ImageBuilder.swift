/// Recipe and lock → image in the store. The order of the layers is decided here; what is in them, by the kinds of packages.
import EnvCore
import EnvStore
import HTTP
import Hashing
import OCI
import SafeFS
import SystemPackage

/// Builds images from locked packages without running anything of them.
///
/// The same recipe and lock give the same manifest digest on every machine, for every user, at any time.
public struct ImageBuilder: Sendable {
  private let store: Store
  private let reporter: any StageReporter
  private let client: HTTPClient
  private let origins: PackageOrigins
  private let memory: LayerMemory?

  /// - Parameter memory: Layers built before that need not be built again, where many images are built that differ little.
  public init(store: Store, reporter: any StageReporter, client: HTTPClient = HTTPClient(), memory: LayerMemory? = nil) {
    self.init(store: store, reporter: reporter, client: client, origins: .ofThisMachine, memory: memory)
  }

  init(store: Store, reporter: any StageReporter, client: HTTPClient, origins: PackageOrigins, memory: LayerMemory? = nil) {
    self.store = store
    self.reporter = reporter
    self.client = client
    self.origins = origins
    self.memory = memory
  }

  /// Fetches what is missing, assembles the layers and puts the image into the store.
  ///
  /// - Parameter isRecorded: Whether the image is listed among those of the store; one that is tried once need not be.
  /// - Throws: `ImageError`; `StoreError.digestMismatch` for a package that is not the pinned one; `HTTPError` below `ImageError.fetchFailed`.
  public func build(_ recipe: Recipe, _ lock: RecipeLock, isRecorded: Bool = true) throws -> StoredImage {
    try lock.requireMatch(recipe)
    let packages = try fetch(lock, recipe)
    return try reporter.stage("assemble") { progress in
      let image = try assemble(recipe, lock, packages, isRecorded: isRecorded, progress)
      let size = image.layers.reduce(0) { $0 + $1.descriptor.size }
      return (image, "\(image.layers.count) layers, \(ByteCount(size)), manifest \(image.manifestDigest)")
    }
  }

  /// Brings the locked packages into the store and builds nothing.
  public func fetch(_ recipe: Recipe, _ lock: RecipeLock) throws {
    try lock.requireMatch(recipe)
    _ = try fetch(lock, recipe)
  }

  private func fetch(_ lock: RecipeLock, _ recipe: Recipe) throws -> FetchedPackages {
    try reporter.stage("fetch") { progress in
      let fetcher = PackageFetcher(store: store, client: client, origins: origins, progress: progress)
      let (packages, fetched) = try fetcher.fetch(lock, suite: recipe.debian.suite)
      let count = lock.debian.count + lock.python.count
      return (packages, fetched == 0 ? "\(count) packages, all in the store" : "\(count) packages, \(ByteCount(fetched)) fetched")
    }
  }

  private func assemble(
    _ recipe: Recipe, _ lock: RecipeLock, _ packages: FetchedPackages, isRecorded: Bool,
    _ progress: @escaping @Sendable (StageProgress) -> Void
  ) throws -> StoredImage {
    let plans = try LayerPlan.layers(of: recipe, lock, packages)
    let built = try build(plans, created: recipe.created, progress)
    try LayerInventory.requireNoConflicts(built.map(\.inventory))
    try built.map(\.inventory).requireTargets(of: recipe.links)
    let config = Self.config(recipe, plans, built.map(\.blob))
    let configBlob = try store.ingest(CanonicalJSON.encode(config), object: "config of image \(recipe.name)")
    let manifest = ImageManifest(
      config: Descriptor(mediaType: .imageConfig, digest: configBlob.digest, size: configBlob.size),
      layers: built.map { Descriptor(mediaType: .layerTar, digest: $0.blob.digest, size: $0.blob.size) },
      annotations: recipe.labels.isEmpty ? nil : recipe.labels)
    let manifestBlob = try store.ingest(CanonicalJSON.encode(manifest), object: "manifest of image \(recipe.name)")
    if isRecorded {
      let origin = ImageOrigin(source: "recipe \(recipe.name)", recipeLock: .sha256(of: try CanonicalJSON.encode(lock)))
      try store.recordImage(manifestBlob.digest, origin: origin)
    }
    guard let image = try store.image(manifestBlob.digest) else {
      throw StoreError.missingBlob(object: "image \(recipe.name)", digest: manifestBlob.digest)
    }
    return image
  }

  /// The layers in the order of `plans`, built largest first so that no thread is left with the long one at the end.
  private func build(
    _ plans: [LayerPlan], created: Timestamp, _ progress: @escaping @Sendable (StageProgress) -> Void
  ) throws -> [StoredLayer] {
    let order = plans.indices.sorted { (plans[$0].weight, $1) > (plans[$1].weight, $0) }
    let built = try concurrentMap(order, width: 2) { index in
      let plan = plans[index]
      progress(StageProgress(object: plan.name, done: Int64(index), total: Int64(plans.count), isBytes: false))
      if let known = memory?.layer(of: plan, created: created) { return (index, known) }
      var inventory = LayerInventory()
      let blob = try store.ingest(object: "layer \(plan.name)") { writer in
        inventory = try LayerBuilder.build(created: created, sink: { try writer.write($0) }, plan.write)
      }
      let layer = StoredLayer(blob: blob, inventory: inventory)
      memory?.remember(layer, of: plan, created: created)
      return (index, layer)
    }
    return built.sorted { $0.0 < $1.0 }.map(\.1)
  }

  private static func config(_ recipe: Recipe, _ plans: [LayerPlan], _ layers: [VerifiedBlob]) -> ImageConfig {
    let created = recipe.created.description
    return ImageConfig(
      platform: recipe.platform, created: created,
      config: ImageConfig.Execution(
        user: recipe.user, environment: recipe.environment, command: recipe.command.isEmpty ? nil : recipe.command,
        workingDirectory: recipe.workingDirectory.description, labels: recipe.labels.isEmpty ? nil : recipe.labels),
      diffIDs: layers.map(\.digest),
      history: plans.map { ImageConfig.History(created: created, createdBy: "envctl image build", comment: $0.name) })
  }
}
