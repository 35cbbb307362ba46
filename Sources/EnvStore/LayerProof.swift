/// The proof of an image's unpacked layers, under way beside other work: whoever mounts them need not wait for it, whoever runs them must.
import EnvCore
import SafeFS
import Synchronization

/// Layers that are unpacked, and whether they are still what was unpacked, which threads of their own are finding out.
public final class LayerProof: Sendable {
  /// Lowest first. They may be mounted at once; nothing in them may be executed before `wait` has returned.
  public let layers: [MaterialisedLayer]
  private let work: Work?
  private let isToldOf = Atomic(false)

  /// Of layers that were proven just now.
  public init(proven layers: [MaterialisedLayer]) {
    self.layers = layers
    work = nil
  }

  /// - Parameter prove: Throws when a layer is not as it was unpacked. It looks at `isCancelled` now and then.
  public init(of layers: [MaterialisedLayer], _ prove: @escaping @Sendable (_ isCancelled: @escaping @Sendable () -> Bool) throws -> Void) {
    self.layers = layers
    work = Work(prove)
  }

  /// Waits for the end of the proof; afterwards it returns at once.
  ///
  /// - Parameter reporter: Told of the first waiting, which is long when a changed layer is read as a whole.
  /// - Throws: `StoreError.fileChanged` when a file is not what its layer holds; `CancellationError`.
  public func wait(telling reporter: any StageReporter = SilentReporter()) throws {
    guard let work else { return }
    guard !isToldOf.exchange(true, ordering: .relaxed) else { return try work.wait() }
    try reporter.stage("prove") { _ in
      try work.wait()
      return ((), "\(layers.count) present and proven")
    }
  }

  /// Ends the proof. Whatever it has not found by then it will not find.
  public func cancel() { work?.isCancelled.store(true, ordering: .relaxed) }

  deinit {
    // The thread would otherwise work on while the program ends.
    cancel()
    try? work?.wait()  // Whoever wanted to know has waited.
  }

  private final class Work: Sendable {
    let isCancelled = Atomic(false)
    private let failure = Mutex<(any Error)?>(nil)
    private let thread = Mutex<EnvCore.Thread?>(nil)

    init(_ prove: @escaping @Sendable (_ isCancelled: @escaping @Sendable () -> Bool) throws -> Void) {
      let started = EnvCore.Thread { [self] in
        do {
          try prove { self.isCancelled.load(ordering: .relaxed) }
        } catch {
          failure.withLock { $0 = error }
        }
      }
      thread.withLock { $0 = started }
    }

    func wait() throws {
      // Under the lock, so that it is joined once and everybody waits for it.
      thread.withLock { thread in
        thread?.join()
        thread = nil
      }
      if let error = failure.withLock({ $0 }) { throw error }
    }
  }
}

extension Store {
  /// Unpacks the layers of an image when not all are there; otherwise begins to prove those that are, and does not wait for the end of it.
  ///
  /// The caller holds the layers (`hold`), so that they stay where they are meanwhile.
  /// - Throws: As `materialise`.
  public func prepare(
    _ image: StoredImage, progress: @escaping @Sendable (_ blobBytes: Int64) -> Void = { _ in }
  ) throws -> (proof: LayerProof, unpacked: Int) {
    let layers = image.mountedLayers
    let keys = layers.indices.compactMap { index in
      let keys = image.layerKeys(index)
      return keys.inOrder.first { FileSystem.exists(layerPath($0)) }
    }
    guard keys.count == layers.count else {
      let (layers, unpacked) = try materialise(image, progress: progress)
      return (LayerProof(proven: layers), unpacked)
    }
    let found = try MaterialisedLayer.shown(
      zip(layers, keys).map { MaterialisedLayer(diffID: $0.diffID, root: layerPath($1).appending("fs")) })
    let proof = LayerProof(of: found) { [self] isCancelled in
      // The runtime is what somebody waits for; it has all the files to prove in its time.
      Thread.yieldToOthers()
      _ = try concurrentMap(keys, width: 2) { key in
        guard try proveLayer(key, isCancelled: isCancelled) else {
          throw StoreError.missingBlob(object: "an unpacked layer of image \(image.manifestDigest.short)", digest: key)
        }
      }
    }
    return (proof, 0)
  }
}
