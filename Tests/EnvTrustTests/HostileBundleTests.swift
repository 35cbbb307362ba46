/// What a hostile place may serve as a bundle: each ends in one clear answer.
import EnvCore
import Hashing
import OCI
import SafeFS
import SystemPackage
import TestSupport
import Testing

@testable import EnvTrust

@Suite(.needs(.tool("openssl"))) struct HostileBundleTests {
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
