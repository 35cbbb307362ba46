/// Who vouches for an image: right signatures in every layout, and images that nobody trusted has signed.
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
}
