/// Who vouches for an image: right signatures in every layout, and everything a hostile place may serve instead.
import EnvCore
import Hashing
import OCI
import SafeFS
import Signing
import SystemPackage
import TestSupport
import Testing

@testable import EnvTrust

@Suite(.needs(.tool("openssl"))) struct SignatureVerifierTests {
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

  private func scene(_ algorithm: KeyPair.Algorithm = .p256, _ body: (Scene) throws -> Void) throws {
    try withTemporaryFolder { folder in try body(Scene(algorithm, in: folder)) }
  }

  // MARK: What is right

  @Test(arguments: [KeyPair.Algorithm.p256, .p384, .ed25519, .rsa2048]) func firstLayout(_ algorithm: KeyPair.Algorithm) throws {
    try scene(algorithm) { scene in
      try scene.source.tag(scene.image, [scene.team.layer(Signer.payload("\(scene.image)"), in: scene.source)])
      let expected = VerifiedIdentity(
        kind: .cosignV1, key: scene.team.trusted.key.fingerprint, digest: scene.image, reference: "host.example/app")
      #expect(try scene.verify() == [expected])
      #expect(try scene.verify(annotations: ["env": "prod"]) == [expected])
    }
  }

  @Test(arguments: [KeyPair.Algorithm.p256, .p384, .ed25519, .rsa2048]) func bundles(_ algorithm: KeyPair.Algorithm) throws {
    try scene(algorithm) { scene in
      scene.source.refer(to: scene.image, try scene.team.bundle(Signer.statement(scene.image)))
      let expected = VerifiedIdentity(
        kind: .sigstoreBundle, key: scene.team.trusted.key.fingerprint, digest: scene.image, reference: "host.example/app")
      #expect(try scene.verify() == [expected])
      #expect(try scene.verify(annotations: ["env": "prod"]) == [expected])
      scene.source.refer(to: scene.image, try scene.team.bundle(over: scene.document))
      let second = VerifiedIdentity(kind: .sigstoreBundle, key: expected.key, digest: scene.image, reference: nil)
      #expect(try scene.verify() == [second, expected])
    }
  }

  /// A signature that skopeo 1.9.3, built from its own source, made with --sign-by-sigstore-private-key: somebody else's reading of the layout.
  @Test func signatureBySkopeo() throws {
    let key = """
      -----BEGIN PUBLIC KEY-----
      MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE2EMctZY6BXVzv/a7Kw/nd7kDKtJ4
      BCD8F97hz2XI0SYcrS7Z8aH0kKzRz2rGzbWy2d8OE1pcJiZjzy+47mdlAA==
      -----END PUBLIC KEY-----
      """
    let hex = "cb48a1200431574832c7babe33feb79f8fc46422a43e55f3c60c71257ca6e7e7"
    let payload =
      #"{"critical":{"identity":{"docker-reference":"127.0.0.1:43087/team/app:1"},"image":{"docker-manifest-digest":"sha256:\#(hex)"},"#
      + #""type":"cosign container image signature"},"optional":{"creator":"containers/image 5.22.1","timestamp":1795402273}}"#
    let source = MemorySource()
    var layer = source.add(Array(payload.utf8), CosignLayer.mediaType.rawValue)
    layer.annotations = [
      "dev.cosignproject.cosign/signature":
        "MEUCIBYauzRiNngVV+WtRKwBnWYzWTCaEu0vPEkPjdgUml/kAiEAv+V2cJ5+seOOH1ZH/WqMKpimpdBMUFT88hiZ1YiMPiY="
    ]
    let image = try Digest(hex: hex)
    try source.tag(image, [layer])
    let trusted = TrustedKey(name: "skopeo.pub", key: try PublicKey(pem: Array(key.utf8), object: "skopeo.pub"))
    let demand = SignatureDemand(keys: [trusted], annotations: ["creator": "containers/image 5.22.1"])
    let found = try SignatureVerifier(source: source, demand: demand, image: "app", demandedBy: "a test").verify([image])
    #expect(found.map(\.reference) == ["127.0.0.1:43087/team/app:1"])
  }

  @Test func indexOrManifest() throws {
    try scene { scene in
      let index = scene.source.add(Array(#"{"schemaVersion":2,"manifests":[]}"#.utf8), MediaType.imageIndex.rawValue).digest
      try scene.source.tag(index, [scene.team.layer(Signer.payload("\(index)"), in: scene.source)])
      #expect(try scene.verify([index, scene.image]).map(\.digest) == [index])
      #expect(throws: TrustError.self) { try scene.verify([scene.image]) }
      scene.source.refer(to: scene.image, try scene.team.bundle(Signer.statement(scene.image)))
      #expect(try Set(scene.verify([index, scene.image]).map(\.digest)) == [index, scene.image])
    }
  }

  @Test func oneGoodSignatureAmongOthers() throws {
    try scene { scene in
      let payload = Signer.payload("\(scene.image)")
      var keyless = try scene.stranger.layer(payload, in: scene.source)
      keyless.annotations?["dev.sigstore.cosign/certificate"] = "-----BEGIN CERTIFICATE-----"
      var gone = scene.source.add([1], CosignLayer.mediaType.rawValue)
      gone.annotations = ["dev.cosignproject.cosign/signature": "AA=="]
      scene.source.blobs[gone.digest] = nil
      try scene.source.tag(
        scene.image, [keyless, gone, scene.stranger.layer(payload, in: scene.source), scene.team.layer(payload, in: scene.source)])
      scene.source.refer(to: scene.image, "no JSON")
      #expect(try scene.verify().count == 1)
      #expect(try scene.verify(keys: [scene.stranger.trusted, scene.team.trusted]).count == 2)
    }
  }

  // MARK: Nobody trusted

  @Test func unsigned() throws {
    try scene { scene in
      guard case .missing = scene.failure() else { Issue.record("it is not missing"); return }
    }
  }

  @Test func aStranger() throws {
    try scene { scene in
      try scene.source.tag(scene.image, [scene.stranger.layer(Signer.payload("\(scene.image)"), in: scene.source)])
      scene.source.refer(to: scene.image, try scene.stranger.bundle(Signer.statement(scene.image)))
      guard case .foreignKey(_, _, 2, let keys) = scene.failure() else { Issue.record("the key is not foreign"); return }
      #expect(keys == ["team.pub (\(scene.team.trusted.key.fingerprint.short))"])
    }
  }

  @Test func certificatesAreNotHalfChecked() throws {
    try scene { scene in
      var layer = try scene.team.layer(Signer.payload("\(scene.image)"), in: scene.source)
      layer.annotations?["dev.sigstore.cosign/certificate"] = "-----BEGIN CERTIFICATE-----"
      try scene.source.tag(scene.image, [layer])
      guard case .unsupported = scene.failure() else { Issue.record("it is not unsupported"); return }
    }
    try scene { scene in
      let bundle = try scene.team.bundle(Signer.statement(scene.image))
      scene.source.refer(to: scene.image, bundle.replacing(#""publicKey":{"hint":"x"}"#, with: #""certificate":{"rawBytes":"AA=="}"#))
      guard case .unsupported = scene.failure() else { Issue.record("it is not unsupported"); return }
    }
  }

  @Test func attestationsAreNoSignatures() throws {
    try scene { scene in
      scene.source.refer(
        to: scene.image, try scene.team.bundle(Signer.statement(scene.image, predicate: "https://slsa.dev/provenance/v1")))
      scene.source.refer(to: scene.image, "{}") {
        $0.replacing("application/vnd.dev.sigstore.bundle.v0.3+json", with: "application/spdx+json")
      }
      guard case .missing = scene.failure() else { Issue.record("it is not missing"); return }
    }
  }

  @Test func annotations() throws {
    try scene { scene in
      try scene.source.tag(scene.image, [scene.team.layer(Signer.payload("\(scene.image)"), in: scene.source)])
      guard case .lackingAnnotation(_, _, "env", "test", "prod") = scene.failure(["env": "test"]) else {
        Issue.record("it is not lacking")
        return
      }
      guard case .lackingAnnotation(_, _, "team", "risk", nil) = scene.failure(["team": "risk"]) else {
        Issue.record("not lacking"); return
      }
      // A number is no text.
      guard case .lackingAnnotation(_, _, "count", "2", nil) = scene.failure(["count": "2"]) else { Issue.record("not lacking"); return }
    }
  }

  @Test func unreachableIsNotUnsigned() throws {
    try scene { scene in
      scene.source.isReachable = false
      #expect(throws: Unreachable.self) { try scene.verify() }
    }
  }

  // MARK: A hostile place: cosign's first layout

  @Test func signatureOfAnotherImage() throws {
    try scene { scene in
      let other = Digest.sha256(of: [1])
      try scene.source.tag(scene.image, [scene.team.layer(Signer.payload("\(other)"), in: scene.source)])
      scene.expectBroken("another image, \(other)")
    }
  }

  @Test(arguments: ["sha512:" + String(repeating: "0", count: 128), "", "../../etc/passwd"]) func payloadWithoutADigest(_ text: String)
    throws
  {
    try scene { scene in
      try scene.source.tag(scene.image, [scene.team.layer(Signer.payload(text), in: scene.source)])
      scene.expectBroken("a signed payload is not the JSON expected")
    }
  }

  @Test func payloadOfAnotherType() throws {
    try scene { scene in
      try scene.source.tag(
        scene.image, [scene.team.layer(Signer.payload("\(scene.image)", type: "atomic container signature"), in: scene.source)])
      scene.expectBroken("a 'atomic container signature'")
    }
  }

  @Test func payloadThatIsNoJSON() throws {
    for payload in ["", "[]", "\u{0}", #"{"critical":{}}"#, String(repeating: "[", count: 100_000)] {
      try scene { scene in
        try scene.source.tag(scene.image, [scene.team.layer(Array(payload.utf8), in: scene.source)])
        scene.expectBroken("a signed payload is not the JSON expected")
      }
    }
  }

  @Test func swappedPayload() throws {
    // The layer's digest is that of the payload put in its place: only the signature can tell.
    try scene { scene in
      let signed = try scene.team.layer(Signer.payload("\(Digest.sha256(of: [1]))"), in: scene.source)
      var swapped = scene.source.add(Signer.payload("\(scene.image)"), CosignLayer.mediaType.rawValue)
      swapped.annotations = signed.annotations
      try scene.source.tag(scene.image, [swapped])
      guard case .foreignKey = scene.failure() else { Issue.record("it passed for somebody's"); return }
    }
    // The place serves other bytes than it announces.
    try scene { scene in
      let layer = try scene.team.layer(Signer.payload("\(scene.image)"), in: scene.source)
      try scene.source.tag(scene.image, [layer])
      scene.source.blobs[layer.digest] = Signer.payload("\(scene.image)", optional: #"{"env":"test","count":2}"#)
      scene.expectBroken("is not the one announced")
      scene.source.blobs[layer.digest] = []
      scene.expectBroken("has 0 bytes")
      scene.source.blobs[layer.digest] = nil
      scene.expectBroken("is not there")
    }
  }

  @Test(arguments: ["", "AAA", "not base64", "MEUC IQ==", String(repeating: "A", count: 4_000_000)]) func annotation(_ text: String) throws
  {
    try scene { scene in
      var layer = try scene.team.layer(Signer.payload("\(scene.image)"), in: scene.source)
      layer.annotations = ["dev.cosignproject.cosign/signature": text]
      try scene.source.tag(scene.image, [layer])
      switch scene.failure() {
      case .broken(_, _, let reason): #expect(reason.contains("base64"))
      case .foreignKey: #expect(text.isEmpty || text.count > 1000)
      case let error: Issue.record("unexpected \(String(describing: error))")
      }
    }
  }

  @Test func noAnnotation() throws {
    try scene { scene in
      try scene.source.tag(scene.image, [scene.source.add(Signer.payload("\(scene.image)"), CosignLayer.mediaType.rawValue)])
      scene.expectBroken("no signature beside it")
    }
  }

  @Test(arguments: [Int64(-1), (256 << 10) + 1, .max]) func announcedSize(_ size: Int64) throws {
    try scene { scene in
      var layer = try scene.team.layer(Signer.payload("\(scene.image)"), in: scene.source)
      layer.size = size
      try scene.source.tag(scene.image, [layer])
      let before = scene.source.requests
      scene.expectBroken("is said to have")
      // The tag and the referrers were asked for, the payload was not.
      #expect(scene.source.requests - before == 2)
    }
  }

  @Test func tenThousandSignatures() throws {
    try scene { scene in
      let layer = try scene.team.layer(Signer.payload("\(scene.image)"), in: scene.source)
      try scene.source.tag(scene.image, Array(repeating: layer, count: 10_000))
      let before = scene.source.requests
      scene.expectBroken("10000 signatures")
      #expect(scene.source.requests - before == 2)
    }
    try scene { scene in
      for number in 0..<65 { scene.source.referrers[scene.image, default: []].append(scene.source.add([UInt8(number)], "x")) }
      scene.expectBroken("65 signatures")
    }
  }

  @Test(arguments: [
    "", "null", "[]", #"{"schemaVersion":2,"manifests":[],"config":{},"layers":[]}"#, #"{"schemaVersion":1}"#,
    #"{"schemaVersion":2,"config":{"mediaType":"x","digest":"sha256:0","size":1},"layers":[]}"#,
  ])
  func manifestThatIsNone(_ text: String) throws {
    try scene { scene in
      scene.source.tags[CosignLayer.tag(for: scene.image)] = Array(text.utf8)
      scene.expectBroken("the manifest of the signatures")
    }
  }

  @Test func manifestTooLong() throws {
    try scene { scene in
      scene.source.tags[CosignLayer.tag(for: scene.image)] = [UInt8](repeating: 32, count: (4 << 20) + 1)
      scene.expectBroken("longer than 4 MiB")
    }
  }

  // MARK: A hostile place: bundles

  @Test func bundleOfAnotherImage() throws {
    let other = Digest.sha256(of: [1])
    try scene { scene in
      scene.source.refer(to: scene.image, try scene.team.bundle(Signer.statement(other)))
      scene.expectBroken("another image, sha256:\(other.hex)")
    }
    try scene { scene in
      scene.source.refer(to: scene.image, try scene.team.bundle(over: [1]))
      scene.expectBroken("another document, \(other)")
    }
    // The digest beside the signature is forged to fit.
    try scene { scene in
      scene.source.refer(to: scene.image, try scene.team.bundle(over: [1], digest: scene.image))
      guard case .foreignKey = scene.failure() else { Issue.record("it passed for somebody's"); return }
    }
    try scene { scene in
      scene.source.refer(to: scene.image, try scene.team.bundle(Signer.statement(scene.image))) {
        $0.replacing("\(scene.image)", with: "\(other)")
      }
      scene.expectBroken("refers to \(other)")
    }
  }

  @Test func envelopeOfAnotherPayload() throws {
    try scene { scene in
      let good = try scene.team.bundle(Signer.statement(Digest.sha256(of: [1])))
      let forged = good.replacing(
        base64(Array(Signer.statement(Digest.sha256(of: [1])).utf8)), with: base64(Array(Signer.statement(scene.image).utf8)))
      #expect(forged != good)
      scene.source.refer(to: scene.image, forged)
      guard case .foreignKey = scene.failure() else { Issue.record("it passed for somebody's"); return }
    }
    try scene { scene in
      scene.source.refer(to: scene.image, try scene.team.bundle(Signer.statement(scene.image), payloadType: "text/plain"))
      scene.expectBroken("'text/plain'")
    }
    // Signed without the pre-authentication encoding, as one would sign a file.
    try scene { scene in
      let statement = Array(Signer.statement(scene.image).utf8)
      let signature = base64(try scene.team.pair.sign(statement))
      scene.source.refer(
        to: scene.image,
        Signer.bundle(
          #""dsseEnvelope":{"payload":"\#(base64(statement))","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"\#(signature)"}]}"#
        ))
      guard case .foreignKey = scene.failure() else { Issue.record("it passed for somebody's"); return }
    }
  }

  @Test func bundlesThatAreNone() throws {
    try withTemporaryFolder { folder in
      let maker = try Scene(in: folder)
      let good = try maker.team.bundle(Signer.statement(maker.image))
      let spoilt: [(String, String)] = [
        ("", "not the JSON expected"), ("[]", "not the JSON expected"),
        (good.replacing("bundle.v0.3", with: "bundle.v0.9"), "says it is"),
        (good.replacing(#""dsseEnvelope""#, with: #""envelope""#), "either a message signature or an envelope"),
        (
          Signer.bundle(#""messageSignature":{"signature":"AA=="},"dsseEnvelope":{"payload":"","payloadType":"","signatures":[]}"#),
          "either"
        ),
        (good.replacing(#""publicKey":{"hint":"x"},"#, with: ""), "does not say what it is to be verified with"),
        (good.replacing(#""sig":""#, with: #""sig":"*"#), "a signature is not base64"),
        (good.replacing(#""payload":""#, with: #""payload":"*"#), "the payload of an envelope is not base64"),
        (good.replacing(#"[{"sig""#, with: #"[{"sig":"AA=="},{"sig""#), "2 signatures"),
        (Signer.bundle(#""dsseEnvelope":{"payload":"","payloadType":"application/vnd.in-toto+json","signatures":[]}"#), "0 signatures"),
        (try maker.team.bundle("[]"), "a signed statement is not the JSON expected"),
        (try maker.team.bundle(Signer.statement(maker.image, type: "https://example.org/x")), "says it is a 'https://example.org/x'"),
        (Signer.bundle(#""messageSignature":{"messageDigest":{"algorithm":"MD5","digest":"AA=="},"signature":"AA=="}"#), "no SHA-256"),
        (Signer.bundle(#""messageSignature":{"signature":"%"}"#), "not base64"),
      ]
      for (bundle, words) in spoilt {
        let scene = try Scene(in: folder)
        let made = maker.source.referrers[scene.image]
        #expect(made == nil)
        scene.source.refer(to: scene.image, bundle)
        // The scene's own keys are new; the signatures are by the first scene's team.
        let demand = SignatureDemand(keys: [maker.team.trusted])
        let error = #expect(throws: TrustError.self) {
          try SignatureVerifier(source: scene.source, demand: demand, image: "i", demandedBy: "r").verify([scene.image])
        }
        guard case .broken(_, _, let reason) = error else { Issue.record("unexpected \(String(describing: error)) for \(words)"); continue }
        #expect(reason.contains(words), "\(reason)")
      }
    }
  }

  @Test func manifestOfABundle() throws {
    let type = #""layers":[{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json""#
    let changes: [(String, @Sendable (String) -> String)] = [
      ("exactly one bundle", { $0.replacing(type, with: #""layers":[{"mediaType":"text/plain""#) }),
      ("exactly one bundle", { $0.replacing(#""layers":"#, with: #""sheets":"#) }),
      ("refers to nothing", { $0.replacing(#""subject":"#, with: #""object":"#) }), ("not the JSON expected", { _ in "no JSON" }),
    ]
    for (words, change) in changes {
      try scene { scene in
        scene.source.refer(to: scene.image, try scene.team.bundle(Signer.statement(scene.image)), change)
        scene.expectBroken(words)
      }
    }
    try scene { scene in
      scene.source.refer(to: scene.image, try scene.team.bundle(Signer.statement(scene.image)))
      let manifest = try #require(scene.source.referrers[scene.image]?.first)
      scene.source.blobs[manifest.digest] = [UInt8](repeating: 32, count: (4 << 20) + 1)
      scene.expectBroken("longer than 4 MiB")
      scene.source.blobs[manifest.digest] = [1]
      scene.expectBroken("is not the one announced")
      // A manifest that went away between two requests is none.
      scene.source.blobs[manifest.digest] = nil
      guard case .missing = scene.failure() else { Issue.record("it is not missing"); return }
    }
  }
}
