/// The certificates kept for one registry on this host (containers-certs.d(5)). TLS itself is libcurl's business.
import EnvCore
import HTTP
import OCI
import SafeFS
import SystemPackage

/// A folder `HOST:PORT` of certs.d: all of its `*.crt` are authorities, `X.cert` is the client's own certificate and `X.key` its key.
struct RegistryCertificates {
  let folder: FilePath

  /// The registry's folder in the first of `places` that has one, under any spelling of its name.
  init?(for registry: String, in places: [FilePath]) {
    for place in places {
      var name = registry
      if !FileSystem.exists(place.appending(name)) {
        // A place that this user may not list is none of theirs.
        let names = (try? FileSystem.list(place)) ?? []
        guard let spelt = names.first(where: { ImageReference.canonicalRegistry($0) == registry }) else { continue }
        name = spelt
      }
      folder = place.appending(name)
      return
    }
    return nil
  }

  /// What the folder holds; of several client certificates the first by name.
  ///
  /// - Throws: `RegistryError.unusableCertificate` for what is no readable file, and for a certificate without its key or a key without it.
  func identity() throws -> TLSIdentity {
    let names = try FileSystem.list(folder)
    var authorities: [UInt8] = []
    for name in names where name.hasSuffix(".crt") { authorities += try pem(name) + [UInt8(ascii: "\n")] }
    let certificates = names.filter { $0.hasSuffix(".cert") }
    for name in certificates where !names.contains(name.dropLast(".cert".count) + ".key") {
      throw unusable(name, reason: "its key '\(name.dropLast(".cert".count)).key' is not beside it")
    }
    for name in names where name.hasSuffix(".key") && !certificates.contains(name.dropLast(".key".count) + ".cert") {
      throw unusable(name, reason: "its certificate '\(name.dropLast(".key".count)).cert' is not beside it")
    }
    var identity = TLSIdentity(authorities: authorities.isEmpty ? nil : authorities)
    if let certificate = certificates.first {
      let key = certificate.dropLast(".cert".count) + ".key"
      _ = try (pem(certificate), pem(String(key)))
      identity.certificate = folder.appending(certificate).string
      identity.key = folder.appending(String(key)).string
    }
    return identity
  }

  /// The bytes of a PEM file; libcurl would wait at a FIFO, and pass over what it does not understand.
  private func pem(_ name: String) throws -> [UInt8] {
    let path = folder.appending(name)
    let bytes: [UInt8]
    do {
      guard try FileSystem.status(path, followingLink: true)?.kind == .file else { throw unusable(name, reason: "it is no file") }
      bytes = try FileSystem.readFile(path, limit: 4 << 20)
    } catch let error as FileSystemError {
      throw RegistryError.unusableCertificate(file: path, reason: "it cannot be read", underlying: error)
    }
    guard String(decoding: bytes, as: UTF8.self).contains("-----BEGIN ") else { throw unusable(name, reason: "it is not in PEM") }
    return bytes
  }

  private func unusable(_ name: String, reason: String) -> RegistryError {
    .unusableCertificate(file: folder.appending(name), reason: reason, underlying: nil)
  }
}
