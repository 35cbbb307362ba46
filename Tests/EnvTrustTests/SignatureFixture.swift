/// Signed images made in code: a place that serves them, and signers whose keys openssl(1) made.
import EnvCore
import Hashing
import OCI
import SafeFS
import Signing
import SystemPackage
import TestSupport
import Testing

@testable import EnvTrust

/// What an unreachable registry is to a search.
struct Unreachable: Error {}

/// A place in memory, which a test may make lie.
final class MemorySource: SignatureSource {
  var tags: [String: [UInt8]] = [:]
  var blobs: [Digest: [UInt8]] = [:]
  var referrers: [Digest: [Descriptor]] = [:]
  var isReachable = true
  private(set) var requests = 0

  func manifest(tag: String) throws -> [UInt8]? { try answer(tags[tag]) }
  func manifest(_ digest: Digest) throws -> [UInt8]? { try answer(blobs[digest]) }
  func blob(_ descriptor: Descriptor) throws -> [UInt8]? { try answer(blobs[descriptor.digest]) }
  func referrers(of digest: Digest) throws -> [Descriptor] { try answer(referrers[digest]) ?? [] }

  private func answer<Value>(_ value: Value) throws -> Value {
    guard isReachable else { throw Unreachable() }
    requests += 1
    return value
  }

  func add(_ bytes: [UInt8], _ type: String) -> Descriptor {
    let digest = Digest.sha256(of: bytes)
    blobs[digest] = bytes
    return Descriptor(mediaType: MediaType(rawValue: type), digest: digest, size: Int64(bytes.count))
  }

  /// Puts payloads with these annotations under the tag of `image`, beside those that are there.
  func tag(_ image: Digest, _ layers: [Descriptor]) throws {
    let name = CosignLayer.tag(for: image)
    var all = layers
    if let present = tags[name] { all = try ImageManifest.parse(present, object: name).layers + layers }
    let config = add(Array("{}".utf8), MediaType.imageConfig.rawValue)
    tags[name] = try CanonicalJSON.encode(ImageManifest(config: config, layers: all))
  }

  /// Lets a bundle refer to `image`. `change` may spoil the manifest.
  func refer(to image: Digest, _ bundle: String, _ change: (String) -> String = { $0 }) {
    let type = "application/vnd.dev.sigstore.bundle.v0.3+json"
    let blob = add(Array(bundle.utf8), type)
    let empty = #"{"mediaType":"application/vnd.oci.empty.v1+json","digest":"\#(add(Array("{}".utf8), "").digest)","size":2}"#
    let layer = #"{"mediaType":"\#(type)","digest":"\#(blob.digest)","size":\#(blob.size)}"#
    let subject = #"{"mediaType":"\#(MediaType.imageManifest)","digest":"\#(image)","size":9}"#
    let manifest = change(
      #"{"schemaVersion":2,"artifactType":"\#(type)","config":\#(empty),"layers":[\#(layer)],"subject":\#(subject)}"#)
    referrers[image, default: []].append(add(Array(manifest.utf8), MediaType.imageManifest.rawValue))
  }
}

/// Somebody who signs as cosign does.
struct Signer {
  let pair: KeyPair
  let trusted: TrustedKey

  init(_ name: String, _ algorithm: KeyPair.Algorithm = .p256, in folder: FilePath) throws {
    pair = try KeyPair(algorithm, name: name, in: folder)
    trusted = try TrustedKey(file: pair.publicFile, name: name + ".pub")
  }

  static func payload(
    _ image: String, type: String = "cosign container image signature", optional: String = #"{"env":"prod","count":2}"#
  ) -> [UInt8] {
    let critical =
      #"{"identity":{"docker-reference":"host.example/app"},"image":{"docker-manifest-digest":"\#(image)"},"type":"\#(type)"}"#
    return Array(#"{"critical":\#(critical),"optional":\#(optional)}"#.utf8)
  }

  /// A layer of cosign's first layout.
  func layer(_ payload: [UInt8], in source: MemorySource) throws -> Descriptor {
    var descriptor = source.add(payload, CosignLayer.mediaType.rawValue)
    descriptor.annotations = ["dev.cosignproject.cosign/signature": base64(try pair.sign(payload))]
    return descriptor
  }

  static func statement(
    _ digest: Digest, predicate: String = "https://sigstore.dev/cosign/sign/v1", type: String = "https://in-toto.io/Statement/v1"
  ) -> String {
    let subject = #"{"name":"host.example/app","digest":{"sha256":"\#(digest.hex)"},"annotations":{"env":"prod"}}"#
    return #"{"_type":"\#(type)","subject":[\#(subject)],"predicateType":"\#(predicate)","predicate":{}}"#
  }

  /// A bundle with an envelope over `statement`.
  func bundle(_ statement: String, payloadType: String = "application/vnd.in-toto+json") throws -> String {
    let payload = Array(statement.utf8)
    let signed = Array("DSSEv1 \(payloadType.utf8.count) \(payloadType) \(payload.count) ".utf8) + payload
    let signature = #"[{"sig":"\#(base64(try pair.sign(signed)))","keyid":""}]"#
    return Self.bundle(#""dsseEnvelope":{"payload":"\#(base64(payload))","payloadType":"\#(payloadType)","signatures":\#(signature)}"#)
  }

  /// A bundle with a signature over a document.
  func bundle(over document: [UInt8], digest: Digest? = nil) throws -> String {
    let named = base64(bytes(of: digest ?? .sha256(of: document)))
    let signature = base64(try pair.sign(document))
    return Self.bundle(#""messageSignature":{"messageDigest":{"algorithm":"SHA2_256","digest":"\#(named)"},"signature":"\#(signature)"}"#)
  }

  static func bundle(_ content: String, material: String = #""publicKey":{"hint":"x"},"tlogEntries":[]"#) -> String {
    #"{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{\#(material)},\#(content)}"#
  }
}

private func bytes(of digest: Digest) -> [UInt8] {
  let digits = Array(digest.hex)
  return stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(digits[$0...($0 + 1)]), radix: 16) }
}

/// RFC 4648, section 4.
func base64(_ bytes: [UInt8]) -> String {
  let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
  var text = ""
  for start in stride(from: 0, to: bytes.count, by: 3) {
    let group = bytes[start..<min(start + 3, bytes.count)]
    let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
    for index in 0...3 { text.append(index <= group.count ? alphabet[bits >> (18 - 6 * index) & 63] : "=") }
  }
  return text
}

/// An image, two people, and a place.
struct Scene {
  let source = MemorySource()
  let document = Array(#"{"schemaVersion":2}"#.utf8)
  let image: Digest
  let team: Signer
  let stranger: Signer

  init(_ algorithm: KeyPair.Algorithm = .p256, in folder: FilePath) throws {
    team = try Signer("team", algorithm, in: folder)
    stranger = try Signer("stranger", in: folder)
    image = source.add(document, MediaType.imageManifest.rawValue).digest
  }

  func verify(_ digests: [Digest]? = nil, annotations: [String: String] = [:], keys: [TrustedKey]? = nil) throws -> [VerifiedIdentity] {
    let demand = SignatureDemand(keys: keys ?? [team.trusted], annotations: annotations)
    return try SignatureVerifier(source: source, demand: demand, image: "host.example/app", demandedBy: "policy.yaml:3:5")
      .verify(digests ?? [image])
  }

  /// The error of a verification that must fail, with what every such error owes its reader.
  func failure(_ annotations: [String: String] = [:], sourceLocation: SourceLocation = #_sourceLocation) -> TrustError? {
    let error = #expect(throws: TrustError.self, sourceLocation: sourceLocation) { try verify(annotations: annotations) }
    #expect(error?.exitCode == .verification, sourceLocation: sourceLocation)
    #expect(error?.summary.contains("host.example/app") == true, sourceLocation: sourceLocation)
    #expect(error?.summary.contains("policy.yaml:3:5") == true, sourceLocation: sourceLocation)
    return error
  }

  /// Expects that the only signature is broken, for a reason with these words.
  func expectBroken(_ words: String, sourceLocation: SourceLocation = #_sourceLocation) {
    guard case .broken(_, _, let reason) = failure(sourceLocation: sourceLocation) else {
      Issue.record("it is not broken", sourceLocation: sourceLocation)
      return
    }
    #expect(reason.contains(words), "\(reason)", sourceLocation: sourceLocation)
  }
}

/// Runs `body` with a scene of its own.
func scene(_ algorithm: KeyPair.Algorithm = .p256, _ body: (Scene) throws -> Void) throws {
  try withTemporaryFolder { folder in try body(Scene(algorithm, in: folder)) }
}
