/// Fetching: manifests and indexes, blobs, tags, referrers.
import EnvCore
import HTTP
import Hashing
import OCI

extension RegistryClient {
  /// A manifest or an index, byte for byte, with its digest computed here.
  public struct Document: Sendable, Equatable {
    public let bytes: [UInt8]
    public let digest: Digest
    /// What the document itself says it is, else what the registry says.
    public let mediaType: MediaType

    /// How other documents point at it.
    public var descriptor: Descriptor { Descriptor(mediaType: mediaType, digest: digest, size: Int64(bytes.count)) }
    public var isIndex: Bool { mediaType == .imageIndex || mediaType == .dockerManifestList }

    /// Reads what the document is; `contentType` counts where it does not say so itself.
    ///
    /// - Throws: `RegistryError.unusableDocument`.
    public init(_ bytes: [UInt8], contentType: String? = nil, object: String) throws {
      self.bytes = bytes
      digest = .sha256(of: bytes)
      mediaType = try RegistryClient.mediaType(of: bytes, contentType: contentType, object: object)
    }
  }

  /// The most bytes a manifest may have (distribution-spec, "Pushing Manifests": registries should accept 4 MiB).
  static let manifestLimit: Int64 = 4 << 20

  /// Fetches what the reference's digest, or else its tag, names.
  ///
  /// - Throws: `RegistryError.notFound`, `.digestMismatch` when the bytes are not those of the digest, and what else a transfer may end in.
  public func manifest(_ reference: ImageReference) throws -> Document {
    guard let name = reference.manifestName else { throw RegistryError.noTagOrDigest(reference.description) }
    return try manifest(named: name, expected: reference.digest, in: reference, object: "\(reference)")
  }

  /// As `manifest`, for what a person has named: where the tag is not there, the error tells the nearest that are.
  public func manifest(named reference: ImageReference) throws -> Document {
    do {
      return try manifest(reference)
    } catch RegistryError.notFound(let object, let said, _) {
      guard reference.digest == nil, let tag = reference.tag else { throw RegistryError.notFound(object: object, said: said) }
      // A registry that lists nothing has nothing to suggest.
      let tags = (try? tags(in: reference)) ?? []
      throw RegistryError.notFound(object: object, said: said, nearest: nearest(to: tag, among: tags))
    }
  }

  /// Fetches a manifest by digest from the repository of `reference`.
  public func manifest(_ digest: Digest, in reference: ImageReference) throws -> Document {
    try manifest(named: digest.description, expected: digest, in: reference, object: "\(reference.name)@\(digest)")
  }

  /// What the reference points to now.
  public func resolve(_ reference: ImageReference) throws -> Descriptor { try manifest(reference).descriptor }

  /// What the reference points to now, when it is an image that could be pulled as far as its document tells.
  ///
  /// - Throws: `OCIDocumentError` and `RegistryError.unusableDocument` for what is none: a digest of it would pin nothing of use.
  public func resolveImage(_ reference: ImageReference) throws -> Descriptor {
    let document = try manifest(reference)
    let object = "\(reference)"
    if document.isIndex {
      guard try !ImageIndex.parse(document.bytes, object: object).platforms.isEmpty else {
        throw RegistryError.unusableDocument(object: object, reason: "it is an index that names no image for any platform")
      }
    } else {
      try ImageManifest.parse(document.bytes, object: object).requireImage(object: object)
    }
    return document.descriptor
  }

  private func manifest(named name: String, expected: Digest?, in reference: ImageReference, object: String) throws -> Document {
    let accept = [MediaType.imageManifest, .imageIndex, .dockerManifest, .dockerManifestList].map(\.rawValue).joined(separator: ", ")
    let request = try request(
      url(reference, "manifests/" + name), reference, headers: [("Accept", accept)], sizeLimit: Self.manifestLimit)
    let (response, bytes) = try asking(object, reference) { try http.get(request) }
    // The digest comes first: what other bytes say does not matter.
    let actual = Digest.sha256(of: bytes)
    if let expected, expected != actual { throw RegistryError.digestMismatch(object: object, expected: expected, actual: actual) }
    // The header need not be there; where it is and says something else, somebody on the way changed one of the two.
    if let stated = response.headers["docker-content-digest"], stated.hasPrefix("sha256:"), stated != actual.description {
      throw RegistryError.protocolViolation(object: object, reason: "its header says \(stated.prefix(80)), the bytes are \(actual)")
    }
    return try Document(bytes, contentType: response.contentType, object: object)
  }

  private static func mediaType(of bytes: [UInt8], contentType: String?, object: String) throws -> MediaType {
    struct Shape: Decodable {
      struct Anything: Decodable { init(from decoder: any Decoder) {} }
      var schemaVersion: Int?
      var mediaType: String?
      var manifests: Anything?
      var layers: Anything?
      var fsLayers: Anything?
    }
    let shape: Shape
    do {
      shape = try CanonicalJSON.decode(Shape.self, from: bytes, object: object, ignoringCase: true)
    } catch JSONError.ambiguous(_, let reason) {
      throw RegistryError.unusableDocument(object: object, reason: reason)
    } catch {
      throw RegistryError.unusableDocument(object: object, reason: "it is not a JSON document with the keys of a manifest or an index")
    }
    if shape.schemaVersion == 1 || shape.fsLayers != nil {
      throw RegistryError.unusableDocument(object: object, reason: "it is of Docker's schema 1, which names no verifiable configuration")
    }
    if let stated = shape.mediaType { return MediaType(rawValue: stated) }
    let served = MediaType(rawValue: String((contentType ?? "").prefix { $0 != ";" && $0 != " " }))
    if [.imageManifest, .imageIndex, .dockerManifest, .dockerManifestList].contains(served) { return served }
    if shape.manifests != nil { return .imageIndex }
    if shape.layers != nil { return .imageManifest }
    throw RegistryError.unusableDocument(object: object, reason: "it is neither a manifest nor an index")
  }

  /// Streams a blob; whoever takes the bytes proves them. Where the registry does not have it, the descriptor's own URLs are tried,
  /// without credentials (CVE-2020-15157).
  public func download(
    _ descriptor: Descriptor, in reference: ImageReference, object: String, into body: (RawSpan) throws -> Void
  ) throws {
    let request = try request(url(reference, "blobs/\(descriptor.digest)"), reference, expectedSize: descriptor.size)
    do {
      _ = try asking(object, reference) { try http.download(request, into: body) }
    } catch let error as RegistryError {
      guard case .notFound = error, let elsewhere = descriptor.urls?.first(where: { $0.hasPrefix("https://") }) else { throw error }
      let place = "\(object), which the registry leaves to '\(redacted(url: elsewhere).prefix(200))',"
      do {
        _ = try http.download(HTTPRequest(elsewhere, expectedSize: descriptor.size), into: body)
      } catch HTTPError.truncated(_, let received, let expected) {
        throw RegistryError.sizeMismatch(object: place, expected: expected, actual: received)
      } catch HTTPError.tooLarge(_, let limit) {
        throw RegistryError.tooLarge(object: place, limit: limit)
      } catch let error as HTTPError {
        // What helps with the registry does not help with another host.
        throw RegistryError.unavailable(object: place, said: nil, underlying: error)
      }
    }
  }

  /// A small blob held in memory and proven: a configuration, a signature's payload.
  public func document(_ descriptor: Descriptor, in reference: ImageReference, limit: Int = 4 << 20, object: String) throws -> [UInt8] {
    guard descriptor.size <= limit else { throw RegistryError.tooLarge(object: object, limit: Int64(limit)) }
    var bytes: [UInt8] = []
    try download(descriptor, in: reference, object: object) { span in
      span.withUnsafeBytes { bytes.append(contentsOf: $0) }
    }
    guard bytes.count == Int(descriptor.size) else {
      throw RegistryError.sizeMismatch(object: object, expected: descriptor.size, actual: Int64(bytes.count))
    }
    let actual = Digest.sha256(of: bytes)
    guard actual == descriptor.digest else {
      throw RegistryError.digestMismatch(object: object, expected: descriptor.digest, actual: actual)
    }
    return bytes
  }

  /// All tags of a repository, in the registry's order.
  public func tags(in reference: ImageReference) throws -> [String] {
    struct Page: Decodable { var tags: [String]? }
    return try pages(url(reference, "tags/list?n=1000"), reference, object: "the tags of \(reference.name)") { bytes, object in
      try CanonicalJSON.decode(Page.self, from: bytes, object: object).tags ?? []
    }
  }

  /// The manifests whose `subject` is `digest` (distribution-spec, "Listing Referrers"); where the registry knows no such list, those the
  /// tag `sha256-<hex>` lists.
  public func referrers(of digest: Digest, in reference: ImageReference, artifactType: String? = nil) throws -> [Descriptor] {
    let filter = artifactType.map { "?artifactType=" + percentEncoded($0) } ?? ""
    let object = "the referrers of \(reference.name)@\(digest)"
    let found: [Descriptor]
    do {
      found = try pages(url(reference, "referrers/\(digest)\(filter)"), reference, object: object) { bytes, object in
        try ImageIndex.parse(bytes, object: object).manifests
      }
    } catch RegistryError.notFound {
      let tagged = ImageReference(registry: reference.registry, repository: reference.repository, tag: "sha256-\(digest.hex)")
      do {
        found = try ImageIndex.parse(try manifest(tagged).bytes, object: "\(tagged)").manifests
      } catch RegistryError.notFound {
        return []
      }
    }
    guard let artifactType else { return found }
    return found.filter { $0.artifactType == artifactType }
  }

  /// Follows the `Link` to the next page, on the same registry alone.
  private func pages<Item>(
    _ first: String, _ reference: ImageReference, object: String, _ items: ([UInt8], String) throws -> [Item]
  ) throws -> [Item] {
    var all: [Item] = []
    var next: String? = first
    var count = 0
    while let url = next {
      count += 1
      guard count <= 100 else { throw RegistryError.protocolViolation(object: object, reason: "the list has no end") }
      let request = try request(url, reference, headers: [("Accept", "application/json, \(MediaType.imageIndex)")], sizeLimit: 4 << 20)
      let (response, bytes) = try asking(object, reference) { try http.get(request) }
      all += try items(bytes, object)
      next = try response.headers["link"].flatMap { try nextPage($0, after: url, object: object) }
    }
    return all
  }

  private func nextPage(_ link: String, after url: String, object: String) throws -> String? {
    guard link.contains("rel=\"next\"") || link.contains("rel=next"), let open = link.firstIndex(of: "<"),
      let close = link.firstIndex(of: ">"),
      open < close
    else { return nil }
    let next = try resolve(location: String(link[link.index(after: open)..<close]), against: url, object: object)
    // The request for it carries this registry's credentials.
    guard next.hasPrefix(authority(of: url)) else {
      let place = redacted(url: next).prefix(100)
      throw RegistryError.protocolViolation(object: object, reason: "its list goes on at another host, '\(place)'")
    }
    return next
  }

  /// An absolute URL for a location the registry gave. A path is the registry's own; another host may not end the encryption.
  func resolve(location: String, against url: String, object: String) throws -> String {
    if location.hasPrefix("https://") || location.hasPrefix("http://") && url.hasPrefix("http://") { return location }
    guard location.hasPrefix("/"), !location.hasPrefix("//") else {
      throw RegistryError.protocolViolation(object: object, reason: "it leads to '\(redacted(url: location).prefix(100))'")
    }
    return authority(of: url).dropLast() + location
  }

  /// `https://host:port/` of a URL made by this client.
  private func authority(of url: String) -> Substring {
    guard let scheme = url.firstRange(of: "://"), let slash = url[scheme.upperBound...].firstIndex(of: "/") else { return url[...] }
    return url[...slash]
  }
}
