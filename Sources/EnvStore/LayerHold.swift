/// Unpacked layers in use: a repair may not pull them away from under a container.
import EnvCore
import SafeFS
import SystemPackage

/// Keeps one unpacked layer where it is as long as this value lives. The kernel lets go of it when the process dies.
public final class LayerHold: Sendable {
  private let lock: FileLock

  fileprivate init(_ lock: consuming FileLock) { self.lock = lock }
}

extension Store {
  /// Keeps the layers of an image from being removed. Taken before they are proven, so that what was proven is what is mounted.
  public func hold(_ image: StoredImage) throws -> [LayerHold] {
    try image.mountedLayers.indices.flatMap { index in
      let keys = image.layerKeys(index)
      return try [keys.alone, keys.stacked].map { LayerHold(try FileLock.shared(usePath($0))) }
    }
  }

  func usePath(_ diffID: Digest) -> FilePath { home.appending("locks").appending("use-" + diffID.hex) }
}
