/// The layers one process has built, by what went into them: images that differ in one package are built in the time of its layer.
import EnvCore
import EnvStore
import Synchronization

/// A layer in the store and what it holds.
struct StoredLayer: Sendable {
  var blob: VerifiedBlob
  var inventory: LayerInventory
}

/// Remembered layers. It lives as long as the process: what a store holds tomorrow is another matter.
public final class LayerMemory: Sendable {
  private struct Key: Hashable {
    var inputs: [String]
    var created: Int64
  }

  private let layers = Mutex<[Key: StoredLayer]>([:])

  /// A memory of nothing yet.
  public init() {}

  func layer(of plan: LayerPlan, created: Timestamp) -> StoredLayer? { layers.withLock { $0[Self.key(plan, created)] } }

  func remember(_ layer: StoredLayer, of plan: LayerPlan, created: Timestamp) {
    layers.withLock { $0[Self.key(plan, created)] = layer }
  }

  private static func key(_ plan: LayerPlan, _ created: Timestamp) -> Key {
    Key(inputs: plan.inputs, created: created.secondsSinceEpoch)
  }
}
