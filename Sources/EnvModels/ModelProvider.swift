/// Pinned models: fetched once into the store, proven every time, looked through before they are used.
import EnvCatalog
import EnvCore
import EnvStore
import HTTP
import SafeFS
import SystemPackage

/// A model whose bytes are proven, and what was found in it.
public struct ReadyModel: Sendable {
  public let pin: ModelPin
  public let blob: VerifiedBlob
  public let scan: ModelScan
  /// What the pin allows by name.
  public let allowed: [ModelFinding]
}

/// Brings models into the store.
public struct ModelProvider: Sendable {
  private let store: Store
  private let client: HTTPClient

  public init(store: Store, client: HTTPClient = HTTPClient()) {
    self.store = store
    self.client = client
  }

  /// Whether the model is in the store already.
  ///
  /// - Throws: `ModelError.damaged` when what lies there is not it any more.
  public func isPresent(_ pin: ModelPin) throws(ModelError) -> Bool { try stored(pin) != nil }

  /// Makes a model ready: what the store lacks is fetched and hashed as it comes, what it has is proven, and both are scanned.
  ///
  /// - Parameters:
  ///   - folder: The project's, where relative paths begin.
  ///   - progress: Told the bytes of each piece that comes.
  /// - Throws: `ModelError`: `.notAsPinned` and `.damaged` (status 5) for other bytes than the pinned, `.refused` (status 4) for what the
  ///   pin does not allow.
  public func prepare(_ pin: ModelPin, in folder: FilePath, progress: (Int64) -> Void) throws(ModelError) -> ReadyModel {
    let blob = if let present = try stored(pin) { present } else { try fetch(pin, in: folder, progress) }
    // Programs go by the name they see.
    let scan = try ModelScanner().scan(blob.path, name: FilePath(pin.mount).lastComponent?.string ?? pin.name)
    let judged = scan.judged(allowing: pin.allow)
    guard judged.refused.isEmpty else { throw .refused(name: pin.name, findings: judged.refused) }
    return ReadyModel(pin: pin, blob: blob, scan: scan, allowed: judged.allowed)
  }

  private func stored(_ pin: ModelPin) throws(ModelError) -> VerifiedBlob? {
    do {
      guard let blob = try store.blob(pin.sha256, object: object(pin)) else { return nil }
      guard blob.size == pin.size else { throw StoreError.sizeMismatch(object: object(pin), expected: pin.size, actual: blob.size) }
      return blob
    } catch StoreError.sizeMismatch(let object, let expected, let actual) {
      let error = StoreError.sizeMismatch(object: object, expected: expected, actual: actual)
      throw .notAsPinned(name: pin.name, place: "the store", underlying: error)
    } catch {
      throw .damaged(name: pin.name, underlying: error)
    }
  }

  private func object(_ pin: ModelPin) -> String { "the model '\(pin.name)'" }

  private func fetch(_ pin: ModelPin, in folder: FilePath, _ progress: (Int64) -> Void) throws(ModelError) -> VerifiedBlob {
    let place: String
    do {
      switch pin.source {
      case .url(let url):
        place = redacted(url: url)
        return try store.ingest(expecting: pin.sha256, size: pin.size, object: object(pin)) { writer in
          try client.download(HTTPRequest(url, expectedSize: pin.size)) { bytes in
            try writer.write(bytes)
            progress(Int64(bytes.byteCount))
          }
        }
      case .path(let text):
        let path = folder.pushing(FilePath(text)).lexicallyNormalized()
        place = "'\(path)'"
        return try store.ingest(expecting: pin.sha256, size: pin.size, object: object(pin)) { writer in
          try copy(path, pin, into: &writer, progress)
        }
      }
    } catch {
      throw isMismatch(error)
        ? .notAsPinned(name: pin.name, place: place, underlying: error) : .unobtainable(name: pin.name, place: place, underlying: error)
    }
  }

  private func copy(_ path: FilePath, _ pin: ModelPin, into writer: inout BlobWriter, _ progress: (Int64) -> Void) throws {
    let source = try ByteSource(file: path)
    guard source.size == pin.size else {
      throw StoreError.sizeMismatch(object: "'\(path)'", expected: pin.size, actual: source.size)
    }
    var offset: Int64 = 0
    while offset < source.size {
      let piece = try source.bytes(at: offset, 1 << 20)
      // It became shorter meanwhile, which the store tells.
      if piece.isEmpty { break }
      try writer.write(piece)
      offset += Int64(piece.count)
      progress(Int64(piece.count))
    }
  }

  /// Whether the source gave a whole answer and it was another one: no other attempt would mend that.
  private func isMismatch(_ error: any Error) -> Bool {
    switch error {
    case StoreError.digestMismatch, StoreError.sizeMismatch, HTTPError.tooLarge, HTTPError.truncated, HTTPError.changedDuringTransfer: true
    default: false
    }
  }
}
