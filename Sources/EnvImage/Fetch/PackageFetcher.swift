/// Brings locked packages into the store: those already there are left alone, the others come from this machine's mirrors and indexes.
import EnvCore
import EnvStore
import HTTP
import Synchronization

/// The packages of a lock as files of the store.
struct FetchedPackages: Sendable {
  var debian: [LocatedPackage]
  var wheels: [LocatedWheel]
}

/// Fetches what a lock pins. A file is taken from anywhere, because its digest decides whether it is the right one.
struct PackageFetcher: Sendable {
  let store: Store
  let client: HTTPClient
  let origins: PackageOrigins
  let progress: @Sendable (StageProgress) -> Void

  private static let width = 4

  /// All packages of the lock, and how many bytes had to be fetched for them.
  ///
  /// - Throws: `StoreError.digestMismatch` for a package that is there but damaged or that comes with other bytes; `ImageError`; `HTTPError`.
  func fetch(_ lock: RecipeLock, suite: String) throws -> (packages: FetchedPackages, fetched: Int64) {
    let missingDebian = try lock.debian.filter { try store.blob($0.sha256, object: $0.path) == nil }
    let missingWheels = try lock.python.filter { try store.blob($0.sha256, object: $0.filename) == nil }
    let total = missingDebian.reduce(0) { $0 + $1.size } + missingWheels.reduce(0) { $0 + $1.size }
    let meter = ByteMeter(total: total, report: progress)
    // The servers are asked for only when something is missing: a complete store works without network, apt or pip.
    if !missingDebian.isEmpty {
      let bases = try origins.debianMirrors(suite)
      _ = try concurrentMap(missingDebian, width: Self.width) { try fetch($0, from: bases, meter) }
    }
    if !missingWheels.isEmpty {
      let index = IndexClient(indexes: try origins.pythonIndexes(), client: client)
      _ = try concurrentMap(missingWheels, width: Self.width) { try fetch($0, from: index, meter) }
    }
    return (try located(lock), total)
  }

  private func located(_ lock: RecipeLock) throws -> FetchedPackages {
    FetchedPackages(
      debian: try lock.debian.map { LocatedPackage(pin: $0, path: try present($0.sha256, $0.path).path) },
      wheels: try lock.python.map { LocatedWheel(pin: $0, path: try present($0.sha256, $0.filename).path) })
  }

  private func present(_ digest: Digest, _ object: String) throws -> VerifiedBlob {
    guard let blob = try store.blob(digest, object: object) else { throw StoreError.missingBlob(object: object, digest: digest) }
    return blob
  }

  private func fetch(_ pin: RecipeLock.DebianPin, from bases: [String], _ meter: ByteMeter) throws {
    try fetch(object: pin.path, digest: pin.sha256, size: pin.size, urls: bases.map { $0 + "/" + pin.path }, meter)
  }

  private func fetch(_ pin: RecipeLock.WheelPin, from index: IndexClient, _ meter: ByteMeter) throws {
    let file = try index.file(pin)
    try fetch(object: pin.filename, digest: pin.sha256, size: pin.size, urls: [file.url], meter)
  }

  private func fetch(object: String, digest: Digest, size: Int64, urls: [String], _ meter: ByteMeter) throws {
    var failure: (any Error)?
    for url in urls {
      var count: Int64 = 0
      do {
        _ = try store.ingest(expecting: digest, size: size, object: object) { writer in
          try client.download(HTTPRequest(url, expectedSize: size)) { bytes in
            try writer.write(bytes)
            count += Int64(bytes.byteCount)
            meter.add(Int64(bytes.byteCount), object: object)
          }
        }
        return
      } catch let error where Self.isFaultOfSource(error) {
        meter.add(-count, object: object)
        // Wrong bytes are worse news than a mirror that does not answer.
        if failure == nil || error is StoreError { failure = error }
      }
    }
    guard let failure else { return }
    throw ImageError.fetchFailed(object: object, tried: urls.map { redacted(url: $0) }, underlying: failure)
  }

  /// What another mirror may do better: a transfer that fails, or bytes that are not the pinned ones. Damage in the store has a path.
  private static func isFaultOfSource(_ error: any Error) -> Bool {
    switch error {
    case is HTTPError, StoreError.digestMismatch(_, _, _, path: nil), StoreError.sizeMismatch: true
    default: false
    }
  }
}

/// Sums up the bytes of parallel transfers.
private final class ByteMeter: Sendable {
  private let total: Int64
  private let report: @Sendable (StageProgress) -> Void
  private let done = Mutex<Int64>(0)

  init(total: Int64, report: @escaping @Sendable (StageProgress) -> Void) {
    self.total = total
    self.report = report
  }

  func add(_ count: Int64, object: String) {
    let now = done.withLock { done in
      done += count
      return done
    }
    report(StageProgress(object: object, done: now, total: total, isBytes: true))
  }
}
