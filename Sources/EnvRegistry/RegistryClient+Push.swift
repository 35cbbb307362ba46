/// Publishing: blobs that are not there yet, then the manifest that names them.
import EnvCore
import HTTP
import Hashing
import OCI

extension RegistryClient {
  /// Opens a blob for reading, anew for every attempt. The reader fills the span from its start.
  public typealias BlobReader = @Sendable () throws -> (inout MutableRawSpan) throws -> Int

  private static let attempts = 3

  /// Whether the repository holds the blob.
  public func hasBlob(_ digest: Digest, in reference: ImageReference) throws -> Bool {
    do {
      let request = try request(url(reference, "blobs/\(digest)"), reference, .push, method: .head)
      _ = try asking("blob \(digest.short)", reference, .push) { try http.get(request) }
      return true
    } catch RegistryError.notFound {
      return false
    }
  }

  /// Uploads a blob that the repository does not hold yet, in one request (distribution-spec, "Pushing a blob monolithically").
  ///
  /// - Returns: Whether it had to be uploaded.
  public func push(_ descriptor: Descriptor, to reference: ImageReference, object: String, _ open: @escaping BlobReader) throws -> Bool {
    if try hasBlob(descriptor.digest, in: reference) { return false }
    var attempt = 1
    while true {
      do {
        try upload(descriptor, to: reference, object: object, open)
        return true
      } catch RegistryError.unavailable(_, _, _) where attempt < Self.attempts {
        // A session that broke off may hold a part of the bytes; a new one holds none.
        attempt += 1
      }
    }
  }

  private func upload(_ descriptor: Descriptor, to reference: ImageReference, object: String, _ open: @escaping BlobReader) throws {
    var begin = try request(url(reference, "blobs/uploads/"), reference, .push, method: .post)
    begin.followsRedirects = false
    let (session, _) = try asking(object, reference, .push) { try http.get(begin) }
    guard let stated = session.headers["location"] else {
      throw RegistryError.protocolViolation(object: object, reason: "it names no place to upload to")
    }
    let location = try resolve(location: stated, against: begin.url, object: object)
    var finish = try request(
      location + (location.contains("?") ? "&" : "?") + "digest=" + percentEncoded(descriptor.digest.description), reference, .push,
      method: .put, headers: [("Content-Type", "application/octet-stream")], body: .stream(size: descriptor.size, open: open))
    finish.followsRedirects = false
    // An upload may be sent to storage elsewhere, whose URL is the permission.
    if !location.hasPrefix(settings.base(of: reference.registry).dropLast("v2/".count)) { finish.authorizer = nil }
    _ = try asking(object, reference, .push) { try http.get(finish) }
  }

  /// Uploads a manifest or an index under the reference's tag, or under its digest alone.
  public func pushManifest(_ bytes: [UInt8], mediaType: MediaType, to reference: ImageReference) throws {
    let digest = Digest.sha256(of: bytes)
    var request = try request(
      url(reference, "manifests/" + (reference.tag ?? digest.description)), reference, .push, method: .put,
      headers: [("Content-Type", mediaType.rawValue)], body: .bytes(bytes))
    // What is published goes where it was sent, or nowhere.
    request.followsRedirects = false
    let (response, _) = try asking("\(reference)", reference, .push) { try http.get(request) }
    if let stated = response.headers["docker-content-digest"], stated.hasPrefix("sha256:"), stated != digest.description {
      throw RegistryError.digestMismatch(
        object: "\(reference) as the registry stored it", expected: digest, actual: try Digest(parsing: stated))
    }
  }
}
