/// What a hostile place may serve under cosign's tag instead of a signature: each ends in one clear answer.
import EnvCore
import Hashing
import OCI
import SafeFS
import SystemPackage
import TestSupport
import Testing

@testable import EnvTrust

@Suite(.needs(.tool("openssl"))) struct HostileTagTests {
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
}
