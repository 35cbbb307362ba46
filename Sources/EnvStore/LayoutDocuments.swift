/// The documents of an OCI layout read in place, folder or archive: what has to be looked at before anything of it enters the store.
import Archive
import EnvCore
import Hashing
import OCI
import SafeFS
import SystemPackage

/// A layout's index and its small blobs.
public struct LayoutDocuments: Sendable {
  public let reference: LayoutReference
  public let index: ImageIndex

  /// - Throws: `StoreError.malformedLayout` when there is no layout or its index is none.
  public init(_ reference: LayoutReference) throws {
    self.reference = reference
    guard let bytes = try Self.read("index.json", of: reference, limit: 4 << 20, isOnly: true) else {
      throw StoreError.malformedLayout(path: reference.path, reason: "it has no index.json")
    }
    index = try ImageIndex.parse(bytes, object: "index.json of \(reference)")
  }

  /// The image the reference names: an index or a manifest.
  public func image() throws -> Descriptor { try reference.image(in: index) }

  /// A blob of at most `limit` bytes, proven; nil when the layout does not hold it.
  ///
  /// An archive is gone through from its start, past what is not wanted, so that nothing of it need be kept.
  public func document(_ digest: Digest, limit: Int = 4 << 20) throws -> [UInt8]? {
    guard let bytes = try Self.read("blobs/sha256/\(digest.hex)", of: reference, limit: limit) else { return nil }
    let actual = Digest.sha256(of: bytes)
    guard actual == digest else {
      throw StoreError.digestMismatch(object: "blob \(digest.short) of \(reference)", expected: digest, actual: actual, path: nil)
    }
    return bytes
  }

  /// - Parameter isOnly: Go on to the end of an archive and refuse a second file of this name, which another reader would take instead.
  private static func read(_ name: String, of reference: LayoutReference, limit: Int, isOnly: Bool = false) throws -> [UInt8]? {
    switch reference.form {
    case .folder:
      let path = reference.path.appending(name)
      guard let status = try FileSystem.status(path, followingLink: true) else { return nil }
      guard status.kind == .file, status.size <= limit else { throw tooLong(name, reference, limit) }
      return try FileSystem.readFile(path, limit: limit)
    case .archive:
      var reader = try archive(reference.path)
      var found: [UInt8]?
      while let entry = try reader.next() {
        guard try RelativePath(entry.path).string == name else { continue }
        guard found == nil else { throw twoIndexes(reference.path) }
        guard entry.kind == .file, entry.size <= limit else { throw tooLong(name, reference, limit) }
        found = try reader.readAll(limit: limit)
        if !isOnly { break }
      }
      return found
    }
  }

  /// Opens an archive. Whoever waits for a FIFO's writer, or reads a device, may do so for ever.
  static func archive(_ path: FilePath) throws -> ArchiveReader {
    guard let status = try FileSystem.status(path, followingLink: true) else {
      throw StoreError.malformedLayout(path: path, reason: "there is no such file")
    }
    guard status.kind == .file else { throw StoreError.malformedLayout(path: path, reason: "it is \(status.kind), and no regular file") }
    return try ArchiveReader(opening: path.string, format: .tar)
  }

  static func twoIndexes(_ path: FilePath) -> StoreError { .malformedLayout(path: path, reason: "it holds index.json twice") }

  private static func tooLong(_ name: String, _ reference: LayoutReference, _ limit: Int) -> StoreError {
    .malformedLayout(path: reference.path, reason: "'\(name)' is no file of at most \(limit) bytes")
  }
}

extension LayoutReference {
  /// The entry of a layout's index that this names: the one with its tag, or without a tag the only image.
  ///
  /// - Throws: `StoreError.malformedLayout`, naming the tags there are.
  func image(in index: ImageIndex) throws(StoreError) -> Descriptor {
    let images = index.manifests.filter { !$0.accompaniesAnImage }
    let tags = images.compactMap(\.tag).joined(separator: ", ")
    if let tag {
      if let found = index.manifests.first(where: { $0.tag == tag }) { return found }
      throw .malformedLayout(path: path, reason: "it has no tag '\(tag)', only \(tags)")
    }
    guard images.count == 1 else {
      let reason = images.isEmpty ? "it is empty" : "it holds several images; name one: \(tags)"
      throw .malformedLayout(path: path, reason: reason)
    }
    return images[0]
  }
}

extension Descriptor {
  /// Signatures and whatever else lies in a layout because of an image: known by what they are, by cosign's tags, or by how it saves them.
  fileprivate var accompaniesAnImage: Bool {
    if artifactType != nil { return true }
    if let kind = annotations?["kind"], ["sigs", "atts", "sboms"].contains(where: { kind == "dev.cosignproject.cosign/" + $0 }) {
      return true
    }
    guard let tag, tag.hasPrefix("sha256-") else { return false }
    return (try? Digest(hex: tag.dropFirst(7).prefix { $0 != "." })) != nil
  }
}
