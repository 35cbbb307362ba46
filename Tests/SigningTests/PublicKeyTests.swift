/// Keys and signatures that openssl(1) made, right ones and wrong ones.
import EnvCore
import SafeFS
import SystemPackage
import TestSupport
import Testing

@testable import Signing

@Suite(.needs(.tool("openssl"))) struct PublicKeyTests {
  private static let message = Array("what is signed".utf8)

  private func read(_ file: FilePath) throws -> PublicKey { try PublicKey(pem: try FileSystem.readFile(file), object: "'key'") }

  @Test(arguments: [KeyPair.Algorithm.p256, .p384, .ed25519, .rsa2048, .rsa3072])
  func signaturesOfOpensslVerify(_ algorithm: KeyPair.Algorithm) throws {
    try withTemporaryFolder { folder in
      let pair = try KeyPair(algorithm, in: folder)
      let other = try KeyPair(algorithm, name: "other", in: folder)
      let key = try read(pair.publicFile)
      let signature = try pair.sign(Self.message)
      #expect(key.verify(signature: signature, of: Self.message))
      #expect(!key.verify(signature: signature, of: Self.message + [0]))
      #expect(!key.verify(signature: try other.sign(Self.message), of: Self.message))
      #expect(!key.verify(signature: Array(signature.dropLast()), of: Self.message))
      #expect(!key.verify(signature: signature + [0], of: Self.message))
      #expect(!key.verify(signature: [], of: Self.message))
      for index in signature.indices {
        var damaged = signature
        damaged[index] ^= 1
        #expect(!key.verify(signature: damaged, of: Self.message), "byte \(index)")
      }
      // openssl(1) has no way to sign nothing at all with Ed25519.
      if algorithm != .ed25519 { #expect(try key.verify(signature: pair.sign([]), of: [])) }
    }
  }

  @Test func whatAKeyIs() throws {
    try withTemporaryFolder { folder in
      let expected: [(KeyPair.Algorithm, PublicKey.Algorithm)] = [
        (.p256, .ecdsaP256), (.p384, .ecdsaP384), (.ed25519, .ed25519), (.rsa2048, .rsa(bits: 2048)),
      ]
      for (algorithm, name) in expected {
        let pair = try KeyPair(algorithm, name: "\(algorithm)", in: folder)
        let key = try read(pair.publicFile)
        #expect(key.algorithm == name)
        let der = folder.appending("der")
        try openssl(["pkey", "-pubin", "-in", pair.publicFile.string, "-outform", "DER", "-out", der.string])
        #expect(key.der == (try FileSystem.readFile(der)))
        let sum = try Tool.run("sha256sum", der.string).text.prefix(64)
        #expect(key.fingerprint.hex == sum)
      }
    }
  }

  @Test func hashes() throws {
    try withTemporaryFolder { folder in
      let p384 = try KeyPair(.p384, name: "p384", in: folder)
      #expect(try read(p384.publicFile).verify(signature: p384.sign(Self.message, hash: "sha384"), of: Self.message))
      #expect(try !read(p384.publicFile).verify(signature: p384.sign(Self.message, hash: "sha512"), of: Self.message))
      let p256 = try KeyPair(.p256, name: "p256", in: folder)
      #expect(try !read(p256.publicFile).verify(signature: p256.sign(Self.message, hash: "sha1"), of: Self.message))
      #expect(try !read(p256.publicFile).verify(signature: p256.sign(Self.message, hash: "sha384"), of: Self.message))
      let rsa = try KeyPair(.rsa2048, name: "rsa", in: folder)
      let pss = try rsa.sign(Self.message, options: ["-sigopt", "rsa_padding_mode:pss"])
      #expect(try !read(rsa.publicFile).verify(signature: pss, of: Self.message))
    }
  }

  @Test func keysThatProveTooLittle() throws {
    try withTemporaryFolder { folder in
      let weak = try KeyPair(.rsa1024, name: "weak", in: folder)
      #expect(throws: SigningError.weakKey(object: "'key'", bits: 1024)) { try read(weak.publicFile) }
      for algorithm in [KeyPair.Algorithm.p521, .x25519] {
        let pair = try KeyPair(algorithm, name: "\(algorithm)", in: folder)
        let error = #expect(throws: SigningError.self) { try read(pair.publicFile) }
        guard case .unsupportedKey = error else { Issue.record("unexpected \(String(describing: error))"); return }
      }
    }
  }

  @Test func privateKeysAreRefused() throws {
    try withTemporaryFolder { folder in
      let pair = try KeyPair(in: folder)
      let secret = try FileSystem.readFile(pair.privateFile)
      let open = try FileSystem.readFile(pair.publicFile)
      try openssl(["ec", "-in", pair.privateFile.string, "-out", folder.appending("sec1").string])
      try openssl(["pkcs8", "-topk8", "-in", pair.privateFile.string, "-passout", "pass:x", "-out", folder.appending("sealed").string])
      let cosign = Array("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\ne30=\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n".utf8)
      let files = [
        secret, open + secret, secret + open, try FileSystem.readFile(folder.appending("sec1")),
        try FileSystem.readFile(folder.appending("sealed")), cosign, Array(secret.prefix(60)),
      ]
      for file in files {
        let error = #expect(throws: SigningError.self) { try PublicKey(pem: file, object: "'key'") }
        guard case .privateKey("'key'", _) = error else { Issue.record("unexpected \(String(describing: error))"); return }
        #expect(error?.hint?.contains("-pubout") == true)
      }
    }
  }

  @Test func filesThatAreNoKey() throws {
    try withTemporaryFolder { folder in
      let pair = try KeyPair(in: folder)
      let good = String(decoding: try FileSystem.readFile(pair.publicFile), as: UTF8.self)
      let key = try read(pair.publicFile)
      #expect(try PublicKey(pem: Array(good.replacing("\n", with: "\r\n").utf8), object: "'key'") == key)
      #expect(try PublicKey(pem: Array(("a remark\n\n" + good).utf8), object: "'key'") == key)
      let lines = good.split(separator: "\n")
      let bad: [String] = [
        "", "no key", good + good, good.replacing("PUBLIC KEY", with: "CERTIFICATE"), good.replacing("PUBLIC", with: "RSA PUBLIC"),
        lines.dropLast().joined(separator: "\n"), lines.dropFirst().joined(separator: "\n"), good.replacing("M", with: "*"),
        "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        String(repeating: "x", count: 1 << 20),
      ]
      for text in bad {
        let error = #expect(throws: SigningError.self) { try PublicKey(pem: Array(text.utf8), object: "'key'") }
        guard case .malformedKey("'key'", _) = error else { Issue.record("unexpected \(String(describing: error)) for \(text)"); return }
      }
      #expect(throws: SigningError.self) { try PublicKey(spki: key.der + [0], object: "'key'") }
      for length in key.der.indices {
        #expect(throws: SigningError.self) { try PublicKey(spki: Array(key.der.prefix(length)), object: "'key'") }
      }
    }
  }
}

@Suite struct Base64Tests {
  /// RFC 4648, section 10.
  @Test(arguments: [
    ("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYg==", "foob"), ("Zm9vYmE=", "fooba"), ("Zm9vYmFy", "foobar"),
  ])
  func vectors(text: String, value: String) { #expect(Base64.decode(text) == Array(value.utf8)) }

  @Test func everyByte() throws {
    let all = (0...255).map { UInt8($0) }
    try withTemporaryFolder { folder in
      try FileSystem.writeAtomically(all, to: folder.appending("all"))
      #expect(Base64.decode(String(try Tool.run("base64", "-w0", folder.appending("all").string).text)) == all)
    }
  }

  @Test(arguments: ["Zg", "Zg=", "Z===", "====", "Zh==", "Zm9=", "Zm 9v", "Zm9v\n", "Zm9v=", "Z-8_", "Zg==Zg==", "é123"])
  func otherTextsStandForNothing(text: String) { #expect(Base64.decode(text) == nil) }
}
