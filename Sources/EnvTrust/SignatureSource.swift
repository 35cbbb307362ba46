/// What the search for signatures asks of the place an image comes from. Registries and layouts answer it, the floors above.
import EnvCore
import Hashing
import OCI

/// Where an image lies, with what was put beside it. Nothing it returns is believed before its digest was compared.
///
/// An error whose exit code is the one for verification says that what was served is not what was announced: that signature is broken, and
/// others are still looked at. Any other error ends the search.
public protocol SignatureSource {
  /// The manifest a tag of the image's repository points to; nil when there is no such tag.
  func manifest(tag: String) throws -> [UInt8]?
  /// A manifest by its digest; nil when it is not there.
  func manifest(_ digest: Digest) throws -> [UInt8]?
  /// A small blob, whose size the caller has looked at; nil when it is not there.
  func blob(_ descriptor: Descriptor) throws -> [UInt8]?
  /// Manifests that name `digest` as their subject (distribution-spec, "Listing Referrers"). It may list others too.
  func referrers(of digest: Digest) throws -> [Descriptor]
}

/// What is looked at and no more: a place that serves signatures may serve anything.
enum SignatureLimits {
  /// Manifests, as for images.
  static let manifest = 4 << 20
  /// A signed payload of cosign's first layout has some 250 bytes.
  static let payload: Int64 = 256 << 10
  /// A bundle carries proofs of a log with it, some ten kilobytes.
  static let bundle: Int64 = 1 << 20
  /// Signatures of one document. Every one costs a request.
  static let count = 64
}

extension SignatureSource {
  /// A blob whose size and digest are what the descriptor says.
  ///
  /// - Throws: `BrokenSignature`, or what the source throws.
  func proven(_ descriptor: Descriptor, limit: Int64, what: String) throws -> [UInt8] {
    guard descriptor.size <= limit else {
      throw BrokenSignature("\(what) is said to have \(descriptor.size) bytes; \(limit) are the limit")
    }
    guard descriptor.size >= 0 else { throw BrokenSignature("\(what) is said to have a negative size") }
    guard let bytes = try blob(descriptor) else { throw BrokenSignature("\(what), \(descriptor.digest), is not there") }
    guard Int64(bytes.count) == descriptor.size else {
      throw BrokenSignature("\(what) has \(bytes.count) bytes, where \(descriptor.size) were announced")
    }
    return try bytes.proven(descriptor.digest, what: what)
  }

  /// A manifest whose digest is the one asked for.
  func proven(_ digest: Digest, what: String) throws -> [UInt8]? {
    guard let bytes = try manifest(digest) else { return nil }
    guard bytes.count <= SignatureLimits.manifest else {
      throw BrokenSignature("\(what) is longer than \(SignatureLimits.manifest >> 20) MiB")
    }
    return try bytes.proven(digest, what: what)
  }
}

extension [UInt8] {
  fileprivate func proven(_ digest: Digest, what: String) throws(BrokenSignature) -> [UInt8] {
    let actual = Digest.sha256(of: self)
    guard actual == digest else { throw BrokenSignature("\(what) is not the one announced: expected \(digest), actual \(actual)") }
    return self
  }
}

/// Why one signature proves nothing; a further one may.
struct BrokenSignature: Error {
  let reason: String
  init(_ reason: String) { self.reason = reason }
}
